"""Which bars are believed: one table of cases, and what holds of any input."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassfolio.bundled import load_prices
from glassfolio.model.market import Basis
from glassfolio.providers.base import QuarantineReason as Reason
from glassfolio.providers.quality import STALE_SESSIONS, RawBars, inspect
from glassfolio.sessions import Sessions

CALENDAR = np.array(
    [d for d in np.arange("2022-01-03", "2022-04-01", dtype="datetime64[D]") if np.is_busday(d)],
    dtype="datetime64[D]",
)
FIRST, LAST = CALENDAR[0].item(), CALENDAR[-1].item()
NAN = float("nan")


def raw(closes: list[float], volume: int = 1000, basis: Basis = Basis.AS_TRADED) -> RawBars:
    n = len(closes)
    return RawBars(
        "X",
        basis,
        CALENDAR[:n].copy(),
        np.array(closes, dtype=np.float64),
        np.ones(n),
        np.zeros(n),
        np.full(n, NAN),
        np.full(n, volume, dtype=np.int64),
    )


def judge(bars: RawBars, start: date = FIRST, end: date = LAST) -> tuple[list[float], dict[int, Reason]]:
    """The closes believed, and the reason for each quarantined session by its place in the calendar."""
    kept, apart = inspect(bars, CALENDAR, start, end)
    where = {q.session: q.reason for q in apart}
    assert all(q.symbol == "X" for q in apart)
    places = {int(np.searchsorted(CALENDAR, np.datetime64(day))): reason for day, reason in where.items()}
    return ([] if kept is None else kept.close.tolist()), places


@pytest.mark.parametrize(
    "closes, kept, apart",
    [
        ([10, 11, 12], [10, 11, 12], {}),
        ([10, 0, 12], [10, 12], {1: Reason.BAD_PRICE}),
        ([10, -1, 12], [10, 12], {1: Reason.BAD_PRICE}),
        ([10, float("inf"), 12], [10, 12], {1: Reason.BAD_PRICE}),
        ([10, NAN, 12], [10, 12], {1: Reason.NO_CLOSE}),
        ([10, 11, NAN], [10, 11], {}),
        ([NAN], [], {}),
        ([10, NAN, NAN], [10], {1: Reason.NO_CLOSE}),
        ([10, 100, 10], [10, 10], {1: Reason.SPIKE}),
        ([10, 1, 10], [10, 10], {1: Reason.SPIKE}),
        ([10, 100, 28], [10, 28], {1: Reason.SPIKE}),
        ([10, 100, 29], [10, 100, 29], {}),
        ([10, 15, 10], [10, 15, 10], {}),
        ([10, 15.1, 10], [10, 10], {1: Reason.SPIKE}),
        ([10, 100, 100], [10, 100, 100], {}),
        ([10, 100], [10, 100], {}),
        ([100, 10, 10], [100, 10, 10], {}),
        ([10, 100, 10, 100, 10], [10, 10, 10], {1: Reason.SPIKE, 3: Reason.SPIKE}),
        ([], [], {}),
    ],
)
def test_a_close_is_believed_or_named(
    closes: list[float], kept: list[float], apart: dict[int, Reason]
) -> None:
    """Pitfall: zero and ten-fold prices accepted."""
    assert judge(raw(closes)) == (kept, apart)


def test_a_split_explains_a_fall_but_not_a_spike_on_another_day() -> None:
    bars = raw([100, 25, 24, 240, 25])
    bars.split[1] = 4
    assert judge(bars) == ([100, 25, 24, 25], {3: Reason.SPIKE})


def test_a_split_and_a_reverse_split_on_adjacent_sessions_are_not_a_spike() -> None:
    bars = raw([100, 25, 100])
    bars.split[1:] = [4, 0.25]
    assert judge(bars) == ([100, 25, 100], {})


def test_adjusted_closes_are_judged_without_their_splits() -> None:
    bars = raw([100, 101, 102], basis=Basis.SPLIT_ADJUSTED)
    bars.split[1] = 4
    assert judge(bars) == ([100, 101, 102], {})


@pytest.mark.parametrize("split, dividend", [(0.0, 0.0), (-2.0, 0.0), (NAN, 0.0), (1.0, -0.1), (1.0, NAN)])
def test_an_impossible_action_discredits_its_bar(split: float, dividend: float) -> None:
    bars = raw([10, 11, 12])
    bars.split[1], bars.dividend[1] = split, dividend
    assert judge(bars) == ([10, 12], {1: Reason.BAD_ACTION})


def test_a_bad_adjusted_close_discredits_its_bar_and_a_missing_one_does_not() -> None:
    bars = raw([10, 11, 12])
    bars.adj_close[:] = [NAN, 0.0, 12.0]
    assert judge(bars) == ([10, 12], {1: Reason.BAD_PRICE})


@pytest.mark.parametrize("count, quarantined", [(STALE_SESSIONS - 1, 0), (STALE_SESSIONS, STALE_SESSIONS)])
def test_a_repeated_close_without_volume_is_stale_from_ten_sessions_on(count: int, quarantined: int) -> None:
    bars = raw([9.0, *[10.0] * count, 11.0])
    bars.volume[1:-1] = 0
    kept, apart = judge(bars)
    assert len(apart) == quarantined
    assert set(apart.values()) <= {Reason.STALE}
    assert len(kept) == count + 2 - quarantined


@pytest.mark.parametrize("volume", [1000, -1])
def test_a_repeated_close_with_volume_or_of_unknown_volume_is_believed(volume: int) -> None:
    closes = [10.0] * 20
    assert judge(raw(closes, volume)) == (closes, {})


def test_a_day_without_a_session_and_a_day_not_asked_for_are_kept_apart() -> None:
    bars = raw([10, 11, 12])
    bars.sessions[2] = np.datetime64("2022-01-08")
    kept, apart = inspect(bars, CALENDAR, CALENDAR[1].item(), LAST)
    assert kept is not None
    assert kept.close.tolist() == [11]
    assert {(q.session.isoformat(), q.reason) for q in apart} == {
        ("2022-01-03", Reason.OUT_OF_RANGE),
        ("2022-01-08", Reason.NO_SESSION),
    }


def test_rows_in_any_order_are_sorted_and_equal_ones_merged() -> None:
    bars = raw([10, 11, 12]).take(np.array([2, 0, 1, 0]))
    assert judge(bars) == ([10, 11, 12], {})


def test_two_different_rows_for_a_session_are_both_kept_apart() -> None:
    bars = raw([10, 11, 12, 13])
    bars.sessions[2] = bars.sessions[1]
    assert judge(bars) == ([10, 13], {1: Reason.CONFLICT})


def test_a_price_in_pence_is_not_a_price_in_dollars() -> None:
    bars = replace(raw([10, 11]), currency=np.array(["USD", "GBp"]))
    assert judge(bars) == ([10], {1: Reason.CURRENCY})


def test_a_negative_volume_is_one_that_was_not_given() -> None:
    kept, _ = inspect(raw([10, 11], volume=-7), CALENDAR, FIRST, LAST)
    assert kept is not None
    assert kept.volume.tolist() == [-1, -1]


def test_the_wildest_real_moves_of_nine_years_are_believed(calendar: Sessions) -> None:
    """Moves of up to 52 % in a day happened and stayed; none of them is a fault of the data."""
    table = load_prices()
    for column, symbol in enumerate(table.symbols):
        known = ~np.isnan(table.close[:, column])
        closes = table.close[known, column]
        real = replace(raw([]), symbol=symbol, sessions=table.sessions[known], close=closes)
        ones, zeros = np.ones(closes.size), np.zeros(closes.size)
        real = replace(real, split=ones, dividend=zeros, adj_close=closes, volume=zeros.astype(np.int64))
        kept, apart = inspect(real, calendar.dates, date(2014, 1, 2), date(2022, 12, 28))
        assert kept is not None
        assert (symbol, apart, kept.close.size) == (symbol, (), closes.size)


PRICES = st.one_of(st.floats(-10, 500), st.just(NAN), st.just(0.0), st.just(float("inf")))
ROWS = st.lists(st.tuples(st.integers(0, 90), PRICES, st.sampled_from([0, 1000])), max_size=40)


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_no_session_is_both_believed_and_quarantined_and_what_is_believed_is_clean(
    rows: list[tuple[int, float, int]],
) -> None:
    n = len(rows)
    bars = replace(
        raw([close for _, close, _ in rows][: len(CALENDAR)]),
        sessions=CALENDAR[0] + np.array([day for day, _, _ in rows], dtype="timedelta64[D]"),
        volume=np.array([volume for _, _, volume in rows], dtype=np.int64),
    )
    kept, apart = inspect(bars, CALENDAR, FIRST, LAST)
    assert n == bars.close.size
    believed = set() if kept is None else set(kept.sessions.tolist())
    named = {q.session for q in apart}
    assert not believed & named
    arrived = set(bars.sessions.tolist())
    assert believed | named <= arrived
    assert len(arrived - believed - named) <= 1
    if kept is not None:
        assert np.all(np.isfinite(kept.close) & (kept.close > 0))
        assert np.all(np.diff(kept.sessions).astype(int) > 0)
        assert np.all(np.isin(kept.sessions, CALENDAR))
