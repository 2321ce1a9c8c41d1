"""Public keys that tokens are checked with: fixed ones, or an outside issuer's key set, kept and renewed.

The set is fetched at the start and every hour; an unknown key id may cause a fetch, at most one attempt
in thirty seconds. A known key never waits. Old keys serve while the issuer is away, for a day, and then none.

Lives on one event loop. Knows nothing of tokens.
"""

import asyncio
import base64
import json
import logging
import math
import random
import ssl
import warnings
from collections.abc import Mapping
from typing import Any, Protocol

import httpx
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import RSAKey

from glassfolio.clock import Clock
from glassfolio.errors import SettingsError
from glassfolio.identity.origin import is_confidential

log = logging.getLogger(__name__)

FETCH_SECONDS = 3.0
COOLDOWN_SECONDS = 30.0
RENEWAL_SECONDS = 3600.0
JITTER = 0.1
DEAD_SECONDS = 24 * 3600.0
LARGEST_SET = 64 * 1024
MOST_KEYS = 16
LONGEST_KEY_ID = 128
LEAST_BITS = 2048
LOOK_SECONDS = 5.0
NEVER = -math.inf


class Keys(Protocol):
    """Where the verifier finds keys. generation: rises with every change of the keys."""

    generation: int

    async def find(self, key_id: str | None) -> RSAKey | None:
        """The key of a token's header; None when there is none that may be used."""
        ...

    def alive(self) -> bool:
        """Whether there are keys to check tokens with."""
        ...

    async def keep_fresh(self) -> None:
        """Renew the keys for as long as the process serves."""
        ...


class FixedKeys:
    """Keys that never change, by id."""

    def __init__(self, keys: Mapping[str, RSAKey]) -> None:
        self.generation = 0
        self._keys = dict(keys)

    async def find(self, key_id: str | None) -> RSAKey | None:
        """The key with this id."""
        return None if key_id is None else self._keys.get(key_id)

    def alive(self) -> bool:
        """Always."""
        return True

    async def keep_fresh(self) -> None:
        """There is nothing to renew."""


class OneKey:
    """The one key of an issuer without a key set, whatever id a token names."""

    def __init__(self, pem: str) -> None:
        self.generation = 0
        self._key = _public_key(pem)

    async def find(self, _key_id: str | None) -> RSAKey | None:
        """The key."""
        return self._key

    def alive(self) -> bool:
        """Always."""
        return True

    async def keep_fresh(self) -> None:
        """There is nothing to renew."""


def _public_key(pem: str) -> RSAKey:
    try:
        with warnings.catch_warnings():
            # The size is checked below, with our own words.
            warnings.simplefilter("ignore", SecurityWarning)
            key = RSAKey.import_key(pem.replace("\\n", "\n").strip())
    except (JoseError, ValueError, TypeError):
        raise SettingsError("GLASSFOLIO_JWT_PUBLIC_KEY is no RSA public key in PEM form.") from None
    if key.is_private or key.public_key.key_size < LEAST_BITS:
        raise SettingsError(f"GLASSFOLIO_JWT_PUBLIC_KEY must be a public key of {LEAST_BITS} bits or more.")
    return key


