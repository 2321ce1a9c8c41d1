"""The key set of an outside issuer, whatever its server does: asked rarely, known keys never wait."""

import asyncio
import base64
import json
import socket
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import RSAKey

from glassfolio.errors import SettingsError
from glassfolio.identity.keyset import (
    COOLDOWN_SECONDS,
    DEAD_SECONDS,
    LARGEST_SET,
    RENEWAL_SECONDS,
    FixedKeys,
    KeySet,
    OneKey,
    keys_of,
)
from tests.fakes.issuer import Answer, FakeIssuer, public, some_key
from tests.identity.moments import SetClock

A_DAY = 24 * 3600
AWAY: Answer = (503, {}, b"")


@pytest.fixture
def fake() -> Iterator[FakeIssuer]:
    with FakeIssuer() as server:
        yield server


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def keys(fake: FakeIssuer, clock: SetClock) -> KeySet:
    return KeySet(fake.url, clock)


async def find_all(keys: KeySet, ids: list[str]) -> list[RSAKey | None]:
    return list(await asyncio.gather(*(keys.find(key_id) for key_id in ids)))


class TestTheBehaviourTable:
    def test_a_cold_start_with_200_requests_at_once_is_one_fetch_and_200_keys(
        self, fake: FakeIssuer, keys: KeySet
    ) -> None:
        fake.delay = 0.1
        found = asyncio.run(find_all(keys, ["one"] * 200))
        assert all(key is not None for key in found)
        assert fake.hits == 1

    def test_a_flood_of_unknown_ids_is_one_fetch_in_thirty_seconds(
        self, fake: FakeIssuer, keys: KeySet, clock: SetClock
    ) -> None:
        async def flood() -> None:
            await keys.find("one")
            assert await find_all(keys, [f"x{n}" for n in range(10_000)]) == [None] * 10_000
            assert fake.hits == 1
            clock.move(COOLDOWN_SECONDS - 1)
            await find_all(keys, [f"z{n}" for n in range(100)])
            assert fake.hits == 1
            clock.move(1)
            await find_all(keys, [f"y{n}" for n in range(1000)])
            assert fake.hits == 2

        asyncio.run(flood())

    def test_an_issuer_that_is_slow_keeps_nobody_with_a_known_key_waiting(
        self, fake: FakeIssuer, keys: KeySet, clock: SetClock
    ) -> None:
        """A known key comes without the event loop turning once."""

        async def under_a_flood() -> None:
            await keys.find("one")
            clock.move(COOLDOWN_SECONDS)
            fake.delay = 2.0
            flood = [asyncio.create_task(keys.find(f"x{n}")) for n in range(50)]
            await asyncio.sleep(0.1)
            waiting = keys.find("one")
            with pytest.raises(StopIteration) as done:
                waiting.send(None)
            assert done.value.value is not None
            assert not any(task.done() for task in flood)
            assert await asyncio.gather(*flood) == [None] * 50
            assert fake.hits == 2

        asyncio.run(under_a_flood())

    def test_with_the_issuer_away_old_keys_serve_for_a_day_and_then_none(
        self, fake: FakeIssuer, keys: KeySet, clock: SetClock
    ) -> None:
        async def outage() -> None:
            assert await keys.find("one") is not None
            fake.answer = lambda: AWAY
            clock.move(DEAD_SECONDS - 1)
            assert keys.alive()
            assert await keys.find("one") is not None
            assert fake.hits == 1
            clock.move(1)
            assert not keys.alive()
            assert await keys.find("one") is None
            fake.answer = None
            clock.move(COOLDOWN_SECONDS)
            assert await keys.find("one") is not None
            assert keys.alive()

        asyncio.run(outage())
        assert DEAD_SECONDS == A_DAY

    def test_the_cooldown_counts_attempts_and_not_successes(
        self, fake: FakeIssuer, keys: KeySet, clock: SetClock
    ) -> None:
        async def outage() -> None:
            await keys.find("one")
            fake.answer = lambda: AWAY
            clock.move(COOLDOWN_SECONDS)
            await find_all(keys, [f"x{n}" for n in range(1000)])
            assert fake.hits == 2
            for _second in range(int(COOLDOWN_SECONDS) - 1):
                clock.move(1)
                await find_all(keys, ["x1", "x2"])
            assert fake.hits == 2

        asyncio.run(outage())

    def test_a_withdrawn_key_goes_with_the_next_fetch_and_a_new_one_comes(
        self, fake: FakeIssuer, keys: KeySet, clock: SetClock
    ) -> None:
        async def rotation() -> None:
            await keys.find("one")
            before = keys.generation
            fake.keys = {"two": some_key(1)}
            assert await keys.find("two") is None
            clock.move(COOLDOWN_SECONDS)
            assert await keys.find("two") is not None
            assert await keys.find("one") is None
            assert keys.generation == before + 1

        asyncio.run(rotation())

    def test_another_key_under_the_same_id_is_a_change(
        self, fake: FakeIssuer, keys: KeySet, clock: SetClock
    ) -> None:
        async def exchange() -> None:
            await keys.find("one")
            first = keys.generation
            clock.move(COOLDOWN_SECONDS)
            await keys.find("x")
            assert keys.generation == first
            fake.keys = {"one": some_key(1)}
            clock.move(COOLDOWN_SECONDS)
            await keys.find("x")
            assert keys.generation == first + 1
            found = await keys.find("one")
            assert found is not None
            assert found.thumbprint() == some_key(1).thumbprint()

        asyncio.run(exchange())

    def test_a_fetch_that_somebody_gave_up_waiting_for_goes_on_for_the_others(
        self, fake: FakeIssuer, keys: KeySet
    ) -> None:
        async def impatient() -> None:
            fake.delay = 0.2
            first = asyncio.create_task(keys.find("one"))
            second = asyncio.create_task(keys.find("one"))
            await asyncio.sleep(0.05)
            first.cancel()
            assert await second is not None

        asyncio.run(impatient())
        assert fake.hits == 1

    def test_a_clock_that_was_set_back_neither_locks_out_nor_keeps_keys_alive_for_ever(
        self, fake: FakeIssuer, keys: KeySet, clock: SetClock
    ) -> None:
        async def step_back() -> None:
            assert await keys.find("one") is not None
            clock.move(-3600)
            assert await keys.find("one") is not None
            fake.keys = {"two": some_key(1)}
            clock.move(COOLDOWN_SECONDS)
            assert await keys.find("two") is not None

        asyncio.run(step_back())


