"""Whatever has a price, as the columns of one grid of sessions.

Knows nothing of lots, symbols or dates, nor of how the prices of options and appraisals came about.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from glassfolio.model.market import BoolArray, FloatArray, IntArray
from glassfolio.model.results import BitArray


class Kind(IntEnum):
    """How a column is priced, and what a dollar of it is exposed to.

    LISTED and PRIVATE: to a dollar of itself. OPTION: to delta times the underlying. CASH: to nothing.
    """

    LISTED = 0
    OPTION = 1
    PRIVATE = 2
    CASH = 3


@dataclass(frozen=True)
class Instruments:
    """S instruments on T sessions.

    close: (T, S) USD per share, or per unit of premium; NaN where no price was made at that session. Of a
    private one, its dated appraisals.
    split: (T, S) new shares per old, 1 where none. dividend: (T, S) USD per share after the split, 0 where
    none.
    exposure_price: (T, S) USD of exposure per share: the price, delta times the underlying's price, or 0 for
    cash. Read for options only, whose own price is not their exposure; NaN where it is unknown.
    warnings: (T, S) bits of Warning_ about the prices. age: (S,) sessions by which the price in the first
    row is older than that row.
    kind: (S,) codes of Kind. underlying: (S,) the column whose moves it follows, itself for all but options.
    Raises ValueError when shapes differ or an underlying is not a column.
    """

    close: FloatArray
    split: FloatArray
    dividend: FloatArray
    exposure_price: FloatArray
    warnings: BitArray
    age: IntArray
    kind: IntArray
    underlying: IntArray

    def __post_init__(self) -> None:
        grids = (self.split, self.dividend, self.exposure_price, self.warnings)
        if any(grid.shape != self.close.shape for grid in grids):
            raise ValueError("the grids of Instruments must have one shape")
        count = self.close.shape[1]
        if any(len(field) != count for field in (self.age, self.kind, self.underlying)):
            raise ValueError("every column of Instruments needs a kind, an age and an underlying")
        if not ((self.underlying >= 0) & (self.underlying < count)).all():
            raise ValueError("an underlying is not a column of Instruments")

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def sessions(self) -> int:
        """T."""
        return len(self.close)


def listed(close: FloatArray, split: FloatArray, dividend: FloatArray) -> Instruments:
    """Instruments with an exchange price; (T, S) each, close NaN where there is no bar."""
    return _simple(close, Kind.LISTED, split, dividend)


def cash(price: FloatArray, sessions: int) -> Instruments:
    """Money at a constant price; (S,) USD, 1.00 where NaN."""
    stated = np.where(np.isnan(price), 1.0, price)
    return _simple(np.tile(stated, (sessions, 1)), Kind.CASH)


def private(appraisals: Sequence[tuple[IntArray, FloatArray]], sessions: int) -> Instruments:
    """Positions that are appraised now and then.

    appraisals: for each column the rows and the prices (n,) of its appraisals, in rising order of their
    dates. A row is the first session on or after the date, so that no earlier session knows of it; of
    several in one row the last counts. A negative row lies that many sessions before the grid, rows past
    the grid are not read.
    """
    close = np.full((sessions, len(appraisals)), np.nan)
    age = np.zeros(len(appraisals), dtype=np.int64)
    for column, (rows, prices) in enumerate(appraisals):
        known = rows < sessions
        close[np.maximum(rows[known], 0), column] = prices[known]
        age[column] = -max(rows[rows <= 0], default=0)
    return _simple(close, Kind.PRIVATE, age=age)


def join(parts: Sequence[Instruments]) -> Instruments:
    """The columns of all parts beside each other; underlyings stay what they were within their part."""
    offsets = np.cumsum([0, *(len(part) for part in parts)])
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts], axis=-1)
        for field in fields(Instruments)
    }
    shifted = [part.underlying + offset for part, offset in zip(parts, offsets[:-1], strict=True)]
    return Instruments(**columns | {"underlying": np.concatenate(shifted)})


def _simple(
    close: FloatArray,
    kind: Kind,
    split: FloatArray | None = None,
    dividend: FloatArray | None = None,
    age: IntArray | None = None,
) -> Instruments:
    count = close.shape[1]
    return Instruments(
        close=close,
        split=np.ones_like(close) if split is None else split,
        dividend=np.zeros_like(close) if dividend is None else dividend,
        exposure_price=np.zeros_like(close) if kind is Kind.CASH else close,
        warnings=np.zeros(close.shape, dtype=np.int16),
        age=np.zeros(count, dtype=np.int64) if age is None else age,
        kind=np.full(count, kind),
        underlying=np.arange(count),
    )


@dataclass(frozen=True)
class Paths:
    """Instruments as the valuation of lots reads them, one row of T sessions per instrument.

    price, exposure: (S, T) USD per share as there were before the first row, so that a lot's quantity on that
    basis is constant; carried over sessions without a price, NaN before the first one.
    shares: (S, T) shares that one share from before the first row has become. first: (S,) the row of the
    first price, T where there is none.
    stale: (S, T) sessions since the carried price was made. carries: (S,) whether any price is carried.
    paid_column, paid_row, paid: (E,) the dividends, ordered by column: USD per share from before the first
    row. paid_from: (S + 1,) where each column's dividends begin.
    mark: (S,) a number that only the prices decide, to put equal lots in order.
    """

    price: FloatArray
    exposure: FloatArray
    shares: FloatArray
    first: IntArray
    stale: IntArray
    carries: BoolArray
    paid_row: IntArray
    paid: FloatArray
    paid_from: IntArray
    mark: FloatArray


def trace(instruments: Instruments) -> Paths:
    """The paths of all instruments, computed once for all lots."""
    shares = np.ones(instruments.split.T.shape)
    split = np.flatnonzero((instruments.split != 1).any(axis=0))
    shares[split] = np.cumprod(instruments.split.T[split], axis=1)
    price, last = _carry(np.ascontiguousarray(instruments.close.T) * shares)
    exposure = price
    options = np.flatnonzero(instruments.kind == Kind.OPTION)
    if len(options):
        exposure = price.copy()
        exposure[options] = _carry(instruments.exposure_price.T[options] * shares[options])[0]
    rows = np.arange(instruments.sessions, dtype=np.int32)
    known = last >= 0
    stale = np.where(known, rows - last, 0) + np.where(last == 0, instruments.age[:, None], 0)
    column, row = np.nonzero(instruments.dividend.T)
    return Paths(
        price=price,
        exposure=exposure,
        shares=shares,
        first=np.where(known.any(axis=1), known.argmax(axis=1), len(rows)),
        stale=stale,
        carries=np.any(stale > 0, axis=1),
        paid_row=row,
        paid=instruments.dividend[row, column] * shares[column, row],
        paid_from=np.searchsorted(column, np.arange(len(instruments) + 1)),
        mark=np.sum(np.nan_to_num(price) * np.sqrt(1.0 + rows), axis=1),
    )


def _carry(path: FloatArray) -> tuple[FloatArray, IntArray]:
    """The last finite number at or before each place of a row, NaN before the first, and where it stands.

    path: (S, T); the places are -1 before the first.
    """
    known = np.isfinite(path)
    rows = np.arange(path.shape[1], dtype=np.int32)
    last = np.maximum.accumulate(np.where(known, rows, np.int32(-1)), axis=1)
    carried = np.where(last >= 0, np.take_along_axis(path, np.maximum(last, 0), axis=1), np.nan)
    return carried, last