class KeySet:
    """An issuer's key set (JWKS) at an address, by https or on loopback. Raises SettingsError for others."""

    def __init__(self, url: str, clock: Clock, look_seconds: float = LOOK_SECONDS) -> None:
        if not is_confidential(url):
            raise SettingsError("GLASSFOLIO_JWKS_URL must begin with https:// (http:// on loopback only).")
        self.generation = 0
        self._url, self._clock, self._look_seconds = url, clock, look_seconds
        self._keys: dict[str, RSAKey] = {}
        self._fetched = self._attempted = NEVER
        self._renew_after = RENEWAL_SECONDS
        self._fetching: asyncio.Task[None] | None = None
        self._tls: ssl.SSLContext | None = None

    async def find(self, key_id: str | None) -> RSAKey | None:
        """The key with this id; a known one at once, for an unknown one the set may be fetched again."""
        if key_id is None:
            return None
        key = self._usable(key_id)
        if key is None:
            await self._fetch_unless_tried()
            key = self._usable(key_id)
        return key

    def alive(self) -> bool:
        """Whether the keys were confirmed by the issuer within the last day."""
        return self._now() - self._fetched < DEAD_SECONDS

    async def keep_fresh(self) -> None:
        """Fetch at once and then whenever it is time, until cancelled."""
        while True:
            if self._now() - self._fetched >= self._renew_after:
                await self._fetch_unless_tried()
            await asyncio.sleep(self._look_seconds)

    def _usable(self, key_id: str) -> RSAKey | None:
        return self._keys.get(key_id) if self.alive() else None

    def _now(self) -> float:
        """Seconds since 1970. What lies ahead of it was noted before the clock was set back, so just now."""
        now = self._clock.now().timestamp()
        self._fetched, self._attempted = min(self._fetched, now), min(self._attempted, now)
        return now

    async def _fetch_unless_tried(self) -> None:
        """Join the fetch under way, or begin one unless the last attempt was a moment ago."""
        if self._fetching is None:
            now = self._now()
            if now - self._attempted < COOLDOWN_SECONDS:
                return
            self._attempted = now
            self._fetching = asyncio.create_task(self._fetch())
        # Whoever gives up waiting must not take the fetch away from the others.
        await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                keys = keys_of(await self._download())
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError) as error:
            log.warning("key set not fetched: %s", type(error).__name__)
        else:
            if keys.keys() != self._keys.keys() or any(
                keys[name].thumbprint() != self._keys[name].thumbprint() for name in keys
            ):
                self.generation += 1
                self._keys = keys
            self._fetched = self._clock.now().timestamp()
            self._renew_after = RENEWAL_SECONDS * random.uniform(1 - JITTER, 1)  # noqa: S311
        finally:
            self._fetching = None

    async def _download(self) -> bytes:
        if self._tls is None:
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with (
            httpx.AsyncClient(verify=self._tls, timeout=FETCH_SECONDS, follow_redirects=False) as client,
            client.stream("GET", self._url, headers=headers) as reply,
        ):
            if reply.status_code != 200:
                raise ValueError(f"status {reply.status_code}")
            body = b""
            # Raw pieces: a compressed body would have to be unpacked before it could be measured.
            async for piece in reply.aiter_raw():
                body += piece
                if len(body) > LARGEST_SET:
                    raise ValueError("too large")
            return body


def keys_of(body: bytes) -> dict[str, RSAKey]:
    """The keys of a key set that signatures may be checked with, by id.

    Raises ValueError when it is no key set, holds more than sixteen keys, or none that can be used.
    """
    whole = json.loads(body)
    listed = whole.get("keys") if isinstance(whole, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise ValueError("no key set")
    found = {key_id: key for item in listed for key_id, key in _usable_key(item)}
    if not found:
        raise ValueError("no usable key")
    return found


def _usable_key(item: Any) -> list[tuple[str, RSAKey]]:
    """One key of a set with its id, or nothing when it is not for checking RS256 signatures."""
    if not isinstance(item, dict) or item.get("kty") != "RSA":
        return []
    key_id, purpose, algorithm = item.get("kid"), item.get("use", "sig"), item.get("alg", "RS256")
    if not isinstance(key_id, str) or not 1 <= len(key_id) <= LONGEST_KEY_ID:
        return []
    if purpose != "sig" or algorithm != "RS256":
        return []
    try:
        if _bits(item["n"]) < LEAST_BITS:
            return []
        return [(key_id, RSAKey.import_key({"kty": "RSA", "n": item["n"], "e": item["e"]}))]
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return []


def _bits(modulus: str) -> int:
    """The size of a key, before anything is computed with it."""
    raw = base64.urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))
    return int.from_bytes(raw, "big").bit_length()