class TestRenewal:
    def test_the_set_is_fetched_at_the_start_and_about_every_hour(
        self, fake: FakeIssuer, clock: SetClock
    ) -> None:
        keys = KeySet(fake.url, clock, look_seconds=0.005)

        async def watch() -> None:
            renewing = asyncio.create_task(keys.keep_fresh())
            await _until(lambda: keys.alive())
            assert fake.hits == 1
            clock.move(RENEWAL_SECONDS * 0.9 - 1)
            await asyncio.sleep(0.05)
            assert fake.hits == 1
            clock.move(RENEWAL_SECONDS * 0.1 + 1)
            await _until(lambda: fake.hits == 2)
            renewing.cancel()

        asyncio.run(watch())
        assert RENEWAL_SECONDS == 3600

    def test_an_issuer_that_is_away_is_tried_again_after_the_cooldown(
        self, fake: FakeIssuer, clock: SetClock
    ) -> None:
        fake.answer = lambda: AWAY
        keys = KeySet(fake.url, clock, look_seconds=0.005)

        async def watch() -> None:
            renewing = asyncio.create_task(keys.keep_fresh())
            await _until(lambda: fake.hits == 1)
            await asyncio.sleep(0.05)
            assert fake.hits == 1
            assert not keys.alive()
            fake.answer = None
            clock.move(COOLDOWN_SECONDS)
            await _until(lambda: keys.alive())
            assert fake.hits == 2
            renewing.cancel()

        asyncio.run(watch())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


