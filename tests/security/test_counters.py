"""The counters behind the limits: what the library must go on doing, and places taken and given back."""

import threading
import time
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_network
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits.storage import MemoryStorage

from glassfolio.errors import ServiceFull, SettingsError, TooManyRequests
from glassfolio.settings import load
from glassfolio.web.limits import (
    Limits,
    Policy,
    QuietStorage,
    RouteClass,
    Streams,
    address_key,
    policies,
)
from tests.security.wall import Wall, standing_still


@pytest.fixture
def wall() -> Iterator[Wall]:
    with pytest.MonkeyPatch.context() as patch:
        yield standing_still(patch)


class Watched(QuietStorage):
    """Counts its walks over all counters."""

    walks = 0

    def _MemoryStorage__expire_events(self) -> None:
        self.walks += 1
        super()._MemoryStorage__expire_events()  # type: ignore[misc]


class TestQuietStorage:
    def test_the_library_still_asks_for_a_walk_by_the_name_that_is_overridden(self) -> None:
        asked = []

        class Asked(MemoryStorage):
            def _MemoryStorage__schedule_expiry(self) -> None:
                asked.append(1)

        storage = Asked()
        storage.acquire_sliding_window_entry("key", 5, 5)
        assert asked == [1]
        assert callable(storage._MemoryStorage__expire_events)  # type: ignore[attr-defined]

    def test_many_hits_are_one_walk_in_the_thread_that_counts(self, wall: Wall) -> None:
        """The library alone starts a thread after a hit, a hundred times a second."""
        storage = Watched()
        storage.timer.join()
        before = (storage.walks, threading.active_count())
        for number in range(500):
            assert storage.acquire_sliding_window_entry(f"key {number}", 5, 3600)
        assert storage.walks == before[0] + 1
        assert storage._next_walk <= time.monotonic() + 1
        assert threading.active_count() == before[1]
        assert not storage.timer.is_alive()

    def test_what_has_expired_is_forgotten(self, wall: Wall) -> None:
        storage = QuietStorage()
        for number in range(100):
            storage.acquire_sliding_window_entry(f"key {number}", 5, 5)
        assert len(storage.storage) == 100
        wall.move(11)
        storage._next_walk = 0.0
        storage.acquire_sliding_window_entry("another", 5, 5)
        assert set(storage.storage) == set(storage.expirations)
        assert len(storage.storage) == 1

    def test_a_walk_that_takes_long_comes_more_seldom(self) -> None:
        class Slow(QuietStorage):
            def _MemoryStorage__expire_events(self) -> None:
                time.sleep(0.03)

        storage, before = Slow(), time.monotonic()
        storage.incr("one", 5)
        assert storage._next_walk >= before + 0.03 / 0.02


class TestStreams:
    def test_three_of_a_portfolio_ten_of_a_caller(self) -> None:
        streams = Streams()
        for number in range(10):
            streams.open("alice", f"portfolio {number // 3}")
        with pytest.raises(TooManyRequests) as refused:
            streams.open("alice", "portfolio 9")
        assert (refused.value.policy, refused.value.retry_after) == ("streams-open", 5)
        with pytest.raises(TooManyRequests):
            streams.open("alice", "portfolio 0")
        streams.open("bob", "portfolio 0")
        assert streams.open_now == 11

    def test_a_place_given_back_is_free_again(self) -> None:
        streams = Streams()
        for _ in range(3):
            streams.open("alice", "p")
        with pytest.raises(TooManyRequests):
            streams.open("alice", "p")
        streams.close("alice", "p")
        streams.open("alice", "p")
        for _ in range(3):
            streams.close("alice", "p")
        assert streams.open_now == 0
        assert not streams._of_portfolio

    def test_a_full_process_is_full_for_everybody(self) -> None:
        streams = Streams(most=2)
        streams.open("alice", "p")
        streams.open("bob", "q")
        with pytest.raises(ServiceFull):
            streams.open("carol", "r")
        streams.close("bob", "q")
        streams.open("carol", "r")

    def test_the_process_holds_five_thousand(self) -> None:
        streams = Streams()
        for number in range(5000):
            streams.open(f"user {number}", "p")
        with pytest.raises(ServiceFull):
            streams.open("one more", "p")


class TestUploads:
    def test_the_place_is_given_back_when_the_upload_fails(self) -> None:
        limits = Limits.none()
        with pytest.raises(ValueError, match="bad"), limits.uploading("alice"):
            raise ValueError("bad")
        with limits.uploading("alice"), limits.uploading("bob"):
            with pytest.raises(TooManyRequests) as refused, limits.uploading("alice"):
                pass
            assert (refused.value.policy, refused.value.retry_after) == ("upload-in-flight", 1)
            assert refused.value.window == 0
        with limits.uploading("alice"):
            pass


