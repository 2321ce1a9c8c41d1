"""From closes, splits and dividends to returns and to prices that can be used for valuation.

Knows nothing of symbols, dates or where the closes come from.
"""

from dataclasses import dataclass

import numpy as np

from glassfolio.model.market import FloatArray, IntArray


@dataclass(frozen=True)
class Carried:
    """Prices for valuation only.

    price: (T, S) the last close at or before each session, on that session's share basis; NaN before the
    first close.
    stale: (T, S) sessions since that close, 0 where it is the session's own, -1 before the first close.
    """

    price: FloatArray
    stale: IntArray


def simple_returns(close: FloatArray, split: FloatArray, dividend: FloatArray) -> FloatArray:
    """Daily simple total returns, s (P + d) / P_prev - 1.

    close, split, dividend: (T, S); close is NaN where there is none, split 1, dividend 0 (USD per share
    after the split).
    Returns (T, S), fractions, NaN unless the closes of both t and t - 1 exist; the first row is NaN.
    Checked against pandas pct_change(fill_method=None).
    """
    returns = np.full_like(close, np.nan)
    returns[1:] = split[1:] * (close[1:] + dividend[1:]) / close[:-1] - 1
    return returns


def carry(close: FloatArray, split: FloatArray) -> Carried:
    """The last close at or before each session; divided by a split that falls into a gap."""
    known = np.isfinite(close)
    rows = np.arange(len(close))[:, None]
    last = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    price = np.where(last >= 0, np.take_along_axis(close, np.maximum(last, 0), axis=0), np.nan)
    for row, column in np.argwhere(~known & (split != 1) & (last >= 0)):
        gap = last[:, column] == last[row, column]
        gap[:row] = False
        price[gap, column] /= split[row, column]
    return Carried(price, np.where(last >= 0, rows - last, -1))


def growth(close: FloatArray, split: FloatArray, dividend: FloatArray) -> FloatArray:
    """Factors by which an investment with reinvested dividends grows at each session.

    (T, S), 1 + the daily return where there is one; over a gap the price ratio falls on the first new close
    and a dividend inside it is reinvested at the carried price; 1 at and before the first close. Never NaN.
    """
    price = carry(close, split).price
    factors = np.ones_like(close)
    factors[1:] = split[1:] * (price[1:] + dividend[1:]) / price[:-1]
    return np.where(np.isfinite(factors), factors, 1.0)


def total_return_index(close: FloatArray, split: FloatArray, dividend: FloatArray) -> FloatArray:
    """Value of 1 invested at the first close; (T, S), NaN where the session itself has no close.

    Checked against empyrical.cum_returns' definition, (1 + r).cumprod(), where there are no gaps.
    """
    index = np.cumprod(growth(close, split, dividend), axis=0)
    return np.where(np.isfinite(close), index, np.nan)


def coverage(close: FloatArray) -> FloatArray:
    """Closes held over sessions since the first close, per column; (S,), NaN for a column without any
    close.
    """
    known = np.isfinite(close)
    held = known.sum(axis=0)
    since = len(close) - known.argmax(axis=0)
    return np.where(held > 0, held / np.maximum(since, 1), np.nan)
