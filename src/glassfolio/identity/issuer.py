"""The built-in issuer of tokens: an RSA key in the data folder, made on first use.

Its tokens carry the same claims as those of an outside issuer and pass through the same verifier.
"""

import os
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import RSAKey

ISSUER = "glassfolio:local"
# The party of tokens made on the command line, for scripts; accepted whatever the service's address.
SCRIPTS = "glassfolio:scripts"
KEY_FILE = "issuer.pem"
KEY_BITS = 2048
LIFETIME_SECONDS = 60


class Issuer:
    """Signs tokens for subjects of this installation. party: the origin that a token is for (`azp`)."""

    def __init__(self, key: RSAKey, party: str) -> None:
        self.key, self.party = key, party

    @property
    def key_id(self) -> str:
        """The name of the key in a token's header."""
        return self.key.thumbprint()

    def token(self, subject: str, now: datetime, lifetime: int = LIFETIME_SECONDS) -> str:
        """A bearer token for `subject` and this issuer's party, valid for `lifetime` seconds from `now`."""
        issued = int(now.timestamp())
        claims = {
            "iss": ISSUER,
            "sub": subject,
            "sid": str(uuid4()),
            "azp": self.party,
            "iat": issued,
            "nbf": issued,
            "exp": issued + lifetime,
        }
        return jwt.encode({"alg": "RS256", "kid": self.key_id}, claims, self.key)


def load(folder: Path, party: str) -> Issuer:
    """The installation's issuer; makes its key, readable by the owner of the folder only."""
    path = folder / KEY_FILE
    if not path.exists():
        _make(path)
    return Issuer(RSAKey.import_key(path.read_text("ascii")), party)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.tmp")
    pem = RSAKey.generate_key(KEY_BITS).as_pem(private=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(pem)
    try:
        # A process that was faster keeps its key.
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
