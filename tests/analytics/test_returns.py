"""Returns, carried prices and the total-return index, against pandas and by hand."""

import numpy as np
import pandas as pd

from glassfolio.analytics.returns import carry, coverage, growth, simple_returns, total_return_index
from glassfolio.model.market import FloatArray

NAN = float("nan")


def prices(*rows: float) -> FloatArray:
    return np.array(rows, dtype=np.float64)[:, None]


def walk(sessions: int, symbols: int, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    walked: FloatArray = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (sessions, symbols)), axis=0))
    return walked


def test_returns_match_pandas_with_holes() -> None:
    close = walk(60, 4)
    close[np.random.default_rng(1).random(close.shape) < 0.1] = NAN
    expected = pd.DataFrame(close).pct_change(fill_method=None).to_numpy()
    np.testing.assert_allclose(
        simple_returns(close, np.ones_like(close), np.zeros_like(close)), expected, rtol=1e-9, atol=1e-12
    )


def test_a_split_and_a_dividend_of_one_day_belong_to_the_return() -> None:
    close, split, dividend = prices(100, 51), prices(1, 2), prices(0, 0.5)
    np.testing.assert_allclose(simple_returns(close, split, dividend)[1], 2 * 51.5 / 100 - 1)


def test_a_hole_takes_two_returns_and_is_not_one_giant_return() -> None:
    """Returns exist only between adjacent closes, symbol by symbol."""
    close = np.column_stack([prices(10, NAN, 12, 13), prices(10, 11, 12, 13)])
    missing = np.isnan(simple_returns(close, np.ones_like(close), np.zeros_like(close)))
    np.testing.assert_array_equal(missing[:, 0], [True, True, True, False])
    np.testing.assert_array_equal(missing[:, 1], [True, False, False, False])


def test_a_carried_price_knows_its_age() -> None:
    carried = carry(prices(NAN, 10, NAN, NAN, 12), np.ones((5, 1)))
    np.testing.assert_array_equal(carried.price[:, 0], [NAN, 10, 10, 10, 12])
    np.testing.assert_array_equal(carried.stale[:, 0], [-1, 0, 1, 2, 0])


def test_a_carried_price_follows_the_splits_of_its_gap() -> None:
    carried = carry(prices(12, NAN, NAN, NAN, 2), prices(1, 1, 2, 3, 1))
    np.testing.assert_array_equal(carried.price[:, 0], [12, 12, 6, 2, 2])


def test_the_index_is_the_compounded_return_where_there_is_no_gap() -> None:
    close = walk(40, 3)
    dividend = np.where(np.random.default_rng(2).random(close.shape) < 0.1, 0.3, 0.0)
    returns = simple_returns(close, np.ones_like(close), dividend)
    expected = np.cumprod(1 + np.nan_to_num(returns), axis=0)
    np.testing.assert_allclose(total_return_index(close, np.ones_like(close), dividend), expected, rtol=1e-12)


def test_the_index_bridges_a_gap_by_the_price_ratio() -> None:
    """Money moved, even if no daily return can be stated."""
    index = total_return_index(prices(NAN, 10, NAN, NAN, 6, 7), prices(1, 1, 1, 2, 1, 1), np.zeros((6, 1)))
    np.testing.assert_allclose(index[:, 0], [NAN, 1, NAN, NAN, 1.2, 1.4])


def test_a_dividend_inside_a_gap_is_reinvested_at_the_carried_price() -> None:
    factors = growth(prices(10, NAN, 11), np.ones((3, 1)), prices(0, 0.5, 0))
    np.testing.assert_allclose(factors[:, 0], [1, 1.05, 1.1])


def test_coverage_counts_from_the_first_close() -> None:
    """Since listing, not since the start of the range."""
    close = np.column_stack([prices(NAN, 10, NAN, 12), prices(1, 2, 3, 4), prices(NAN, NAN, NAN, NAN)])
    np.testing.assert_allclose(coverage(close), [2 / 3, 1, NAN])
