"""Returns, carried prices and the total-return index, against pandas, empyrical and by hand."""

import empyrical
import numpy as np
import pandas as pd
import pytest

from glassfolio.analytics.drawdowns import UNIT
from glassfolio.analytics.index import Index, total_return_index
from glassfolio.analytics.returns import carry, simple_returns, usable
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


def index_of(close: FloatArray, split: FloatArray, dividend: FloatArray) -> Index:
    return total_return_index(close, split, dividend)


def changes(index: Index, base: int = 0) -> FloatArray:
    """From one row to every row, of the first symbol."""
    rows = np.arange(len(index.known))
    return index.change(np.full(len(rows), base), rows)[:, 0]


def events(close: FloatArray, seed: int = 2) -> tuple[FloatArray, FloatArray]:
    """Splits of 2:1, 3:1 and 1:10 now and then, and dividends."""
    rng = np.random.default_rng(seed)
    split = np.where(rng.random(close.shape) < 0.05, rng.choice([2.0, 3.0, 0.1], close.shape), 1.0)
    return split, np.where(rng.random(close.shape) < 0.1, 0.3, 0.0)


def test_the_index_is_the_compounded_return_where_there_is_no_gap() -> None:
    close = walk(40, 3)
    split, dividend = events(close)
    returns = simple_returns(close, split, dividend)
    index = total_return_index(close, split, dividend)
    got = index.change(np.zeros(40, dtype=np.int64), np.arange(40))
    expected = empyrical.cum_returns(pd.DataFrame(returns[1:])).to_numpy()
    np.testing.assert_allclose(got[1:], expected, rtol=1e-9, atol=1e-12)
    levels = (index.levels() - index.levels()[0]) * UNIT
    np.testing.assert_allclose(np.expm1(levels), got, rtol=1e-9, atol=1e-11)


def test_the_index_bridges_a_gap_by_the_price_ratio() -> None:
    """Money moved, even if no daily return can be stated; the split falls into the gap."""
    index = index_of(prices(NAN, 10, NAN, NAN, 6, 7), prices(1, 1, 1, 2, 1, 1), np.zeros((6, 1)))
    np.testing.assert_allclose(changes(index, 1), [NAN, 0, 0, 0, 0.2, 0.4], atol=1e-15)
    np.testing.assert_array_equal(index.stale[:, 0], [-1, 0, 1, 2, 0, 0])


def test_a_dividend_inside_a_gap_is_reinvested_at_the_carried_price() -> None:
    index = index_of(prices(10, NAN, 11), np.ones((3, 1)), prices(0, 0.5, 0))
    np.testing.assert_allclose(changes(index), [0, 0.05, 0.155], atol=1e-15)


def test_a_change_has_the_same_bits_wherever_the_data_start() -> None:
    close = walk(200, 5)
    split, dividend = events(close)
    whole, part = (total_return_index(close[k:], split[k:], dividend[k:]) for k in (0, 77))
    rows = np.arange(100, 200)
    np.testing.assert_array_equal(whole.change(rows - 21, rows), part.change(rows - 98, rows - 77))
    np.testing.assert_array_equal(
        whole.levels()[100:] - whole.levels()[99], part.levels()[23:] - part.levels()[22]
    )


@pytest.mark.parametrize("bad", [0.0, -5.0, float("inf"), -float("inf"), 1e300, 1e-300])
def test_a_close_that_is_no_price_counts_as_missing(bad: float) -> None:
    """Quarantined before it gets here; neither inf nor an error if it does."""
    close, hole = walk(30, 1), walk(30, 1)
    close[10], hole[10] = bad, NAN
    one = np.ones_like(close)
    np.testing.assert_array_equal(simple_returns(close, one, one * 0), simple_returns(hole, one, one * 0))
    np.testing.assert_array_equal(carry(close, one).price, carry(hole, one).price)
    np.testing.assert_array_equal(index_of(close, one, one * 0).known[:, 0], np.arange(30) != 10)


@pytest.mark.parametrize(
    ("price", "counts"), [(1e-9, True), (9.9e-10, False), (1e12, True), (1.01e12, False)]
)
def test_the_range_of_prices(price: float, counts: bool) -> None:
    assert usable(np.array([price]))[0] == counts
