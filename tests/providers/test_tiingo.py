"""Tiingo's client against a local server that misbehaves in every known way."""

import logging
import traceback
from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest

from glassfolio.errors import SettingsError
from glassfolio.model.market import Bars, Failure, FailureKind
from glassfolio.providers.base import Fetched, QuarantineReason
from glassfolio.providers.http import TRIES
from glassfolio.providers.tiingo import FREE_REQUESTS_PER_SECOND, TiingoProvider, spell
from glassfolio.sessions import Sessions
from tests.fakes.tiingo import FakeTiingo
from tests.fakes.tiingo_faults import ANSWER_FAULTS, FAULTS, LARGE_VOLUME, TRANSPORT_FAULTS
from tests.providers.doubles import KEY, FakeThrottle, FakeTime, make_settings

START, END = date(2022, 3, 1), date(2022, 3, 31)

KINDS = {
    "empty": FailureKind.EMPTY,
    "not_found": FailureKind.NOT_FOUND,
    "not_found_with_200": FailureKind.NOT_FOUND,
    "rate_limited": FailureKind.RATE_LIMITED,
    "rate_limited_2s": FailureKind.RATE_LIMITED,
    "rate_limited_1h": FailureKind.RATE_LIMITED,
    "rate_limited_with_200": FailureKind.RATE_LIMITED,
    "rate_limited_sentence": FailureKind.RATE_LIMITED,
    "unauthorised": FailureKind.UNAUTHORISED,
    "no_token_403": FailureKind.UNAUTHORISED,
    "forbidden": FailureKind.BLOCKED,
    "html": FailureKind.BLOCKED,
    "redirect": FailureKind.BLOCKED,
    "unknown_detail": FailureKind.BAD_PAYLOAD,
    "bad_request": FailureKind.BAD_PAYLOAD,
    "wrong_schema": FailureKind.BAD_PAYLOAD,
    "numbers_as_text": FailureKind.BAD_PAYLOAD,
    "bad_gzip": FailureKind.BAD_PAYLOAD,
    "truncated": FailureKind.BAD_PAYLOAD,
    "too_large": FailureKind.BAD_PAYLOAD,
    "server_error": FailureKind.NETWORK,
    "slow": FailureKind.NETWORK,
    "reset": FailureKind.NETWORK,
    "partial": FailureKind.NETWORK,
}
RETRIED = {FailureKind.NETWORK, FailureKind.RATE_LIMITED}
QUARANTINES = {
    "null_inside": QuarantineReason.NO_CLOSE,
    "two_closes_for_a_date": QuarantineReason.CONFLICT,
    "weekend": QuarantineReason.NO_SESSION,
    "out_of_range": QuarantineReason.OUT_OF_RANGE,
    "negative": QuarantineReason.BAD_PRICE,
    "zero": QuarantineReason.BAD_PRICE,
    "spike": QuarantineReason.SPIKE,
    "stale": QuarantineReason.STALE,
}
HARMLESS = [
    "good",
    "gzip",
    "dividend",
    "split",
    "short_listing",
    "live_last",
    "same_date_twice",
    "out_of_order",
    "large_volume",
]


@pytest.fixture
def fake() -> Iterator[FakeTiingo]:
    with FakeTiingo(key=KEY) as server:
        yield server


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def throttle(time: FakeTime) -> FakeThrottle:
    return FakeThrottle(time)


@pytest.fixture
def provider(fake: FakeTiingo, calendar: Sessions, time: FakeTime, throttle: FakeThrottle) -> TiingoProvider:
    return TiingoProvider(make_settings(calendar, time, fake.url, read=0.3), throttle)


def only_failure(fetched: Fetched) -> Failure:
    assert fetched.bars == ()
    (failure,) = fetched.failures
    return failure


def only_bars(fetched: Fetched) -> Bars:
    assert fetched.failures == ()
    (bars,) = fetched.bars
    return bars


def test_every_fault_of_the_server_has_an_expectation_here() -> None:
    assert set(KINDS) | set(QUARANTINES) | set(HARMLESS) == set(FAULTS)
    assert set(ANSWER_FAULTS) | set(TRANSPORT_FAULTS) <= set(KINDS)


@pytest.mark.parametrize("fault, kind", KINDS.items())
def test_a_refused_or_damaged_answer_is_classified(
    provider: TiingoProvider, fake: FakeTiingo, fault: str, kind: FailureKind
) -> None:
    """Pitfall: a refusal that raises nothing and looks like missing data."""
    fake.set_faults({"AAPL": fault})
    failure = only_failure(provider.fetch(["AAPL"], START, END))
    assert (failure.symbol, failure.kind) == ("AAPL", kind)
    gives_up_at_once = kind not in RETRIED or fault == "rate_limited_1h"
    assert len(fake.hits) == (1 if gives_up_at_once else TRIES)


