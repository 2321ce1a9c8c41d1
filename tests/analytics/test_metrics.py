"""Metrics of a symbol against pandas, and the bases of period returns on every session of 2014 to 2026."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glassfolio import sessions as calendar
from glassfolio.analytics.metrics import METRICS, MetricTable, base_sessions, symbol_metrics
from glassfolio.model.market import DateArray, FloatArray
from glassfolio.model.results import NONE, Reason
from tests.analytics.books import panel, weekdays

NAN = float("nan")
OFFSETS = {
    "return_1m": pd.DateOffset(months=1),
    "return_3m": pd.DateOffset(months=3),
    "return_1y": pd.DateOffset(years=1),
}


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> DateArray:
    folder: Path = tmp_path_factory.mktemp("calendar")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about time zones, raised while the calendar library is read
        return calendar.load(folder).dates


def walk(sessions: int, symbols: int, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    walked: FloatArray = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (sessions, symbols)), axis=0))
    return walked


def column(table: MetricTable, key: str) -> FloatArray:
    return table.value[:, :, table.keys.index(key)]


def reasons(table: MetricTable, key: str) -> list[int]:
    return [int(code) for code in table.reason[:, 0, table.keys.index(key)]]


@pytest.mark.parametrize("key", OFFSETS)
def test_the_same_day_of_an_earlier_month_on_every_session(sessions: DateArray, key: str) -> None:
    """Clamped to the month's end and rolled back to a session, as DateOffset and asof do; never missing."""
    years = (sessions >= np.datetime64("2012-12-01")) & (sessions <= np.datetime64("2026-12-31"))
    days = sessions[years]
    index = pd.DatetimeIndex(days)
    place = pd.Series(np.arange(len(days)), index=index)
    base = base_sessions(days)[key]
    asked = index >= "2014-01-01"
    expected = place.asof(pd.DatetimeIndex([day - OFFSETS[key] for day in index[asked]])).to_numpy()
    np.testing.assert_array_equal(base[asked], expected)


def test_month_and_year_begin_from_the_last_session_before_on_every_session(sessions: DateArray) -> None:
    """The first session's own return belongs to the month, and 1 January is no base."""
    years = (sessions >= np.datetime64("2013-12-01")) & (sessions <= np.datetime64("2026-12-31"))
    days = sessions[years]
    index = pd.DatetimeIndex(days)
    place = pd.Series(np.arange(len(days)), index=index)
    for key, period in (("return_mtd", "M"), ("return_ytd", "Y")):
        last = place.groupby(index.to_period(period)).last().shift(1)
        expected = last.reindex(index.to_period(period)).fillna(-1).to_numpy()
        np.testing.assert_array_equal(base_sessions(days)[key], expected)


def test_one_day_back_is_the_session_before_on_every_session(sessions: DateArray) -> None:
    """Also after holidays, where the previous weekday is no session."""
    np.testing.assert_array_equal(base_sessions(sessions)["return_1d"], np.arange(len(sessions)) - 1)


@pytest.mark.parametrize(
    ("day", "key", "base"),
    [
        ("2026-03-31", "return_1m", "2026-02-27"),
        ("2023-03-31", "return_1m", "2023-02-28"),
        ("2024-05-31", "return_3m", "2024-02-29"),
        ("2024-02-29", "return_1y", "2023-02-28"),
        ("2025-01-10", "return_1d", "2025-01-08"),
        ("2025-01-02", "return_ytd", "2024-12-31"),
        ("2024-09-03", "return_mtd", "2024-08-30"),
    ],
)
def test_known_bases(sessions: DateArray, day: str, key: str, base: str) -> None:
    row = int(np.searchsorted(sessions, np.datetime64(day)))
    assert str(sessions[base_sessions(sessions)[key][row]]) == base


@pytest.mark.parametrize("key", OFFSETS)
def test_period_returns_match_pandas_asof(sessions: DateArray, key: str) -> None:
    days = sessions[(sessions >= np.datetime64("2020-01-01"))][:420]
    close = walk(420, 2)
    series = pd.Series(close[:, 1], index=pd.DatetimeIndex(days))
    got = column(symbol_metrics(panel(close, days), start=300), key)[:, 1]
    expected = [series[day] / series.asof(day - OFFSETS[key]) - 1 for day in series.index[300:]]
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_a_dividend_is_part_of_the_return() -> None:
    prices = panel(np.array([[10.0], [10.0], [9.5], [9.5]]))
    prices.dividend[2] = 0.5
    np.testing.assert_allclose(column(symbol_metrics(prices), "return_1d")[1:, 0], [0, 0, 0], atol=1e-15)


