"""From closes, splits and dividends to returns and to prices that can be used for valuation.

A close that is not a number between 1e-9 and 1e12 counts as missing. Knows nothing of symbols, dates or
where the closes come from.
"""

from dataclasses import dataclass

import numpy as np

from glassfolio.model.market import BoolArray, FloatArray, IntArray

LEAST_CLOSE, GREATEST_CLOSE = 1e-9, 1e12


@dataclass(frozen=True)
class Carried:
    """Prices for valuation only.

    price: (T, S) the last close at or before each session, on that session's share basis; NaN before the
    first close.
    stale: (T, S) sessions since that close, 0 where it is the session's own, -1 before the first close.
    """

    price: FloatArray
    stale: IntArray


def usable(close: FloatArray) -> BoolArray:
    """Whether a close is one: a number that money can have, so that no ratio of two overflows."""
    return (close >= LEAST_CLOSE) & (close <= GREATEST_CLOSE)


def simple_returns(close: FloatArray, split: FloatArray, dividend: FloatArray) -> FloatArray:
    """Daily simple total returns, s (P + d) / P_prev - 1.

    close, split, dividend: (T, S); close is NaN where there is none, split 1, dividend 0 (USD per share
    after the split).
    Returns (T, S), fractions, NaN unless the closes of both t and t - 1 exist; the first row is NaN.
    Checked against pandas pct_change(fill_method=None).
    """
    known = usable(close)
    price = close if known.all() else np.where(known, close, np.nan)
    returns = np.full_like(price, np.nan)
    np.add(price[1:], dividend[1:], out=returns[1:])
    returns[1:] *= split[1:]
    returns[1:] /= price[:-1]
    returns[1:] -= 1
    return returns


def carry(close: FloatArray, split: FloatArray) -> Carried:
    """The last close at or before each session; divided by a split that falls into a gap."""
    known = usable(close)
    if known.all():
        return Carried(close, np.zeros(close.shape, dtype=np.int64))
    rows = np.arange(len(close))[:, None]
    last = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    price = np.where(last >= 0, np.take_along_axis(close, np.maximum(last, 0), axis=0), np.nan)
    for row, column in np.argwhere(~known & (split != 1) & (last >= 0)):
        gap = last[:, column] == last[row, column]
        gap[:row] = False
        price[gap, column] /= split[row, column]
    return Carried(price, np.where(last >= 0, rows - last, -1))
