"""S2: one verifier for every issuer: signatures, headers, and what is remembered of a proved token."""

import asyncio
import base64
import hmac
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from joserfc.jwk import RSAKey

from glassfolio.errors import NotSignedIn
from glassfolio.identity.claims import Identity, outside_rules
from glassfolio.identity.keyset import COOLDOWN_SECONDS, FixedKeys, KeySet, OneKey
from glassfolio.identity.verifier import BELIEVED_SECONDS, Verifier
from tests.fakes.issuer import FakeIssuer, some_key
from tests.identity.moments import SetClock

CLOCK = SetClock()
NOW = CLOCK.seconds
FAKE = FakeIssuer()


@pytest.fixture(autouse=True, scope="module")
def _closed() -> Iterator[None]:
    yield
    FAKE._server.server_close()


class CountingKeys(FixedKeys):
    """Fixed keys that count how often they are looked up, which is once for each token that is checked."""

    def __init__(self) -> None:
        super().__init__({"one": some_key()})
        self.lookups: list[str | None] = []

    async def find(self, key_id: str | None) -> RSAKey | None:
        self.lookups.append(key_id)
        return await super().find(key_id)


def make(keys: Any = None, kept: int = 10_000) -> Verifier:
    parties = frozenset({"https://app.example.com"})
    rules = outside_rules(FAKE.issuer, parties, allow_missing_party=False, audience=None)
    return Verifier(rules, keys or CountingKeys(), kept)


def verify(verifier: Verifier, token: str, now: float = NOW) -> Identity:
    return asyncio.run(verifier.verify(token, datetime.fromtimestamp(now, UTC)))


def is_refused(verifier: Verifier, token: str, now: float = NOW) -> bool:
    try:
        verify(verifier, token, now)
    except NotSignedIn:
        return True
    return False