BAD_ANSWERS: dict[str, Answer] = {
    "redirect": (302, {"Location": "/elsewhere.json"}, b""),
    "server error": (500, {}, b""),
    "created": (201, {}, FakeIssuer.set_of({"one": some_key()})[2]),
    "oversized": (200, {}, json.dumps({"keys": [], "pad": "x" * LARGEST_SET}).encode()),
    "oversized but a set": (
        200,
        {},
        json.dumps({"keys": [public(some_key(), "one")], "pad": "x" * LARGEST_SET}).encode(),
    ),
    "too many keys": FakeIssuer.set_of({f"k{n}": some_key() for n in range(16)} | {"one": some_key()}),
    "no json": (200, {}, b"<html>"),
    "a list": (200, {}, b"[]"),
    "no keys": (200, {}, b"{}"),
    "keys that are no list": (200, {}, b'{"keys": {}}'),
    "an empty set": (200, {}, b'{"keys": []}'),
    "deeply nested": (200, {}, b"[" * 60_000),
    "not unicode": (200, {}, b'{"keys": "\xff"}'),
    "compressed": (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_an_answer_that_is_no_key_set_changes_nothing(
    fake: FakeIssuer, keys: KeySet, clock: SetClock, case: str
) -> None:
    async def ask() -> None:
        fake.answer = lambda: BAD_ANSWERS[case]
        assert await keys.find("one") is None
        assert not keys.alive()
        fake.answer = None
        clock.move(COOLDOWN_SECONDS)
        assert await keys.find("one") is not None
        fake.answer = lambda: BAD_ANSWERS[case]
        clock.move(COOLDOWN_SECONDS)
        assert await keys.find("x") is None
        assert await keys.find("one") is not None

    asyncio.run(ask())
    assert "/elsewhere.json" not in fake.seen


def test_a_set_of_the_largest_size_and_sixteen_keys_are_taken(fake: FakeIssuer, keys: KeySet) -> None:
    listed = [public(some_key(), f"k{n}", pad="") for n in range(16)]
    room = LARGEST_SET - len(json.dumps({"keys": listed}))
    listed[0]["pad"] = "x" * room
    body = json.dumps({"keys": listed}).encode()
    assert len(body) == LARGEST_SET == 65_536
    fake.answer = lambda: (200, {}, body)
    assert asyncio.run(keys.find("k15")) is not None


def test_a_server_that_dribbles_is_given_up_after_three_seconds(
    fake: FakeIssuer, keys: KeySet, caplog: pytest.LogCaptureFixture
) -> None:
    fake.delay = 3.5
    assert asyncio.run(keys.find("one")) is None
    assert "key set not fetched" in caplog.text


def test_a_server_that_is_not_there_is_no_error(clock: SetClock) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        keys = KeySet(f"http://127.0.0.1:{taken.getsockname()[1]}/", clock)
        assert asyncio.run(keys.find("one")) is None


@pytest.mark.parametrize(
    "url",
    ["http://issuer.example.com/jwks", "ftp://localhost/x", "/jwks", "", "https://", "file:///etc/passwd"],
)
def test_only_https_is_fetched_or_http_on_loopback(clock: SetClock, url: str) -> None:
    with pytest.raises(SettingsError, match="JWKS_URL"):
        KeySet(url, clock)


@pytest.mark.parametrize("url", ["https://issuer.example.com/x", "http://localhost:1/x", "http://[::1]:1/x"])
def test_such_addresses_are_fine(clock: SetClock, url: str) -> None:
    KeySet(url, clock)


def set_with(*items: object) -> bytes:
    return json.dumps({"keys": [*items, public(some_key(), "good")]}).encode()


def elliptic() -> dict[str, str]:
    numbers = generate_private_key(SECP256R1()).public_key().public_numbers()
    x, y = (
        base64.urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode()
        for value in (numbers.x, numbers.y)
    )
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "bad", "use": "sig"}


def small() -> dict[str, str]:
    """A key of 2,047 bits."""
    modulus = (1 << 2046) + 1
    n = base64.urlsafe_b64encode(modulus.to_bytes(256, "big")).rstrip(b"=").decode()
    return {"kty": "RSA", "n": n, "e": "AQAB", "kid": "bad"}


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(elliptic(), id="elliptic"),
        pytest.param({"kty": "oct", "k": "c2VjcmV0", "kid": "bad"}, id="secret"),
        pytest.param(small(), id="too small"),
        pytest.param(public(some_key(), "bad", use="enc"), id="for encryption"),
        pytest.param(public(some_key(), "bad", alg="PS256"), id="for another algorithm"),
        pytest.param(public(some_key(), "bad", alg="HS256"), id="said to be a secret"),
        pytest.param(public(some_key(), "x" * 129), id="id too long"),
        pytest.param(public(some_key(), ""), id="empty id"),
        pytest.param(public(some_key(), "bad") | {"kid": 7}, id="id a number"),
        pytest.param(public(some_key(), "bad") | {"kid": None}, id="no id"),
        pytest.param(public(some_key(), "bad", n=7), id="modulus a number"),
        pytest.param(public(some_key(), "bad", n="!"), id="modulus no base64"),
        pytest.param(public(some_key(), "bad", n="é" * 400), id="modulus not ASCII"),
        pytest.param(public(some_key(), "bad", e=None), id="no exponent"),
        pytest.param(public(some_key(), "bad", n=None), id="no modulus"),
        pytest.param(public(some_key(), "bad", e="AA"), id="exponent zero"),
        pytest.param("bad", id="text"),
        pytest.param(None, id="null"),
    ],
)
def test_a_key_that_is_not_for_checking_rs256_is_left_out(item: object) -> None:
    assert list(keys_of(set_with(item))) == ["good"]


