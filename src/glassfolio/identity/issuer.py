"""The built-in issuer of tokens: an RSA key in the data folder, made on first use, and its key set.

Its tokens carry the same claims as those of an outside issuer and pass through the same verifier.
"""

import os
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from glassfolio.errors import SettingsError
from glassfolio.identity.claims import Rules

ISSUER = "glassfolio:local"
# The party of tokens made on the command line, for scripts; accepted whatever the service's address.
SCRIPTS = "glassfolio:scripts"
KEY_FILE = "issuer.pem"
KEY_BITS = 2048
LIFETIME_SECONDS = 60
OTHERS = 0o077


class Issuer:
    """Signs tokens for subjects of this installation. party: the origin that a token is for (`azp`)."""

    def __init__(self, key: RSAKey, party: str) -> None:
        self.key, self.party = key, party

    @property
    def key_id(self) -> str:
        """The name of the key in a token's header."""
        return self.key.thumbprint()

    def rules(self) -> Rules:
        """What this installation's tokens must say: made for its address, or for scripts."""
        return Rules(ISSUER, frozenset({self.party, SCRIPTS}), names_sign_in=True)

    def public_keys(self) -> dict[str, Any]:
        """The key set (JWKS) that others can check our tokens with."""
        public = self.key.as_dict(private=False)
        return {"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": "RS256"}]}

    def token(
        self, subject: str, now: datetime, lifetime: int = LIFETIME_SECONDS, sign_in: str | None = None
    ) -> str:
        """A bearer token for `subject` and this issuer's party, valid for `lifetime` seconds from `now`.

        sign_in: the sign-in it belongs to; None for one of its own.
        """
        issued = int(now.timestamp())
        claims = {
            "iss": ISSUER,
            "sub": subject,
            "sid": sign_in or str(uuid4()),
            "azp": self.party,
            "iat": issued,
            "nbf": issued,
            "exp": issued + lifetime,
        }
        return jwt.encode({"alg": "RS256", "kid": self.key_id}, claims, self.key)


def load(folder: Path, party: str) -> Issuer:
    """The installation's issuer; makes its key, readable by the owner of the folder only.

    Raises SettingsError when the key cannot be read, or can be read by others.
    """
    path = folder / KEY_FILE
    if not path.exists():
        _make(path)
    if path.stat().st_mode & OTHERS:
        raise SettingsError(f"{path} must be readable by its owner only: chmod 600 {path}")
    try:
        return Issuer(RSAKey.import_key(path.read_text("ascii")), party)
    except (JoseError, OSError, ValueError, TypeError):
        raise SettingsError(
            f"{path} is no private key; restore it, or remove it to make a new one."
        ) from None


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
