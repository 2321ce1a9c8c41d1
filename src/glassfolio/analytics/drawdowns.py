"""The deepest fall from a peak within a year of sessions, today's fall, and when they began and ended.

Works on logarithms of a total return index in fixed point: whole numbers add up exactly, so a result has the
same bits wherever the data start. Knows nothing of symbols or dates.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glassfolio.analytics.trailing import YEAR
from glassfolio.model.market import BoolArray, FloatArray, IntArray

# A level is log(index) in units of 2^-43. With its row in the low 14 bits, one minimum finds level and row.
FRACTION_BITS, ROW_BITS = 43, 14
UNIT = 2.0**-FRACTION_BITS
_ROW = (1 << ROW_BITS) - 1
_WIDEST = (1 << (FRACTION_BITS + 4)) - 1  # e^16: beyond it levels are cut off
_MISSING = (1 << 62) - (1 << ROW_BITS)
_PART = YEAR // 4


@dataclass(frozen=True)
class Falls:
    """(D, S) each: falls as fractions <= 0 and rows of the given levels, -1 where no level is in the window.

    deepest: lowest level against the highest before it, both within the window; from row `peak` to row
    `trough`, the earliest if there are several. today: the last level against the highest, at row `high`.
    """

    deepest: FloatArray
    peak: IntArray
    trough: IntArray
    today: FloatArray
    high: IntArray


@dataclass(frozen=True)
class _Stretch:
    """What adjoining rows have to offer, each with a row in its low bits; smaller is better.

    top: highest level, negated. low: lowest level. by_trough, by_peak: deepest fall, with the row of its end
    and of its beginning.
    """

    top: IntArray
    low: IntArray
    by_trough: IntArray
    by_peak: IntArray

    @classmethod
    def of(cls, top: IntArray, low: IntArray) -> "_Stretch":
        """Single rows: each a fall of nothing, from and to itself."""
        return cls(top, low, (top & ~_ROW) + low, top + (low & ~_ROW))

    def then(self, later: "_Stretch") -> "_Stretch":
        """Both together, this one being the older."""
        by_trough = (self.top & ~_ROW) + later.low
        by_peak = self.top + (later.low & ~_ROW)
        for across, one, other in (
            (by_trough, self.by_trough, later.by_trough),
            (by_peak, self.by_peak, later.by_peak),
        ):
            np.minimum(across, one, out=across)
            np.minimum(across, other, out=across)
        top, low = np.minimum(self.top, later.top), np.minimum(self.low, later.low)
        return _Stretch(top, low, by_trough, by_peak)

    def parts(self, first: int, last: int) -> "_Stretch":
        """Some of the parts."""
        which = slice(first, last)
        return _Stretch(self.top[which], self.low[which], self.by_trough[which], self.by_peak[which])


def falls(levels: IntArray, known: BoolArray, rows: int) -> Falls:
    """Falls within the 253 levels that end at each of the last `rows` rows.

    levels: (252 + rows, S) log of the index in units of UNIT, carried over gaps; known: where there is one.
    Levels that are not known take no part, but for today's, which is carried. rows: up to 16,000.
    Checked against empyrical.max_drawdown.
    """
    count, columns = -(-rows // _PART), levels.shape[1]
    level = np.clip(levels - levels[-1], -_WIDEST, _WIDEST)
    level <<= ROW_BITS
    row = np.arange(len(levels))[:, None]
    top, low = _in_parts(row - level, known, count + 4), _in_parts(level + row, known, count + 4)
    # top, deepest fall by trough and by peak of each window
    found = np.empty((3, count, _PART, columns), dtype=np.int64)
    for i, window in _windows(top, low, count):
        found[0, :, i], found[1, :, i], found[2, :, i] = window.top, window.by_trough, window.by_peak
    highest, deepest, by_peak = found.reshape(3, -1, columns)[:, :rows]
    nothing = highest == _MISSING
    return Falls(
        _fraction(deepest),
        _row(by_peak, nothing),
        _row(deepest, nothing),
        _fraction((highest & ~_ROW) + level[-rows:]),
        _row(highest, nothing),
    )


def _in_parts(packed: IntArray, known: BoolArray, count: int) -> IntArray:
    """(63, count, S): the i-th rows of all parts side by side; beyond the last row all is missing."""
    if not known.all():
        packed[~known] = _MISSING
    whole = np.full((count * _PART, packed.shape[1]), _MISSING)
    whole[: len(packed)] = packed
    return np.ascontiguousarray(whole.reshape(count, _PART, -1).swapaxes(0, 1))


def _windows(top: IntArray, low: IntArray, count: int) -> Iterator[tuple[int, _Stretch]]:
    """For each i, the windows that begin at the i-th rows of the first `count` parts.

    A window of 253 rows is the end of one part, three whole parts, and the beginning of the one after them.
    """
    ends: list[_Stretch] = []
    end = _Stretch.of(top[-1, :-1], low[-1, :-1])
    for i in range(_PART - 1, -1, -1):
        if i < _PART - 1:
            end = _Stretch.of(top[i, :-1], low[i, :-1]).then(end)
        ends.append(end.parts(0, count))
    middle = end.parts(1, count + 1).then(end.parts(2, count + 2)).then(end.parts(3, count + 3))
    begun: _Stretch | None = None
    for i in range(_PART):
        one = _Stretch.of(top[i, 4:], low[i, 4:])
        begun = one if begun is None else begun.then(one)
        yield i, ends[_PART - 1 - i].then(middle).then(begun)


def _fraction(packed: IntArray) -> FloatArray:
    fall: FloatArray = np.expm1((packed >> ROW_BITS) * UNIT)
    return fall


def _row(packed: IntArray, nothing: BoolArray) -> IntArray:
    row = packed & _ROW
    if nothing.any():
        row[nothing] = -1
    return row
