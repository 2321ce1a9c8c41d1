"""The total return index of symbols: closes with splits and dividends put back in.

The index is never levelled: what splits and dividends added is kept as logarithms in fixed point, because
whole numbers add up exactly. So a change between two sessions has the same bits wherever the data start.
Knows nothing of symbols, dates or periods.
"""

from dataclasses import dataclass

import numpy as np

from glassfolio.analytics.drawdowns import UNIT
from glassfolio.analytics.returns import carry, usable
from glassfolio.model.market import BoolArray, FloatArray, IntArray

# What splits and dividends added is log(factor) in units of 2^-52; a drawdown's levels are coarser.
_BITS = 52
_COARSER = round(np.log2(UNIT)) + _BITS


@dataclass(frozen=True)
class Index:
    """The index of S symbols on T sessions.

    known: (T, S) whether there is a close; price: (T, S) the last close so far, on the session's share basis,
    NaN before the first; stale: (T, S) its age, -1 before the first. adjusted: (E,) the columns with splits
    or dividends; gains: (T, E) the log of what these added on each session, in units of 2^-52.
    """

    known: BoolArray
    price: FloatArray
    stale: IntArray
    adjusted: IntArray
    gains: IntArray

    def change(self, base: IntArray, rows: IntArray) -> FloatArray:
        """The index at `rows` over the index at `base`, less 1; (D, S), fractions.

        base, rows: (D,). Over a gap the price ratio counts, and a dividend inside it is reinvested at the
        carried price. NaN where either has no price. Checked against pandas asof on an adjusted series.
        """
        ratio = self.price[rows]
        ratio /= self.price[base]
        if self.adjusted.size:
            added = np.cumsum(self.gains, axis=0)
            ratio[:, self.adjusted] *= np.exp((added[rows] - added[base]) * 2.0**-_BITS)
        ratio -= 1
        return ratio

    def levels(self) -> IntArray:
        """(T, S) log of the index in units of UNIT from an arbitrary start; 0 before the first close."""
        priced = np.where(self.stale < 0, 1.0, self.price) if not self.known.all() else self.price
        level = np.log(priced)
        level /= UNIT
        levels: IntArray = np.rint(level, out=level).astype(np.int64)
        levels[:, self.adjusted] += np.cumsum(self.gains >> _COARSER, axis=0)
        return levels


def total_return_index(close: FloatArray, split: FloatArray, dividend: FloatArray) -> Index:
    """The index of closes (T, S), NaN where there is none; splits and dividends as for `simple_returns`."""
    known, carried = usable(close), carry(close, split)
    events = (split != 1) | (dividend != 0)
    columns = np.flatnonzero(events.any(axis=0))
    gains = np.zeros((len(close), len(columns)), dtype=np.int64)
    if columns.size:
        price = carried.price[:, columns]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            gain = np.log(split[:, columns] * (price + dividend[:, columns]) / price) * 2.0**_BITS
        counts = events[:, columns] & np.isfinite(gain)
        gains[counts] = np.rint(gain[counts]).astype(np.int64)
    return Index(known, carried.price, carried.stale, columns, gains)
