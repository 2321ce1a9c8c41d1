"""Checks a bearer token: who signed it, for whom, and whether it is valid now.

Every miss is the same NotSignedIn; the reason is for the operator's log only. Knows nothing of HTTP
headers or of what a subject may do.
"""

import hashlib
import json
import logging
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from glassfolio.errors import NotSignedIn

log = logging.getLogger(__name__)

ALGORITHMS = ["RS256"]
LONGEST_TOKEN = 4096
LEEWAY_SECONDS = 5
BELIEVED_SECONDS = 60
TOKENS_KEPT = 10_000
LONGEST_LIFE_SECONDS = 3600
SUBJECT = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in. subject: the issuer's name for the person. session: the sign-in it belongs to."""

    subject: str
    session: str
    expires: int


@dataclass(frozen=True)
class Verifier:
    """Accepts tokens of one issuer for the allowed parties.

    keys: key id -> public key.
    """

    issuer: str
    parties: frozenset[str]
    keys: Mapping[str, RSAKey]
    _verified: OrderedDict[bytes, tuple[Identity, float]] = field(default_factory=OrderedDict, repr=False)

    def verify(self, token: str, now: datetime) -> Identity:
        """The identity a token proves at `now`; once proved it is believed for a minute, or until it expires.

        Raises NotSignedIn.
        """
        moment, name = now.timestamp(), hashlib.sha256(token.encode()).digest()
        identity, since = self._verified.get(name, (None, 0.0))
        if identity is not None and since <= moment <= min(identity.expires, since + BELIEVED_SECONDS):
            return identity
        identity = self._prove(token, moment)
        self._verified[name] = (identity, moment)
        while len(self._verified) > TOKENS_KEPT:
            self._verified.popitem(last=False)
        return identity

    def _prove(self, token: str, moment: float) -> Identity:
        try:
            return self._verify(token, moment)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            log.info("token refused: %s", type(error).__name__)
            raise NotSignedIn from None

    def _verify(self, token: str, now: float) -> Identity:
        if len(token) > LONGEST_TOKEN or token.count(".") != 2:
            raise ValueError("shape")
        header = jws.extract_compact(token.encode()).headers()
        key_id = header.get("kid")
        if not isinstance(key_id, str) or "crit" in header:
            raise ValueError("header")
        signed = jws.deserialize_compact(token, self.keys[key_id], algorithms=ALGORITHMS)
        return self._accept(_claims(signed.payload), now)

    def _accept(self, claims: Mapping[str, Any], now: float) -> Identity:
        moments = [claims[name] for name in ("exp", "nbf", "iat")]
        if any(isinstance(m, bool) or not isinstance(m, int | float) for m in moments):
            raise ValueError("dates")
        expires, not_before, issued = moments
        subject, session = claims["sub"], claims.get("sid", "")
        if (
            claims["iss"] != self.issuer
            or claims["azp"] not in self.parties
            or not isinstance(subject, str)
            or not isinstance(session, str)
            or not SUBJECT.fullmatch(subject)
            or now > expires + LEEWAY_SECONDS
            or now < not_before - LEEWAY_SECONDS
            or now < issued - LEEWAY_SECONDS
            or expires - issued > LONGEST_LIFE_SECONDS
        ):
            raise ValueError("claims")
        return Identity(subject, session, int(expires))


def _claims(payload: bytes) -> Mapping[str, Any]:
    claims = json.loads(payload)
    if not isinstance(claims, dict):
        raise TypeError
    return claims
