"""Drawdowns with their dates, against empyrical, pandas and a plain loop."""

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassfolio.analytics.drawdowns import UNIT, falls
from glassfolio.analytics.symbols import symbol_metrics
from glassfolio.model.market import FloatArray
from tests.analytics.books import panel
from tests.analytics.series import NAN, column, holed, reasons, returns_of, table_of, walk


def plain(levels: FloatArray) -> tuple[float, int, int, float, int]:
    """Deepest fall, its peak and trough, today's fall and its peak: one pass over one window."""
    deepest, at, peak, top = 1.0, (-1, -1), -1, -np.inf
    today = NAN
    for row, level in enumerate(levels):
        if np.isnan(level):
            continue
        if level > top:
            top, peak = level, row
        today = level / top - 1
        if today < deepest:
            deepest, at = today, (peak, row)
    return deepest, at[0], at[1], today, peak


@pytest.mark.parametrize("holes", [0.0, 0.1])
def test_drawdowns_and_their_dates_match_a_plain_loop(holes: float) -> None:
    """max_drawdown and drawdown of every window, base close included, with peak and trough."""
    close = holed(walk(600, 5), holes)
    table = table_of(close, 250)
    for row in range(250, 600):
        for symbol in range(5):
            deepest, peak, trough, today, high = plain(close[max(row - 252, 0) : row + 1, symbol])
            first, at = max(row - 252, 0), row - 250
            np.testing.assert_allclose(
                column(table, "max_drawdown")[at, symbol], deepest, rtol=1e-9, atol=1e-12
            )
            np.testing.assert_allclose(column(table, "drawdown")[at, symbol], today, rtol=1e-9, atol=1e-12)
            assert table.details["max_drawdown", "peak"][at, symbol] == first + peak
            assert table.details["max_drawdown", "trough"][at, symbol] == first + trough
            assert table.details["drawdown", "peak"][at, symbol] == first + high


def test_the_maximum_drawdown_matches_empyrical() -> None:
    close = walk(400, 3)
    table = table_of(close, 300)
    for row in (300, 333, 399):
        for symbol in range(3):
            truth = empyrical.max_drawdown(returns_of(close)[symbol].iloc[row - 251 : row + 1])
            np.testing.assert_allclose(column(table, "max_drawdown")[row - 300, symbol], truth, rtol=1e-9)


def test_dividends_and_splits_are_not_losses() -> None:
    """Pitfall: a price series overstates the drawdown by dividends, and a split is no fall of half."""
    prices = panel(np.full((300, 1), 100.0))
    prices.close[200:] = 47.0
    prices.split[200], prices.dividend[200] = 2.0, 3.0
    prices.close[250:] = 46.0
    table = symbol_metrics(prices, 260)
    np.testing.assert_allclose(column(table, "max_drawdown"), 46 / 47 - 1, rtol=1e-9)
    assert (table.details["max_drawdown", "trough"] == 250).all()


def test_a_dividend_in_a_hole_is_reinvested_at_the_carried_price() -> None:
    prices = panel(np.full((300, 1), 100.0))
    prices.close[200:205] = NAN
    prices.dividend[202] = 10.0
    prices.close[205:] = 95.0
    table = symbol_metrics(prices, 290)
    np.testing.assert_allclose(column(table, "max_drawdown"), 0, atol=1e-12)
    prices.dividend[202] = 0.0
    np.testing.assert_allclose(column(symbol_metrics(prices, 290), "max_drawdown"), -0.05, rtol=1e-9)


def test_the_earliest_of_equal_peaks_and_troughs_is_named() -> None:
    close = np.full((300, 1), 100.0)
    close[[100, 150, 200]] = 110.0
    close[[120, 170, 220]] = 99.0
    table = table_of(close, 299)
    assert table.details["max_drawdown", "peak"][0, 0] == 100
    assert table.details["max_drawdown", "trough"][0, 0] == 120
    assert table.details["drawdown", "peak"][0, 0] == 100


def test_the_base_close_is_part_of_the_window_and_no_row_before_it() -> None:
    close = np.full((300, 1), 100.0)
    close[47] = 200.0
    assert column(table_of(close, 299), "max_drawdown")[0, 0] == pytest.approx(-0.5)
    close[46:48, 0] = 200.0, 100.0
    assert column(table_of(close, 299), "max_drawdown")[0, 0] == 0.0


def test_a_drawdown_needs_168_returns() -> None:
    table = table_of(walk(180, 1))
    for key in ("max_drawdown", "drawdown"):
        np.testing.assert_array_equal(np.isnan(column(table, key)[:, 0]), np.arange(180) < 168)
        assert np.isnan(table.details[key, "peak"][167, 0])
        assert reasons(table, key)[167] == "insufficient_history"


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 200), st.floats(0.0, 0.6))
def test_the_deepest_fall_is_the_deepest(seed: int, rows: int, share: float) -> None:
    """Bounds: drawdown <= 0; today's is never deeper than the deepest; the peak comes before the trough."""
    rng = np.random.default_rng(seed)
    known = rng.random((252 + rows, 2)) >= share
    levels = np.rint(np.cumsum(rng.choice([-0.1, -0.01, 0.0, 0.02, 0.1], known.shape), axis=0) / UNIT)
    last = np.maximum.accumulate(np.where(known, np.arange(len(known))[:, None], 0), axis=0)
    carried = np.take_along_axis(levels, last, axis=0).astype(np.int64)
    found = falls(carried, known, rows)
    there = found.high >= 0
    assert (found.deepest[there] <= 0).all()
    for j in range(rows):
        for symbol in range(2):
            window = np.where(known, np.exp(carried * UNIT), NAN)[j : j + 253, symbol]
            if np.isfinite(window).any():
                deepest, _peak, _trough, _today, _high = plain(window)
                np.testing.assert_allclose(found.deepest[j, symbol], deepest, rtol=1e-9, atol=1e-12)
                assert found.peak[j, symbol] <= found.trough[j, symbol]
            else:
                assert found.high[j, symbol] == found.peak[j, symbol] == found.trough[j, symbol] == -1


def test_levels_beyond_all_measure_are_cut_off_and_do_no_harm() -> None:
    """A move by more than e^16 is no market move; there is neither inf nor an error."""
    close = np.full((300, 1), 1e-9)
    close[150:] = 1e12
    close[299] = 1e11
    table = table_of(close, 298)
    assert np.isfinite(column(table, "max_drawdown")).all()
    np.testing.assert_allclose(column(table, "drawdown")[:, 0], [0, -0.9], rtol=1e-9, atol=1e-12)


def test_a_rolling_peak_agrees_with_pandas() -> None:
    close = walk(700, 2)
    series = pd.DataFrame(close)
    expected = (series / series.rolling(253).max() - 1).to_numpy()[300:]
    np.testing.assert_allclose(column(table_of(close, 300), "drawdown"), expected, rtol=1e-9, atol=1e-12)
