"""Lots as arrays, and what each of them is worth at every session.

Knows nothing of the portfolio's cash, its net asset value or its flows.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from glassfolio.analytics.returns import Carried, carry
from glassfolio.model.market import BoolArray, FloatArray, IntArray


class Excluded(StrEnum):
    """Why a lot takes no part in any sum."""

    NO_PRICE = "no_price"
    NOT_YET_HELD = "not_yet_held"


@dataclass(frozen=True, slots=True)
class Unvalued:
    """A lot that is left out: its position in the LotTable, and why."""

    lot: int
    reason: Excluded


@dataclass(frozen=True)
class LotTable:
    """L lots; every field is (L,). Sessions are rows of the price grid. Held on rows entry <= t < exit.

    quantity: signed. multiplier: 100 for an option contract, else 1.
    entry: -1 when bought before the grid or without a date. exit: any row past the grid when open, -1 when
    sold before it.
    basis: the row on whose share basis quantity and prices are stated: the exit of a closed lot, the file's
    date of an open one.
    entry_price, exit_price: USD per share, NaN when unknown; then the lot is paid for, or sold, at that
    session's price.
    column: of the price grid. For what is not in it, equal numbers below -1 mark lots of one instrument and
    -1 a lot by itself.
    stated_price: USD for what has no market price, NaN otherwise; cash_like lots without one are worth 1.
    Raises ValueError when lengths differ or a lot is sold before it is bought.
    """

    quantity: FloatArray
    multiplier: FloatArray
    entry: IntArray
    exit: IntArray
    basis: IntArray
    entry_price: FloatArray
    exit_price: FloatArray
    column: IntArray
    cash_like: BoolArray
    stated_price: FloatArray

    def __post_init__(self) -> None:
        if len({field.shape for field in vars(self).values()}) != 1:
            raise ValueError("the fields of a LotTable must have one length")
        if (self.exit < self.entry).any():
            raise ValueError("a lot is sold before it is bought")

    def __len__(self) -> int:
        return len(self.quantity)

    @property
    def stated(self) -> FloatArray:
        """The constant price of lots that are not priced by the grid; NaN for the others."""
        return np.where(self.cash_like & np.isnan(self.stated_price), 1.0, self.stated_price)

    @property
    def instrument(self) -> IntArray:
        """Equal for lots of one instrument: the column of a listed one, a number below -1 for any other."""
        named = (self.column < -1) | ((self.column >= 0) & np.isnan(self.stated))
        alone = min(int(self.column.min(initial=-1)), -1) - 1 - np.arange(len(self))
        return np.where(named, self.column, alone)


@dataclass(frozen=True)
class Book:
    """What L lots are and earn on T sessions, in USD. Excluded lots are 0 throughout.

    value, income, pnl, trades: (T, L); trades is cash received less cash paid. held, fresh: (T, L); fresh
    means priced by the session's own close or by a stated price.
    realised, unrealised: (T, L), against cost; cost_known: (L,), False where the first price stands in for
    the cost.
    unvalued: the lots left out. unvalued_cost: (T, L) their cost while held, NaN where that is unknown.
    order: (L,) a permutation that depends on the lots' figures only, not on their places.
    """

    value: FloatArray
    income: FloatArray
    pnl: FloatArray
    trades: FloatArray
    realised: FloatArray
    unrealised: FloatArray
    held: BoolArray
    fresh: BoolArray
    cost_known: BoolArray
    unvalued: tuple[Unvalued, ...]
    unvalued_cost: FloatArray
    order: IntArray


def keep_book(lots: LotTable, close: FloatArray, split: FloatArray, dividend: FloatArray) -> Book:
    """Value and earnings of every lot at every session.

    close, split, dividend: (T, S), close NaN where missing. A missing close is replaced by the last one
    before it, and before the first one by the lot's own fill; so the P&L of a gap falls on the first new
    close. What happens on the grid's first row to lots held from before it is not known and counts as
    nothing.
    """
    rows = np.arange(len(close))[:, None]
    shares, mark, fresh = _marks(lots, carry(close, split), split)
    entry, valued = _entries(lots, mark, len(close))
    active = valued & (entry < len(close)) & (lots.exit >= 0) & ~((entry < 0) & (lots.exit == 0))
    held = active & (entry <= rows) & (rows < lots.exit)
    bought = active & (rows == entry)
    sold = active & (rows == lots.exit)
    size = lots.quantity * lots.multiplier
    value = np.where(held, size * shares * mark, 0.0)
    cost = _paid(size, lots.entry_price, shares * mark, np.where(active, entry, 0))
    proceeds = _paid(size, lots.exit_price, shares * mark, np.where(active, lots.exit, 0))
    before = np.vstack([np.where(entry < 0, value[:1], 0.0), value[:-1]])
    kept = np.vstack([np.zeros((1, len(lots)), dtype=np.bool_), held[:-1]])
    income = np.where(kept, size * shares * _per_lot(dividend, lots, 0.0), 0.0)
    trades = np.where(sold, proceeds, 0.0) - np.where(bought, cost, 0.0) + income
    waiting = (lots.entry <= rows) & (rows < lots.exit) & ~valued
    return Book(
        value=value,
        income=income,
        pnl=value - before + trades,
        trades=trades,
        realised=np.where(sold, proceeds - cost, 0.0),
        unrealised=np.where(held, value - cost, 0.0),
        held=held,
        fresh=fresh,
        cost_known=np.isfinite(lots.entry_price),
        unvalued=_left_out(lots, valued, len(close)),
        unvalued_cost=np.where(waiting, np.abs(size * lots.entry_price), 0.0),
        order=_canonical_order(lots, close),
    )


def _marks(lots: LotTable, carried: Carried, split: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Shares per share of the stated quantity, prices, and whether these are the session's own; each (T,
    L).
    """
    shares = _share_factors(lots, split)
    mark = _per_lot(carried.price, lots, np.nan)
    mark = np.where(np.isnan(mark) & (lots.instrument >= 0), lots.entry_price / shares, mark)
    listed = _per_lot(np.isfinite(carried.price).astype(np.float64), lots, 0.0)[-1] > 0
    stated = np.isfinite(lots.stated)
    mark = np.where(stated, lots.stated, np.where(listed, mark, np.nan))
    fresh = stated | (_per_lot(carried.stale.astype(np.float64), lots, -1.0) == 0)
    return shares, mark, fresh