def test_a_key_needs_no_purpose_and_no_algorithm_but_an_id_of_up_to_128_characters() -> None:
    item = public(some_key(), "x" * 128, use=None, alg=None)
    assert "x" * 128 in keys_of(set_with(item))


def test_a_private_key_in_a_set_is_used_as_a_public_one() -> None:
    item = some_key().as_dict(private=True) | {"kid": "leaked"}
    assert not keys_of(set_with(item))["leaked"].is_private


def pem_of(key: EllipticCurvePublicKey | RSAPublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class TestOneKey:
    def test_a_pem_serves_any_id_and_lines_may_be_written_in_one(self) -> None:
        pem = some_key().as_pem(private=False).decode()
        for text in (pem, pem.replace("\n", "\\n"), f"  {pem}\n"):
            keys = OneKey(text)
            for key_id in ("anything", None):
                found = asyncio.run(keys.find(key_id))
                assert found is not None
                assert found.thumbprint() == some_key().thumbprint()
            assert keys.alive()
            asyncio.run(keys.keep_fresh())

    @pytest.mark.parametrize(
        "pem",
        [
            pytest.param("nonsense", id="nonsense"),
            pytest.param("", id="empty"),
            pytest.param(some_key().as_pem(private=True).decode(), id="private"),
            pytest.param(pem_of(generate_private_key(SECP256R1()).public_key()), id="elliptic"),
            pytest.param(pem_of(RSAPublicNumbers(65537, (1 << 2046) + 1).public_key()), id="2,047 bits"),
        ],
    )
    def test_anything_but_a_large_public_rsa_key_is_refused(self, pem: str) -> None:
        with pytest.raises(SettingsError, match="JWT_PUBLIC_KEY"):
            OneKey(pem)


def test_fixed_keys_are_found_by_their_id_only() -> None:
    keys = FixedKeys({"one": some_key()})
    assert asyncio.run(keys.find("one")) is some_key()
    assert asyncio.run(keys.find("two")) is None
    assert asyncio.run(keys.find(None)) is None
    assert keys.alive()