def test_a_period_return_says_why_it_is_missing() -> None:
    """A base more than five sessions old is stale; no close before the reference date is a short history."""
    close = np.full((9, 1), NAN)
    close[[0, 6, 8], 0] = 10, 11, 12
    table = symbol_metrics(panel(close))
    assert reasons(table, "return_1d") == [
        Reason.INSUFFICIENT_HISTORY.code,
        *[Reason.NO_PRICE.code] * 5,
        NONE,
        Reason.NO_PRICE.code,
        NONE,
    ]
    np.testing.assert_allclose(column(table, "return_1d")[[6, 8], 0], [0.1, 12 / 11 - 1])
    close[6] = NAN
    assert reasons(symbol_metrics(panel(close)), "return_1d")[8] == Reason.STALE_BASE.code


def test_a_return_over_a_period_before_listing_is_missing() -> None:
    close = walk(60, 1)
    close[:30] = NAN
    table = symbol_metrics(panel(close))
    month = reasons(table, "return_1m")
    assert month[29] == Reason.NO_PRICE.code
    assert month[40] == Reason.INSUFFICIENT_HISTORY.code
    assert month[59] == NONE


@pytest.mark.parametrize(("window", "minimum"), [(21, 14), (63, 42), (252, 168)])
def test_volatility_matches_pandas_with_holes(window: int, minimum: int) -> None:
    close = walk(330, 3)
    close[np.random.default_rng(4).random(close.shape) < 0.1] = NAN
    close[:100, 2] = NAN
    returns = pd.DataFrame(close).pct_change(fill_method=None)
    expected = returns.rolling(window, min_periods=minimum).std(ddof=1) * 252**0.5
    table = symbol_metrics(panel(close), start=150)
    got = column(table, f"vol_{window}")
    np.testing.assert_allclose(got, expected.to_numpy()[150:], rtol=1e-9, atol=1e-12)
    counted = returns.notna().astype(int).rolling(window, min_periods=1).sum().to_numpy()[150:]
    np.testing.assert_array_equal(table.n[:, :, table.keys.index(f"vol_{window}")], counted)


def test_the_minimum_is_two_thirds_of_the_window_rounded_up() -> None:
    windows = [(m.window, m.minimum) for m in METRICS.values() if m.window is not None]
    assert windows == [(w, -(-2 * w // 3)) for w, _ in windows if w is not None]


def test_every_metric_says_what_it_is() -> None:
    assert all(m.key == key and m.title and m.formula and m.source for key, m in METRICS.items())
    assert symbol_metrics(panel(walk(5, 1))).keys == tuple(METRICS)


def test_a_value_is_missing_if_and_only_if_there_is_a_reason() -> None:
    close = walk(300, 5)
    close[np.random.default_rng(4).random(close.shape) < 0.2] = NAN
    close[:, 4] = NAN
    table = symbol_metrics(panel(close))
    np.testing.assert_array_equal(np.isnan(table.value), table.reason != NONE)
    assert (table.reason[:, 4] == Reason.NO_PRICE.code).all()


def test_any_subset_and_range_give_the_same_bits() -> None:
    close = walk(560, 70)
    close[np.random.default_rng(6).random(close.shape) < 0.05] = NAN
    days = weekdays(560)
    whole = symbol_metrics(panel(close, days), start=540)
    part = symbol_metrics(panel(close[200:, [69, 3]], days[200:]), start=540 - 200)
    np.testing.assert_array_equal(part.value, whole.value[:, [69, 3]])
    np.testing.assert_array_equal(part.n, whole.n[:, [69, 3]])
    np.testing.assert_array_equal(part.reason, whole.reason[:, [69, 3]])


def test_later_closes_do_not_change_earlier_metrics() -> None:
    close = walk(300, 2)
    before = symbol_metrics(panel(close)).value[:280]
    close[280:] *= 1.5
    np.testing.assert_array_equal(symbol_metrics(panel(close)).value[:280], before)