def _per_lot(grid: FloatArray, lots: LotTable, otherwise: float) -> FloatArray:
    """The grid's column of each lot; `otherwise` for lots without one."""
    instrument = lots.instrument
    listed = np.flatnonzero(instrument >= 0)
    columns = np.full((len(grid), len(lots)), otherwise)
    columns[:, listed] = grid[:, instrument[listed]]
    return columns


def _share_factors(lots: LotTable, split: FloatArray) -> FloatArray:
    """Product of the splits between each lot's basis and each session: forward of it, and its inverse behind
    it.
    """
    factors = np.ones((len(split), len(lots)))
    instrument = lots.instrument
    splits = (split != 1).any(axis=0)
    for lot in np.flatnonzero(instrument >= 0):
        if not splits[instrument[lot]]:
            continue
        own = split[:, instrument[lot]]
        basis = int(np.clip(lots.basis[lot], -1, len(split) - 1))
        factors[basis + 1 :, lot] = np.cumprod(own[basis + 1 :])
        if basis > 0:
            factors[:basis, lot] = 1 / np.cumprod(own[basis:0:-1])[::-1]
    return factors


def _entries(lots: LotTable, mark: FloatArray, sessions: int) -> tuple[IntArray, BoolArray]:
    """The row at which each lot's account begins, and whether it can be valued.

    A lot whose fill is unknown begins at its first price if that comes later than its entry.
    """
    known = np.isfinite(mark)
    first = np.where(known.any(axis=0), known.argmax(axis=0), sessions)
    late = first > np.maximum(lots.entry, 0)
    valued = known.any(axis=0) & ~(late & (first >= lots.exit))
    return np.where(late, first, lots.entry), valued | (lots.entry >= sessions)


def _paid(size: FloatArray, price: FloatArray, worth: FloatArray, row: IntArray) -> FloatArray:
    """USD for the whole lot at `price`, or at the price of `row` where that is unknown; (L,)."""
    at = np.take_along_axis(worth, np.clip(row, 0, len(worth) - 1)[None, :], axis=0)[0]
    return size * np.where(np.isfinite(price), price, at)


def _left_out(lots: LotTable, valued: BoolArray, sessions: int) -> tuple[Unvalued, ...]:
    later = lots.entry >= sessions
    missing = ~valued & (lots.exit >= 0)
    return tuple(
        Unvalued(int(lot), Excluded.NOT_YET_HELD if later[lot] else Excluded.NO_PRICE)
        for lot in np.flatnonzero(later | missing)
    )


def _canonical_order(lots: LotTable, close: FloatArray) -> IntArray:
    """Lots by their own figures; the column, whose number hangs on other symbols, only parts equals."""
    own = _per_lot(close, lots, np.nan)
    first = np.take_along_axis(own, np.isfinite(own).argmax(axis=0)[None, :], axis=0)[0]
    prices = (lots.stated, lots.exit_price, lots.entry_price)
    return np.lexsort(
        (lots.column, first, *prices, lots.multiplier, lots.basis, lots.exit, lots.entry, lots.quantity)
    )
