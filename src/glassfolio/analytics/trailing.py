"""Folds over trailing windows of sessions, taken together in an order that never varies.

A window is a fixed tree of its own rows, so a result depends on nothing outside its window, to the last bit:
not on where the data start, nor on other columns; and rounding does not build up along the rows. Windows
that are multiples of each other share their work: 21 sessions, 3 times 21, 4 times 63.
Knows nothing of prices.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glassfolio.model.market import FloatArray

# Takes two adjoining stretches, the older first, and the rows of the newer one.
Combine = Callable[[FloatArray, FloatArray, int], FloatArray]
MONTH, QUARTER, YEAR = 21, 63, 252
_ROUNDING = 1e-13


def fold(values: FloatArray, count: int, step: int, combine: Combine) -> FloatArray:
    """`count` rows taken together, `step` rows apart, the last of them each row of the result.

    values: (T, ...). Returns (T - (count - 1) * step, ...). step: the rows that each value itself stands for.
    """
    rows = len(values) - (count - 1) * step
    block, size, covered = values, 1, 0
    total: FloatArray | None = None
    while True:
        if count & size:
            first = (count - covered - size) * step
            part = block[first : first + rows]
            total = part if total is None else combine(part, total, covered * step)
            covered += size
        if 2 * size > count:
            assert total is not None
            return total
        block = combine(block[: -size * step], block[size * step :], size * step)
        size *= 2


@dataclass(frozen=True)
class Windows:
    """One quantity over 21, 63 and 252 sessions.

    month: (A, S), for as many rows as the values give; quarter, year: for the last rows of those.
    """

    month: FloatArray
    quarter: FloatArray
    year: FloatArray


def nest(values: FloatArray, rows: int, combine: Combine) -> Windows:
    """The three windows of values, quarter and year for the last `rows` rows.

    values: (T, S), T >= rows + 251, no NaN.
    """
    month = fold(values, MONTH, 1, combine)
    quarter = fold(month[-(rows + YEAR - MONTH) :], QUARTER // MONTH, MONTH, combine)
    year = fold(quarter[-(rows + YEAR - QUARTER) :], YEAR // QUARTER, QUARTER, combine)
    return Windows(month, quarter[-rows:], year[-rows:])


def add(left: FloatArray, right: FloatArray, _rows: int) -> FloatArray:
    """Sums."""
    return left + right


def decayed(half_life: float) -> Combine:
    """Sums in which a row counts half as much for every `half_life` rows of age."""

    def combine(left: FloatArray, right: FloatArray, rows: int) -> FloatArray:
        aged: FloatArray = left * 0.5 ** (rows / half_life)
        aged += right
        return aged

    return combine


def sum_of_squares(squares: FloatArray, total: FloatArray, n: FloatArray) -> FloatArray:
    """The centred sum of squares, sum(x x) - sum(x)^2 / n; exactly 0 where only rounding is left of it.

    NaN where n is 0.
    """
    spread = squares - total * total / n
    rounding = spread <= _ROUNDING * squares
    if rounding.any():
        spread[rounding] = 0.0
    return spread


def reach_back(values: FloatArray, first: int, fill: float) -> FloatArray:
    """Rows from `first` on; where that is before the first row, rows of `fill` stand before it."""
    if first >= 0:
        return values[first:]
    return np.concatenate([np.full((-first, *values.shape[1:]), fill), values])