class TestPolicies:
    def test_the_defaults_are_those_that_are_published(self) -> None:
        made = policies((1, 5), (30, 200))
        told = {of: [(p.name, p.quota, p.window, p.each) for p in found] for of, found in made.items()}
        assert told == {
            RouteClass.STATUS: [("status", 5, 5, True), ("status-all", 20, 4, False)],
            RouteClass.STREAM: [("stream", 6, 60, True)],
            RouteClass.UPLOAD: [("upload-minute", 30, 60, False), ("upload-hour", 200, 3600, False)],
            RouteClass.DRY_RUN: [("dry-run-minute", 30, 60, False), ("dry-run-hour", 200, 3600, False)],
            RouteClass.RERUN: [("rerun", 30, 3600, False)],
            RouteClass.OTHER: [("other", 60, 10, False)],
        }
        assert set(told) == set(RouteClass)

    def test_four_files_are_read_at_once(self) -> None:
        assert Limits.none().reading_files.total_tokens == 4

    def test_off_leaves_a_class_without_policies(self) -> None:
        made = policies(None, None)
        assert [of for of, found in made.items() if not found] == ["status", "upload", "dry-run"]

    @pytest.mark.parametrize(
        ("rate", "polls"), [("1/s, burst 5", (1, 5)), ("20/s, burst 100", (20, 100)), ("off", None)]
    )
    def test_the_rate_of_polls_is_read(self, rate: str, polls: tuple[int, int] | None) -> None:
        assert load(status_rate=rate).status_polls == polls

    @pytest.mark.parametrize(("rate", "uploads"), [("30/min, 200/h", (30, 200)), ("off", None)])
    def test_the_rate_of_uploads_is_read(self, rate: str, uploads: tuple[int, int] | None) -> None:
        assert load(upload_rate=rate).uploads == uploads

    @pytest.mark.parametrize(
        "rate", ["", "5", "0/s, burst 5", "1/s, burst 0", "1/s burst 5", "١/s, burst 5", "OFF"]
    )
    def test_a_rate_that_makes_no_sense_is_told(self, rate: str) -> None:
        with pytest.raises(SettingsError, match=r"GLASSFOLIO_STATUS_RATE.*burst 5"):
            load(status_rate=rate)
        with pytest.raises(SettingsError, match=r"GLASSFOLIO_UPLOAD_RATE.*30/min, 200/h"):
            load(upload_rate=rate)

    @given(rate=st.integers(1, 100), burst=st.integers(1, 1000))
    def test_a_burst_refills_no_faster_than_the_rate(self, rate: int, burst: int) -> None:
        one, all_of_them = policies((rate, burst), None)[RouteClass.STATUS]
        assert one.quota / one.window <= rate
        assert one.window == max(1, ceil(burst / rate))
        assert all_of_them.quota == 4 * burst
        assert all_of_them.quota / all_of_them.window <= 5 * rate


class TestAddresses:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("2001:DB8::1", "2001:db8:0:0::2"),
        ],
    )
    def test_one_customer_is_one_address(self, one: str, other: str) -> None:
        assert address_key(one) == address_key(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [("203.0.113.1", "203.0.113.2"), ("2001:db8:1:2::1", "2001:db8:1:3::1"), ("testclient", "")],
    )
    def test_two_customers_are_two(self, one: str, other: str) -> None:
        assert address_key(one) != address_key(other)

    @given(address=st.ip_addresses(v=6))
    def test_an_address_of_version_six_counts_as_its_network(self, address: IPv6Address) -> None:
        first = ip_network((address, 64), strict=False)[0]
        if address.ipv4_mapped is None and IPv6Address(int(first)).ipv4_mapped is None:
            assert address_key(str(address)) == address_key(str(first))

    def test_failures_of_neighbours_in_a_network_add_up(self, wall: Wall) -> None:
        limits = Limits({}, clock=wall)
        for number in range(20):
            limits.check_sign_in(f"2001:db8::{number:x}")
            limits.failed_sign_in(f"2001:db8::{number:x}")
        with pytest.raises(TooManyRequests):
            limits.check_sign_in("2001:db8::ffff")
        limits.check_sign_in("2001:db8:0:1::1")


class TestCharge:
    @given(
        quota=st.integers(1, 8),
        window=st.integers(1, 60),
        steps=st.lists(st.floats(0.0, 40.0), min_size=1, max_size=60),
    )
    def test_whoever_waits_as_told_is_served(self, quota: int, window: int, steps: list[float]) -> None:
        """And nobody gets more than twice the quota within a window, whatever the moments."""
        with pytest.MonkeyPatch.context() as patch:
            wall = standing_still(patch)
            limits = Limits({RouteClass.OTHER: (Policy("one", quota, window),)}, clock=wall)
            served: list[float] = []
            for step in steps:
                wall.move(step)
                try:
                    told = limits.charge(RouteClass.OTHER, "alice")
                except TooManyRequests as refused:
                    wall.move(refused.retry_after)
                    told = limits.charge(RouteClass.OTHER, "alice")
                assert told is not None
                assert 0 <= told.remaining < quota
                served.append(wall.time())
                assert sum(moment > wall.time() - window for moment in served) <= 2 * quota

    def test_a_class_without_policies_charges_nobody(self) -> None:
        limits = Limits.none()
        assert limits.charge(RouteClass.OTHER, "alice") is None
        limits.failed_sign_in("203.0.113.1")
        limits.check_sign_in("203.0.113.1")
