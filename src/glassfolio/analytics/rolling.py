"""Sums and products over trailing windows of sessions, added up in an order that never varies.

A window of W rows is a fixed tree of its own rows (blocks of 1, 2, 4, … rows), element by element.
So a result depends on nothing outside its window: not on where the data start, nor on the other columns,
to the last bit; and rounding does not build up along the rows. Knows nothing of prices.
"""

from collections.abc import Iterator

import numpy as np

from glassfolio.model.market import FloatArray, IntArray

_ROUNDING = 1e-13
_TILE = 64


def rolling_sum(values: FloatArray, window: int, start: int = 0) -> FloatArray:
    """Sums of the `window` rows that end at each row from `start` on; shape (T - start, ...).

    values: (T, ...), no NaN; rows before the first count as 0. The sums have the memory order of the values;
    columns that lie together in memory (Fortran order) are the quickest.
    """
    out = len(values) - start
    block = _reach_back(values, start - window + 1)
    parts: list[FloatArray] = []
    offset, size = 0, 1
    while size <= window:
        if window & size:
            parts.append(block[offset : offset + out])
            offset += size
        if 2 * size <= window:
            block = block[:-size] + block[size:]
        size *= 2
    total = parts[0] + (parts[1] if len(parts) > 1 else 0.0)
    for part in parts[2:]:
        total += part
    return total


def _reach_back(values: FloatArray, first: int) -> FloatArray:
    if first >= 0:
        return values[first:]
    return np.concatenate([np.zeros((-first, *values.shape[1:])), values])


def trailing_product(values: FloatArray, lengths: IntArray) -> FloatArray:
    """Products of the last `lengths[t]` rows up to and including row t; 1 where the length is 0.

    values: (T, S), no NaN. lengths: (T,), 0 <= lengths[t] <= t + 1.
    """
    product = np.ones_like(values)
    ends = np.arange(len(values))
    block, size = values, 1
    while size <= int(lengths.max(initial=0)):
        rows = np.flatnonzero(lengths & size)
        product[rows] *= block[ends[rows] - size + 1]
        ends[rows] -= size
        block = block[:-size] * block[size:]
        size *= 2
    return product


def centred(squares: FloatArray, left: FloatArray, right: FloatArray, n: FloatArray) -> FloatArray:
    """The centred sum of products: sum(xy) - sum(x) sum(y) / n; NaN or inf where n is 0."""
    return squares - left * right / n


def sum_of_squares(squares: FloatArray, total: FloatArray, n: FloatArray) -> FloatArray:
    """The centred sum of squares, exactly 0 where nothing but rounding is left of it."""
    spread = centred(squares, total, total, n)
    return np.where(spread > _ROUNDING * squares, spread, 0.0)


def tiles(columns: IntArray) -> Iterator[IntArray]:
    """`columns` in pieces small enough that their arrays stay in the processor's cache."""
    for first in range(0, len(columns), _TILE):
        yield columns[first : first + _TILE]
