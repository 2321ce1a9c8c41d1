"""Columns of the price grid: how they are made and put beside each other."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from glassfolio.analytics.instruments import Instruments, Kind, cash, join, listed, private, trace
from tests.analytics.books import NAN


def stocks(close: list[list[float]]) -> Instruments:
    prices = np.array(close, dtype=np.float64)
    return listed(prices, np.ones_like(prices), np.zeros_like(prices))


def appraised(rows: list[int], prices: list[float], sessions: int) -> Instruments:
    return private([(np.array(rows, dtype=np.int64), np.array(prices))], sessions)


@pytest.mark.parametrize(
    ("rows", "prices", "close", "age"),
    [
        ([1, 3], [5.0, 7.0], [NAN, 5, NAN, 7], 0),
        ([-7, -2], [5.0, 7.0], [7, NAN, NAN, NAN], 2),
        ([-2, 0], [5.0, 7.0], [7, NAN, NAN, NAN], 0),
        ([2, 2], [5.0, 7.0], [NAN, NAN, 7, NAN], 0),
        ([2, 4], [5.0, 7.0], [NAN, NAN, 5, NAN], 0),
        ([], [], [NAN, NAN, NAN, NAN], 0),
    ],
    ids=["on the grid", "before it", "before and on its first", "twice in one", "after it", "never"],
)
def test_an_appraisal_stands_in_its_session_and_ages(
    rows: list[int], prices: list[float], close: list[float], age: int
) -> None:
    """Private positions: a step function of dated appraisals, carried with its age."""
    made = appraised(rows, prices, 4)
    np.testing.assert_array_equal(made.close[:, 0], close)
    assert made.age[0] == age


def test_the_age_of_an_old_appraisal_counts_on_until_the_next() -> None:
    paths = trace(appraised([-2, 2], [5.0, 7.0], 4))
    np.testing.assert_array_equal(paths.price[0], [5, 5, 7, 7])
    np.testing.assert_array_equal(paths.stale[0], [2, 3, 0, 1])


def test_a_carried_close_says_how_many_sessions_old_it_is() -> None:
    """Carried price: the last close at or before, for valuation only."""
    paths = trace(stocks([[NAN], [10], [NAN], [NAN], [12]]))
    np.testing.assert_array_equal(paths.price[0], [NAN, 10, 10, 10, 12])
    np.testing.assert_array_equal(paths.stale[0], [0, 0, 1, 2, 0])
    assert paths.first[0] == 1


def test_cash_is_worth_one_dollar_or_what_is_stated_and_is_never_stale() -> None:
    paths = trace(cash(np.array([NAN, 0.98]), 2))
    np.testing.assert_array_equal(paths.price, [[1, 1], [0.98, 0.98]])
    np.testing.assert_array_equal(paths.stale, 0)


def test_columns_beside_each_other_keep_their_underlyings() -> None:
    pair = replace(stocks([[1, 2]]), underlying=np.array([1, 1]))
    whole = join([cash(np.array([NAN]), 1), pair, appraised([0], [3.0], 1)])
    np.testing.assert_array_equal(whole.close, [[1, 1, 2, 3]])
    np.testing.assert_array_equal(whole.underlying, [0, 2, 2, 3])
    np.testing.assert_array_equal(whole.kind, [Kind.CASH, Kind.LISTED, Kind.LISTED, Kind.PRIVATE])
    np.testing.assert_array_equal(whole.exposure_price, [[0, 1, 2, 3]])
    assert len(whole) == 4
    assert whole.sessions == 1


@pytest.mark.parametrize("name", [field.name for field in fields(Instruments)])
def test_fields_of_unequal_shape_are_refused(name: str) -> None:
    whole = stocks([[1, 2], [1, 2]])
    shorter: dict[str, Any] = {name: getattr(whole, name)[..., :1]}
    with pytest.raises(ValueError, match=r"grids|every column"):
        replace(whole, **shorter)


@pytest.mark.parametrize("underlying", [-1, 2])
def test_an_underlying_that_is_no_column_is_refused(underlying: int) -> None:
    with pytest.raises(ValueError, match="underlying"):
        replace(stocks([[1, 2]]), underlying=np.array([0, underlying]))
