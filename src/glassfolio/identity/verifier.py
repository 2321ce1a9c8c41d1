"""Checks a bearer token: who signed it, for whom, and whether it is valid now.

One verifier for the built-in issuer and for outside ones; they differ in keys and rules. Every miss is the
same NotSignedIn; the reason is for the operator's log only. Knows nothing of HTTP.
"""

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

from joserfc import jws
from joserfc.errors import JoseError

from glassfolio.errors import NotSignedIn
from glassfolio.identity.claims import Disbelieved, Identity, Rules, accept
from glassfolio.identity.keyset import LONGEST_KEY_ID, Keys

log = logging.getLogger(__name__)

# A constant: neither a token's header nor a key set has a say in it.
ALGORITHMS = ["RS256"]
# Headers beyond the standard ones are ignored; Clerk sends `cat`.
REGISTRY = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
LONGEST_TOKEN = 4096
BELIEVED_SECONDS = 60
TOKENS_KEPT = 10_000


class Verifier:
    """Accepts the tokens of one issuer.

    A token that was proved is believed for a minute, or until it expires or the keys change; a refusal is
    never remembered. kept: how many proved tokens are remembered; twice the simultaneous callers is plenty.
    """

    def __init__(self, rules: Rules, keys: Keys, kept: int = TOKENS_KEPT) -> None:
        self.rules, self.keys = rules, keys
        self._kept = kept
        self._proved: OrderedDict[bytes, tuple[Identity, float, float]] = OrderedDict()
        self._generation = keys.generation

    async def verify(self, token: str, now: datetime) -> Identity:
        """The identity a token proves at `now`. Raises NotSignedIn."""
        moment = now.timestamp()
        if self._generation != self.keys.generation:
            self._proved.clear()
            self._generation = self.keys.generation
        name = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        identity, since, until = self._proved.get(name, (None, 0.0, 0.0))
        if identity is not None and since <= moment < until:
            self._proved.move_to_end(name)
            return identity
        identity = await self._prove(token, moment)
        self._remember(name, identity, moment)
        return identity

    def _remember(self, name: bytes, identity: Identity, moment: float) -> None:
        self._proved[name] = (identity, moment, min(identity.expires, moment + BELIEVED_SECONDS))
        self._proved.move_to_end(name)
        while len(self._proved) > self._kept:
            self._proved.popitem(last=False)

    async def _prove(self, token: str, moment: float) -> Identity:
        if len(token) > LONGEST_TOKEN or token.count(".") != 2 or not token.isascii():
            refuse("shape")
        try:
            key = await self.keys.find(_key_id(token))
            if key is None:
                refuse("unknown key")
            signed = jws.deserialize_compact(token, key, registry=REGISTRY)
            return accept(_claims(signed.payload), self.rules, moment)
        except Disbelieved as error:
            refuse(str(error))
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            refuse(type(error).__name__)


def refuse(reason: str) -> NoReturn:
    """Refuse a token; the caller learns nothing of the reason."""
    log.info("token refused: %s", reason)
    raise NotSignedIn


def _key_id(token: str) -> str | None:
    header = jws.extract_compact(token.encode("ascii"), registry=REGISTRY).headers()
    key_id = header.get("kid")
    if "crit" in header or not (key_id is None or isinstance(key_id, str)):
        raise ValueError("header")
    if key_id is not None and len(key_id) > LONGEST_KEY_ID:
        raise ValueError("kid")
    return key_id


def _claims(payload: bytes) -> Mapping[str, Any]:
    claims = json.loads(payload)
    if not isinstance(claims, dict):
        raise TypeError("claims")
    return claims