def piece(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def private() -> RSAPrivateKey:
    key = some_key().private_key
    assert key is not None
    return key


def signed(header: object, body: object, digest: SHA256 | SHA512 | None = None) -> str:
    """A token with any header, with a good RS256 signature unless another digest is given."""
    text = f"{piece(header)}.{piece(body)}"
    return f"{text}.{piece(private().sign(text.encode(), PKCS1v15(), digest or SHA256()))}"


HEADER = {"alg": "RS256", "kid": "one"}


def test_a_token_as_clerk_makes_them_is_accepted() -> None:
    """Its header has a member `cat` that no standard knows."""
    token = FAKE.token(NOW)
    assert b"cat" in base64.urlsafe_b64decode(token.split(".")[0] + "==")
    assert verify(make(), token) == Identity("user_2abcDEF", "sess_2abcDEF", int(NOW) + 60)


def none_algorithm() -> str:
    return f"{piece({'alg': 'none', 'kid': 'one'})}.{piece(FAKE.claims(NOW))}."


def none_with_a_signature() -> str:
    return signed({"alg": "none", "kid": "one"}, FAKE.claims(NOW))


def hmac_with_the_public_pem() -> str:
    text = f"{piece({'alg': 'HS256', 'kid': 'one'})}.{piece(FAKE.claims(NOW))}"
    return f"{text}.{piece(hmac.digest(some_key().as_pem(private=False), text.encode(), 'sha256'))}"


def tampered() -> str:
    head, _body, signature = FAKE.token(NOW).split(".")
    return f"{head}.{piece(FAKE.claims(NOW, sub='user_other'))}.{signature}"


def swapped_key_id() -> str:
    """Signed by one of the set's keys, under another's id."""
    return FAKE.token(NOW, key_id="one", key=some_key(1))


def with_its_own_key() -> str:
    header = {"alg": "RS256", "kid": "one", "jwk": some_key(1).as_dict(private=False)}
    text = f"{piece(header)}.{piece(FAKE.claims(NOW))}"
    key = some_key(1).private_key
    assert key is not None
    return f"{text}.{piece(key.sign(text.encode(), PKCS1v15(), SHA256()))}"


REFUSED: dict[str, Callable[[], str]] = {
    "alg none": none_algorithm,
    "alg none with a signature": none_with_a_signature,
    "HS256 with the public PEM": hmac_with_the_public_pem,
    "RS512": lambda: signed({"alg": "RS512", "kid": "one"}, FAKE.claims(NOW), SHA512()),
    "no alg": lambda: signed({"kid": "one"}, FAKE.claims(NOW)),
    "alg a list": lambda: signed({"alg": ["RS256"], "kid": "one"}, FAKE.claims(NOW)),
    "tampered": tampered,
    "swapped key id": swapped_key_id,
    "its own key in the header": with_its_own_key,
    "unknown key id": lambda: FAKE.token(NOW, key_id="two", key=some_key()),
    "no key id": lambda: signed({"alg": "RS256"}, FAKE.claims(NOW)),
    "key id a number": lambda: signed({"alg": "RS256", "kid": 1}, FAKE.claims(NOW)),
    "key id a list": lambda: signed({"alg": "RS256", "kid": ["one"]}, FAKE.claims(NOW)),
    "crit": lambda: signed({**HEADER, "crit": ["b64"], "b64": True}, FAKE.claims(NOW)),
    "crit of something unknown": lambda: signed({**HEADER, "crit": ["x"], "x": 1}, FAKE.claims(NOW)),
    "empty crit": lambda: signed({**HEADER, "crit": []}, FAKE.claims(NOW)),
    "crit null": lambda: signed({**HEADER, "crit": None}, FAKE.claims(NOW)),
    "header no object": lambda: signed(["RS256"], FAKE.claims(NOW)),
    "header deeply nested": lambda: f"{piece(b'[' * 2900)}.{piece({})}.x",
    "payload no object": lambda: signed(HEADER, ["x"]),
    "payload text": lambda: signed(HEADER, "x"),
    "payload no JSON": lambda: signed(HEADER, b"x"),
    "payload not unicode": lambda: signed(HEADER, b'{"iss":"\xff"}'),
    "payload deeply nested": lambda: signed(HEADER, b"[" * 2000),
    "date as Infinity": lambda: signed(HEADER, json.dumps(FAKE.claims(NOW) | {"exp": float("inf")}).encode()),
    "no signature": lambda: ".".join([*FAKE.token(NOW).split(".")[:2], ""]),
    "two parts": lambda: ".".join(FAKE.token(NOW).split(".")[:2]),
    "four parts": lambda: FAKE.token(NOW) + ".x",
    "five parts": lambda: "a.b.c.d.e",
    "empty": lambda: "",
    "dots": lambda: "..",
    "not ASCII": lambda: "é.é.é",
    "a lone surrogate": lambda: "\udcff.a.b",
    "padded": lambda: FAKE.token(NOW) + "=",
    "expired": lambda: FAKE.token(NOW - 70),
    "wrong party": lambda: FAKE.token(NOW, azp="https://evil.example"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_hold_is_refused_and_never_remembered(case: str) -> None:
    verifier, token = make(), REFUSED[case]()
    assert is_refused(verifier, token)
    assert is_refused(verifier, token)
    assert not verifier._proved


def test_a_refusal_says_why_in_the_operators_log_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reasons = {}
    for case, bad in REFUSED.items():
        caplog.clear()
        with pytest.raises(NotSignedIn) as refused:
            verify(make(), bad())
        assert str(refused.value) == str(NotSignedIn())
        (record,) = caplog.records
        reasons[case] = record.getMessage()
        assert "user_" not in record.getMessage()
    assert len(set(reasons.values())) > 8
    assert reasons["wrong party"] == "token refused: azp"


@pytest.mark.parametrize(("length", "accepted"), [(4096, True), (4097, False)])
def test_a_token_has_up_to_4096_characters(length: int, accepted: bool) -> None:
    """Three characters carry four of base64, so the header's padding is tried until the length fits."""
    for more in range(3):
        header = {**HEADER, "typ": "J" * (1 + more)}
        bare = len(signed(header, FAKE.claims(NOW, pad="")))
        for pad in range((length - bare) * 3 // 4 - 8, (length - bare) * 3 // 4 + 9):
            token = signed(header, FAKE.claims(NOW, pad="x" * pad))
            if len(token) == length:
                keys = CountingKeys()
                assert is_refused(make(keys), token) is not accepted
                assert bool(keys.lookups) is accepted
                return
    raise AssertionError("no token of this length")


@pytest.mark.parametrize(("length", "looked_up"), [(128, True), (129, False)])
def test_a_key_id_has_up_to_128_characters(length: int, looked_up: bool) -> None:
    keys = CountingKeys()
    assert is_refused(make(keys), signed({"alg": "RS256", "kid": "x" * length}, FAKE.claims(NOW)))
    assert bool(keys.lookups) is looked_up


def test_a_bad_signature_under_a_known_id_fetches_nothing_and_keeps_the_key() -> None:
    with FakeIssuer() as server:
        clock = SetClock()
        keys = KeySet(server.url, clock)
        verifier = make(keys)

        async def ask() -> None:
            await verifier.verify(FAKE.token(NOW), clock.now())
            clock.move(COOLDOWN_SECONDS)
            for _try in range(200):
                with pytest.raises(NotSignedIn):
                    await verifier.verify(swapped_key_id(), clock.now())
            assert server.hits == 1
            assert (await verifier.verify(FAKE.token(NOW, jti="2"), clock.now())).subject

        asyncio.run(ask())


def test_a_public_pem_serves_tokens_with_any_key_id_or_none() -> None:
    verifier = make(OneKey(some_key().as_pem(private=False).decode()))
    assert verify(verifier, FAKE.token(NOW))
    assert verify(verifier, signed({"alg": "RS256"}, FAKE.claims(NOW)))
    assert verify(verifier, signed({"alg": "RS256", "kid": "else"}, FAKE.claims(NOW)))
    for bad in (swapped_key_id, none_algorithm, hmac_with_the_public_pem, REFUSED["crit"]):
        assert is_refused(verifier, bad())


class TestRemembering:
    def test_a_proved_token_is_not_checked_again_for_a_minute(self) -> None:
        keys = CountingKeys()
        verifier, token = make(keys), FAKE.token(NOW, exp=int(NOW) + 300)
        proved = verify(verifier, token, NOW)
        for moment in (1, BELIEVED_SECONDS - 0.001):
            assert verify(verifier, token, NOW + moment) == proved
        assert len(keys.lookups) == 1
        verify(verifier, token, NOW + BELIEVED_SECONDS)
        assert len(keys.lookups) == 2
        assert BELIEVED_SECONDS == 60

    def test_it_is_checked_again_when_it_expires(self) -> None:
        keys = CountingKeys()
        verifier, token = make(keys), FAKE.token(NOW, exp=int(NOW) + 30)
        verify(verifier, token)
        verify(verifier, token, NOW + 29)
        assert len(keys.lookups) == 1
        verify(verifier, token, NOW + 30)
        assert len(keys.lookups) == 2
        assert is_refused(verifier, token, NOW + 36)

    def test_it_is_checked_again_when_the_clock_was_set_back(self) -> None:
        keys = CountingKeys()
        verifier, token = make(keys), FAKE.token(NOW)
        verify(verifier, token)
        assert is_refused(verifier, token, NOW - 60)
        assert len(keys.lookups) == 2

    def test_nothing_is_remembered_across_a_change_of_keys(self) -> None:
        keys = CountingKeys()
        verifier, token = make(keys), FAKE.token(NOW)
        verify(verifier, token)
        keys.generation += 1
        verify(verifier, token)
        verify(verifier, token)
        assert len(keys.lookups) == 2
        keys.generation += 1
        keys._keys.clear()
        assert is_refused(verifier, token)

    def test_a_token_proved_while_the_keys_changed_is_checked_again(self) -> None:
        class ChangingKeys(CountingKeys):
            async def find(self, key_id: str | None) -> RSAKey | None:
                found = await super().find(key_id)
                self.generation += 1
                return found

        keys = ChangingKeys()
        verifier, token = make(keys), FAKE.token(NOW)
        verify(verifier, token)
        verify(verifier, token)
        assert len(keys.lookups) == 2

    def test_the_least_recently_used_goes_first(self) -> None:
        keys = CountingKeys()
        verifier = make(keys, kept=2)
        first, second, third = (FAKE.token(NOW, jti=str(n)) for n in range(3))
        for token in (first, second, first, third):
            verify(verifier, token)
        assert len(keys.lookups) == 3
        verify(verifier, first)
        verify(verifier, third)
        assert len(keys.lookups) == 3
        verify(verifier, second)
        assert len(keys.lookups) == 4

    def test_one_that_was_proved_again_counts_as_used(self) -> None:
        keys = CountingKeys()
        verifier = make(keys, kept=2)
        first, second, third = (FAKE.token(NOW, jti=str(n), exp=int(NOW) + 300) for n in range(3))
        verify(verifier, first)
        later = NOW + BELIEVED_SECONDS
        for token in (second, first, third, first):
            verify(verifier, token, later)
        assert len(keys.lookups) == 4

    def test_ten_thousand_are_kept_unless_told_otherwise(self) -> None:
        assert Verifier(make().rules, CountingKeys())._kept == 10_000
