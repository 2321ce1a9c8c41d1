"""The table of metrics: its registry, reasons and warnings, and what a value may depend on."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassfolio.analytics.closes import STALE
from glassfolio.analytics.metrics import METRICS, ON_CLOSES, ON_RETURNS, TRENDS
from glassfolio.analytics.symbols import SESSIONS_BACK, symbol_metrics
from glassfolio.model.market import FloatArray, Panel
from glassfolio.model.results import NONE, Reason, Warning_
from tests.analytics.books import panel, weekdays
from tests.analytics.series import (
    NAN,
    assert_same_table,
    column,
    counted,
    cut,
    holed,
    reasons,
    returns_of,
    table_of,
    walk,
    warned,
)

EXCEPTIONS = {"vol_forecast": (252, 63), "vol_forecast_har": (1000, 1000), "data_quality": (252, 1)}
KEYS = (
    *("return_1d", "return_mtd", "return_1m", "return_3m", "return_ytd", "return_1y"),
    *("vol_21", "vol_63", "vol_252", "vol_forecast", "vol_forecast_har", "vol_percentile", "vol_trend"),
    *("max_drawdown", "drawdown", "downside_vol", "sortino", "sharpe", "high_52w", "low_52w", "data_quality"),
)


def eventful(sessions: int, symbols: int, seed: int = 0, holes: float = 0.05) -> Panel:
    """A panel with holes, splits, dividends, a late listing, a delisting, and a symbol without any price."""
    rng = np.random.default_rng(seed)
    prices = panel(holed(walk(sessions, symbols, seed), holes, seed), weekdays(sessions))
    prices.split[rng.random(prices.close.shape) < 0.004] = 2.0
    prices.dividend[rng.random(prices.close.shape) < 0.01] = 0.4
    prices.close[: sessions // 2, 0] = NAN
    prices.close[sessions // 2 :, 1] = NAN
    prices.close[:, 2] = NAN
    return prices


def cut_panel(whole: Panel, rows: slice, columns: list[int]) -> Panel:
    return replace(
        whole,
        sessions=whole.sessions[rows],
        ordinals=whole.ordinals[rows],
        symbols=tuple(whole.symbols[j] for j in columns),
        close=whole.close[rows][:, columns],
        split=whole.split[rows][:, columns],
        dividend=whole.dividend[rows][:, columns],
    )


def test_the_registry_says_what_each_metric_is_and_how_it_is_checked() -> None:
    assert tuple(METRICS) == KEYS
    assert all(
        m.key == key and m.title and m.formula and m.source and m.checked for key, m in METRICS.items()
    )
    assert table_of(walk(5, 1)).keys == KEYS
    assert set(ON_CLOSES) | ON_RETURNS <= set(KEYS)
    assert METRICS["vol_trend"].words == TRENDS == {-1: "falling", 0: "stable", 1: "rising"}


def test_the_minimum_is_two_thirds_of_the_window_rounded_up() -> None:
    for key, metric in METRICS.items():
        if metric.window is not None:
            expected = EXCEPTIONS.get(key, (metric.window, -(-2 * metric.window // 3)))
            assert (metric.window, metric.minimum) == expected, key
    windows = {21: 14, 63: 42, 252: 168}
    assert all(windows[m.window] == m.minimum for k, m in METRICS.items() if m.window and k not in EXCEPTIONS)


def test_a_value_is_missing_if_and_only_if_there_is_a_reason() -> None:
    table = symbol_metrics(eventful(600, 6), 100)
    np.testing.assert_array_equal(np.isnan(table.value), table.reason != NONE)
    assert not np.isinf(table.value).any()
    assert (table.reason[:, :, 2] == Reason.NO_PRICE.code).all()
    assert (table.warnings[table.reason != NONE] == 0).all()
    for (key, name), detail in table.details.items():
        missing = np.isnan(column(table, key))
        assert np.isnan(detail[missing]).all(), (key, name)
        assert np.isfinite(detail[~missing]).all(), (key, name)


def test_a_dividend_is_part_of_the_return() -> None:
    prices = panel(np.array([[10.0], [10.0], [9.5], [9.5]]))
    prices.dividend[2] = 0.5
    np.testing.assert_allclose(column(symbol_metrics(prices), "return_1d")[1:, 0], [0, 0, 0], atol=1e-15)


def test_a_period_return_says_why_it_is_missing() -> None:
    """A base more than five sessions old is stale; no close before the reference date is a short history."""
    close = np.full((9, 1), NAN)
    close[[0, 6, 8], 0] = 10, 11, 12
    table = table_of(close)
    assert reasons(table, "return_1d") == [
        "insufficient_history",
        *["no_price"] * 5,
        None,
        "no_price",
        None,
    ]
    np.testing.assert_allclose(column(table, "return_1d")[[6, 8], 0], [0.1, 12 / 11 - 1])
    close[6] = NAN
    assert reasons(table_of(close), "return_1d")[8] == "stale_base"


def test_a_return_over_a_period_before_listing_is_missing() -> None:
    close = walk(60, 1)
    close[:30] = NAN
    month = reasons(table_of(close), "return_1m")
    assert month[29] == "no_price"
    assert month[40] == "insufficient_history"
    assert month[59] is None


def test_period_returns_count_the_returns_inside() -> None:
    close = walk(300, 2)
    close[[295, 280], 0] = NAN
    table = table_of(close, 299)
    assert counted(table, "return_1d").tolist() == [[1, 1]]
    whole = counted(table, "return_1m")[0, 1]
    assert counted(table, "return_1m")[0, 0] == whole - 4
    assert 20 <= whole <= 23
    assert counted(table_of(close[:5]), "return_1m").tolist() == [[0, 0]] * 5


def test_a_symbol_without_a_close_for_a_year_has_no_price() -> None:
    close = walk(600, 1)
    close[300:] = NAN
    table = table_of(close, 290)
    for key in KEYS[6:]:
        said = reasons(table, key)
        assert said[551 - 290 :] == ["no_price"] * (600 - 551), key
        assert said[550 - 290] in {"insufficient_history", None}, key
    assert reasons(table, "data_quality")[550 - 290] is None


@pytest.mark.parametrize("holes", [0.0, 0.1])
def test_extremes_match_pandas(holes: float) -> None:
    """high_52w and low_52w: closes, not dividends."""
    prices = panel(holed(walk(600, 3), holes))
    prices.dividend[300] = 1.0
    table, frame = symbol_metrics(prices, 260), pd.DataFrame(prices.close)
    for key, expected in (
        ("high_52w", frame.rolling(252, min_periods=168).max()),
        ("low_52w", frame.rolling(252, min_periods=168).min()),
    ):
        np.testing.assert_array_equal(column(table, key), expected.to_numpy()[260:])
        there = frame.notna().astype(int).rolling(252, min_periods=1).sum().to_numpy()[260:]
        np.testing.assert_array_equal(counted(table, key), there)


def test_extremes_need_168_closes() -> None:
    table = table_of(walk(180, 1))
    for key in ("high_52w", "low_52w"):
        np.testing.assert_array_equal(np.isnan(column(table, key)[:, 0]), np.arange(180) < 167)


def test_extremes_are_on_the_share_basis_of_the_day() -> None:
    """A 4:1 split divides the closes before it, also two of them."""
    prices = panel(walk(600, 2))
    prices.split[[400, 450], 0] = 4.0, 0.5
    prices.close[400:, 0] /= 4
    prices.close[450:, 0] *= 2
    table = symbol_metrics(prices, 300)
    for row in (399, 400, 449, 450, 599):
        adjusted = prices.close[:, 0].copy()
        if row >= 400:
            adjusted[:400] /= 4
        if row >= 450:
            adjusted[:450] *= 2
        window = adjusted[row - 251 : row + 1]
        got = [column(table, key)[row - 300, 0] for key in ("high_52w", "low_52w")]
        np.testing.assert_allclose(got, [window.max(), window.min()], rtol=1e-12)


def test_data_quality_is_completeness_times_freshness() -> None:
    """Pitfall: presence alone is not quality. Completeness counts from listing on."""
    close = holed(walk(600, 4), 0.3)
    close[:500, 1] = NAN
    close[590:, 2] = NAN
    table = table_of(close, 300)
    for row in range(300, 600, 7):
        for symbol in range(4):
            there = np.flatnonzero(np.isfinite(close[max(row - 251, 0) : row + 1, symbol]))
            if not there.size:
                assert reasons(table, "data_quality", symbol)[row - 300] == "no_price"
                continue
            completeness = len(there) / (251 - there[0] + 1)
            freshness = max(0.0, 1 - (251 - there[-1]) / 5)
            at = (row - 300, symbol)
            np.testing.assert_allclose(table.details["data_quality", "completeness"][at], completeness)
            np.testing.assert_allclose(table.details["data_quality", "freshness"][at], freshness, atol=1e-12)
            np.testing.assert_allclose(
                column(table, "data_quality")[at], completeness * freshness, rtol=1e-9, atol=1e-12
            )
    assert column(table, "data_quality")[299, 2] == 0.0
    assert STALE == 5
    assert (column(table_of(walk(300, 1), 290), "data_quality") == 1.0).all()


class TestWarnings:
    def test_less_than_a_whole_window_is_a_partial_history(self) -> None:
        table = table_of(walk(300, 1))
        for key, first in (("vol_21", 21), ("vol_63", 63), ("vol_252", 252), ("vol_percentile", 265)):
            assert warned(table, key, first - 1) == {"partial_history"}, key
            assert warned(table, key, first) == set(), key

    def test_a_value_without_a_close_of_its_own_session_rests_on_a_stale_price(self) -> None:
        close = walk(300, 1)
        close[299] = NAN
        table = table_of(close)
        for key in ("vol_252", "sharpe", "drawdown", "high_52w", "vol_forecast"):
            assert warned(table, key) == {"partial_history", "stale_price"}, key
            assert warned(table, key, 298) == set(), key

    def test_more_than_a_fifth_of_returns_of_zero_are_thin_trading(self) -> None:
        close = walk(300, 2)
        close[298 - 49 : 299] = close[298 - 49]
        table = table_of(close)
        for key in ON_RETURNS:
            thin = key in {"vol_21", "vol_63", "vol_trend"}
            assert warned(table, key, 298) == ({"thin_trading"} if thin else set()), key
        close[298 - 50] = close[298 - 49]
        close[247] = close[246]
        assert warned(table_of(close), "vol_252", 298) == {"thin_trading"}
        assert warned(table_of(close), "high_52w", 298) == set()

    def test_what_a_source_says_of_its_closes_is_passed_on_where_closes_are_shown(self) -> None:
        bit = Warning_.ADJUSTED_CLOSE_AS_PRICE.bit
        table = symbol_metrics(panel(walk(300, 2)), caveats=np.array([bit, 0]))
        for key in KEYS:
            shown = {"adjusted_close_as_price"} if key in ("high_52w", "low_52w") else set()
            assert warned(table, key, symbol=0) == shown, key
            assert warned(table, key, symbol=1) == set(), key
            assert warned(table, key, 100, symbol=0) <= {"partial_history"}, key


@pytest.mark.parametrize("rate", [0.0, 0.04])
def test_any_subset_order_and_range_give_the_same_bits(rate: float) -> None:
    """Order invariance, and an IPO changes nobody else: pitfall of one short history for a whole batch."""
    whole = eventful(700, 300)
    table = symbol_metrics(whole, 600, rate)
    columns = [299, 3, 0, 1, 130]
    for first in (0, 200, 600 - SESSIONS_BACK):
        part = symbol_metrics(cut_panel(whole, slice(first, None), columns), 600 - first, rate)
        assert_same_table(part, cut(table, slice(None), columns))


def test_a_hole_changes_only_what_depends_on_it() -> None:
    close = walk(600, 3)
    before = table_of(close, 300)
    close[320, 1] = NAN
    after = table_of(close, 300)
    assert_same_table(cut(after, slice(None), [0, 2]), cut(before, slice(None), [0, 2]))
    assert_same_table(cut(after, slice(0, 20)), cut(before, slice(0, 20)))
    assert_same_table(cut(after, slice(320 - 300 + SESSIONS_BACK + 1, None)), cut(before, slice(293, None)))
    assert (after.value != 0).any()


def test_later_closes_do_not_change_earlier_metrics() -> None:
    """No look-ahead: alter any data after t, also splits and dividends."""
    whole = eventful(600, 5, seed=3)
    before = cut(symbol_metrics(whole, 300), slice(0, 280))
    whole.close[580:] *= 1.5
    whole.split[590] = 3.0
    whole.dividend[585] = 1.0
    whole.close[595:, 3] = NAN
    assert_same_table(cut(symbol_metrics(whole, 300), slice(0, 280)), before)
    assert_same_table(symbol_metrics(cut_panel(whole, slice(0, 580), [0, 1, 2, 3, 4]), 300), before)


def test_metrics_of_two_dates_coexist() -> None:
    """Pitfall: keyed by symbol only. One table has every session, each as if it were the last."""
    close = holed(walk(500, 3))
    table = table_of(close, 300)
    for row in (300, 407, 499):
        assert_same_table(table_of(close[: row + 1], row), cut(table, slice(row - 300, row - 299)))


def test_tiles_may_be_worked_in_threads() -> None:
    whole = eventful(600, 600)
    with ThreadPoolExecutor(2) as pool:
        assert_same_table(symbol_metrics(whole, 550, each=pool.map), symbol_metrics(whole, 550))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.5), st.sampled_from([0.25, 3.0, 1000.0]))
def test_the_unit_of_money_does_not_matter(seed: int, holes: float, factor: float) -> None:
    """Scale invariance: prices and dividends times c. Extremes are in money and scale with it."""
    one = eventful(400, 4, seed, holes)
    other = replace(one, close=one.close * factor, dividend=one.dividend * factor)
    left, right = symbol_metrics(one, 300), symbol_metrics(other, 300)
    np.testing.assert_array_equal(left.reason, right.reason)
    np.testing.assert_array_equal(left.n, right.n)
    for key in KEYS:
        if key in ("vol_percentile", "vol_trend"):  # a comparison may turn on the last bit
            continue
        scale = factor if key in ("high_52w", "low_52w") else 1.0
        np.testing.assert_allclose(column(right, key), column(left, key) * scale, rtol=1e-9, atol=1e-11)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.9), st.integers(1, 350))
def test_odd_histories_give_values_in_bounds_or_reasons(seed: int, holes: float, sessions: int) -> None:
    """Holes, zero and negative prices, constant prices, short or no history: finite or null, no error."""
    rng = np.random.default_rng(seed)
    close = holed(walk(sessions, 5, seed), holes, seed)
    close[rng.random(close.shape) < 0.03] = rng.choice([0.0, -3.0, np.inf])
    close[:, 3] = 4.0
    table = table_of(close)
    np.testing.assert_array_equal(np.isnan(table.value), table.reason != NONE)
    assert not np.isinf(table.value).any()
    bounds = {
        "max_drawdown": (-1, 0),
        "drawdown": (-1, 0),
        "vol_percentile": (0, 1),
        "data_quality": (0, 1),
        "vol_21": (0, np.inf),
    }
    for key, (low, high) in bounds.items():
        there = column(table, key)[table.reason[KEYS.index(key)] == NONE]
        assert ((there >= low) & (there <= high)).all(), key
    assert (np.nan_to_num(column(table, "max_drawdown")) <= np.nan_to_num(column(table, "drawdown"))).all()


def test_an_empty_panel_has_an_empty_table() -> None:
    table = table_of(np.empty((300, 0)), 250)
    assert table.value.shape == (len(KEYS), 50, 0)


def test_a_volatility_is_that_of_the_sessions_own_window() -> None:
    close: FloatArray = walk(400, 1)
    returns = returns_of(close)[0]
    table = table_of(close, 399)
    np.testing.assert_allclose(column(table, "vol_21"), returns.iloc[-21:].std() * 252**0.5, rtol=1e-9)