@pytest.mark.parametrize("fault, reason", QUARANTINES.items())
def test_a_bar_that_cannot_be_believed_is_kept_apart_and_named(
    provider: TiingoProvider, fake: FakeTiingo, calendar: Sessions, fault: str, reason: QuarantineReason
) -> None:
    """Pitfall: zero and ten-fold prices accepted."""
    fake.set_faults({"AAPL": fault})
    fetched = provider.fetch(["AAPL"], START, END)
    bars = only_bars(fetched)
    assert {(q.symbol, q.reason) for q in fetched.quarantined} == {("AAPL", reason)}
    apart = {q.session for q in fetched.quarantined}
    kept = set(bars.sessions.tolist())
    assert not apart & kept
    assert set(calendar.between(START, END).tolist()) - kept <= apart


@pytest.mark.parametrize("fault", HARMLESS)
def test_an_unusual_but_sound_answer_is_believed(
    provider: TiingoProvider, fake: FakeTiingo, calendar: Sessions, fault: str
) -> None:
    fake.set_faults({"AAPL": fault})
    fetched = provider.fetch(["AAPL"], START, END)
    bars = only_bars(fetched)
    assert fetched.quarantined == ()
    expected = calendar.between(START, END)
    expected = {"short_listing": expected[len(expected) // 2 :], "live_last": expected[:-1]}.get(
        fault, expected
    )
    assert np.array_equal(bars.sessions, expected)


def test_a_split_stands_beside_raw_closes_and_the_adjusted_close_passes_through(
    provider: TiingoProvider, fake: FakeTiingo
) -> None:
    """Pitfall: split-adjusted closes called unadjusted."""
    fake.set_faults({"AAPL": "split"})
    bars = only_bars(provider.fetch(["AAPL"], START, END))
    (at,) = np.flatnonzero(bars.split != 1)
    assert bars.split[at] == 4
    assert bars.close[:at] == pytest.approx(4 * bars.adj_close[:at])
    assert bars.close[at:] == pytest.approx(bars.adj_close[at:])


def test_a_dividend_arrives_on_its_ex_date(provider: TiingoProvider, fake: FakeTiingo) -> None:
    fake.set_faults({"KO": "dividend"})
    bars = only_bars(provider.fetch(["KO"], START, END))
    (at,) = np.flatnonzero(bars.dividend)
    total = (bars.close[at] + bars.dividend[at]) / bars.close[at - 1]
    assert total == pytest.approx(bars.adj_close[at] / bars.adj_close[at - 1], rel=1e-3)


def test_a_volume_beyond_32_bits_is_kept(provider: TiingoProvider, fake: FakeTiingo) -> None:
    """Pitfall: 32-bit volume."""
    fake.set_faults({"AAPL": "large_volume"})
    assert only_bars(provider.fetch(["AAPL"], START, END)).volume[0] == LARGE_VOLUME


def test_each_symbol_costs_one_range_request_and_dead_ones_no_second(
    provider: TiingoProvider, fake: FakeTiingo, throttle: FakeThrottle
) -> None:
    provider.fetch(["AAPL", "ZZZQ", "MSFT", "AAPL"], START, END)
    assert [(h.symbol, h.start, h.end) for h in fake.hits] == [
        (s, "2022-03-01", "2022-03-31") for s in ("AAPL", "ZZZQ", "MSFT")
    ]
    assert all(hit.authorised for hit in fake.hits)
    assert throttle.taken == 3


def test_a_redirect_is_not_followed(provider: TiingoProvider, fake: FakeTiingo) -> None:
    fake.set_faults({"AAPL": "redirect"})
    assert only_failure(provider.fetch(["AAPL"], START, END)).kind is FailureKind.BLOCKED
    assert fake.stray_paths == []


@pytest.mark.parametrize("fault", ["server_error", "reset", "partial", "rate_limited", "rate_limited_2s"])
def test_passing_trouble_is_survived_by_asking_again(
    provider: TiingoProvider, fake: FakeTiingo, fault: str
) -> None:
    fake.set_faults({"AAPL": [fault, "good"]})
    only_bars(provider.fetch(["AAPL"], START, END))
    assert len(fake.hits) == 2


def test_the_wait_a_provider_asks_for_is_kept_by_everybody(
    provider: TiingoProvider, fake: FakeTiingo, time: FakeTime, throttle: FakeThrottle
) -> None:
    fake.set_faults({"AAPL": ["rate_limited_2s", "good"]})
    provider.fetch(["AAPL"], START, END)
    assert throttle.pauses == [2.0]
    assert time.naps == [2.0]


def test_a_long_wait_is_handed_to_the_caller_and_nobody_asks_meanwhile(
    provider: TiingoProvider, fake: FakeTiingo, time: FakeTime, throttle: FakeThrottle
) -> None:
    fake.set_faults({"AAPL": "rate_limited_1h"})
    failures = provider.fetch(["AAPL", "MSFT"], START, END).failures
    assert [(f.kind, f.retry_after) for f in failures] == [(FailureKind.RATE_LIMITED, 3600.0)] * 2
    assert (len(fake.hits), time.naps, throttle.pauses) == (1, [], [3600.0])


def test_the_circuit_opens_after_repeated_rate_limits_and_closes_again(
    provider: TiingoProvider, fake: FakeTiingo, time: FakeTime
) -> None:
    fake.set_faults({"*": "rate_limited"})
    first, second = provider.fetch(["AAPL", "MSFT"], START, END).failures
    assert (first.kind, second.kind) == (FailureKind.RATE_LIMITED, FailureKind.RATE_LIMITED)
    assert second.retry_after is not None
    assert len(fake.hits) == TRIES
    fake.set_faults({"*": None})
    time.sleep(second.retry_after)
    only_bars(provider.fetch(["MSFT"], START, END))


def test_a_refused_key_stops_the_provider_at_once(provider: TiingoProvider, fake: FakeTiingo) -> None:
    fake.set_faults({"*": "unauthorised"})
    failures = provider.fetch(["AAPL", "MSFT", "KO"], START, END).failures
    assert [f.kind for f in failures] == [FailureKind.UNAUTHORISED] * 3
    assert len(fake.hits) == 1


def test_a_block_met_twice_stops_the_provider_but_one_refused_ticker_does_not(
    provider: TiingoProvider, fake: FakeTiingo
) -> None:
    fake.set_faults({"AAPL": "forbidden"})
    fetched = provider.fetch(["AAPL", "MSFT", "KO"], START, END)
    assert [b.symbol for b in fetched.bars] == ["MSFT", "KO"]
    fake.set_faults({"*": "html"})
    provider.fetch(["AAPL", "MSFT", "KO"], START, END)
    assert len(fake.hits) == 3 + 2


def test_without_a_key_nobody_is_asked(fake: FakeTiingo, calendar: Sessions, time: FakeTime) -> None:
    provider = TiingoProvider(make_settings(calendar, time, fake.url, key=""), FakeThrottle(time))
    assert only_failure(provider.fetch(["AAPL"], START, END)).kind is FailureKind.UNAUTHORISED
    assert fake.hits == []


def test_an_unreachable_server_is_network_trouble(calendar: Sessions, time: FakeTime) -> None:
    with FakeTiingo() as gone:
        url = gone.url
    provider = TiingoProvider(make_settings(calendar, time, url), FakeThrottle(time))
    failure = only_failure(provider.fetch(["AAPL"], START, END))
    assert (failure.kind, failure.detail) == (FailureKind.NETWORK, "ConnectError")


@pytest.mark.parametrize("symbol", ["../AAPL", "AAPL240119C00150000", "", "^GSPC", "A?token=1", ".", "Ａ"])
def test_what_is_no_ticker_is_never_asked_for(
    provider: TiingoProvider, fake: FakeTiingo, symbol: str
) -> None:
    assert only_failure(provider.fetch([symbol], START, END)).kind is FailureKind.UNSUPPORTED
    assert fake.hits == []


@pytest.mark.parametrize("symbol", ["BRK.B", "BRK/B", "brk-b"])
def test_class_shares_are_spelled_with_a_dash_and_answered_as_asked(
    provider: TiingoProvider, fake: FakeTiingo, symbol: str
) -> None:
    assert spell(symbol) == "BRK-B"
    assert only_failure(provider.fetch([symbol], START, END)).symbol == symbol
    assert [hit.symbol for hit in fake.hits] == ["BRK-B"]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_key_is_never_shown(
    provider: TiingoProvider,
    fake: FakeTiingo,
    fault: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for logger in (None, "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger)
    fake.set_faults({"AAPL": fault})
    fetched = provider.fetch(["AAPL"], START, END)
    assert caplog.records, "nothing was logged, so nothing was tested"
    shown = [repr(fetched), caplog.text, repr(provider), *(repr(value) for value in vars(provider).values())]
    assert not any(KEY in text for text in shown)


def test_a_key_that_a_server_echoes_is_blotted_out(
    calendar: Sessions, time: FakeTime, fake: FakeTiingo
) -> None:
    fake.key = "invalid"
    provider = TiingoProvider(make_settings(calendar, time, fake.url, key="Invalid"), FakeThrottle(time))
    failure = only_failure(provider.fetch(["AAPL"], START, END))
    assert failure.kind is FailureKind.UNAUTHORISED
    assert "*** token" in failure.detail


@pytest.mark.parametrize("key", ["line\nbreak", "schlüssel", "nul\x00"])
def test_a_key_no_header_can_carry_is_refused_without_repeating_it(
    calendar: Sessions, time: FakeTime, key: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        TiingoProvider(make_settings(calendar, time, key=key), FakeThrottle(time))
    assert key not in "".join(traceback.format_exception(caught.value, chain=True)[-1:])


def test_the_settings_do_not_show_the_key(calendar: Sessions, time: FakeTime) -> None:
    assert KEY not in repr(make_settings(calendar, time))


def test_the_free_plan_sets_the_pace_unless_the_settings_do(calendar: Sessions, time: FakeTime) -> None:
    settings = make_settings(calendar, time)
    throttle = FakeThrottle(time)
    assert TiingoProvider(settings, throttle).terms.requests_per_second == FREE_REQUESTS_PER_SECOND
    faster = type(settings)(settings.sessions, key=KEY, rate=5.0)
    assert TiingoProvider(faster, throttle).terms.requests_per_second == 5.0
