"""Lots as arrays: when each is held, what it cost, what it fetched, and what it is worth at every session.

Knows nothing of cash, net asset value or flows.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Self

import numpy as np

from glassfolio.analytics.instruments import Instruments, Kind, Paths
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
    """L lots of one or many portfolios; every field is (L,). Held on sessions entry <= t < exit.

    portfolio: from 0, rising: the lots of a portfolio stand together. column: of the instruments.
    quantity: signed. multiplier: 100 for an option contract, 0.01 for a bond quoted per 100, else 1.
    entry: row, -1 when bought before the grid. exit: row, any past the grid when open, -1 when sold before
    it.
    dated: whether the entry is known. An undated lot (entry -1) counts as held from before the grid, or from
    its first price.
    basis: the row on whose share basis quantity and prices are stated: the exit of a closed lot, the file's
    date of an open one.
    entry_price, exit_price: USD per share, NaN when unknown; then the lot is paid for, or sold, at that
    session's price.
    Raises ValueError when lengths differ, portfolios are not in order or a lot is sold before it is bought.
    """

    portfolio: IntArray
    column: IntArray
    quantity: FloatArray
    multiplier: FloatArray
    entry: IntArray
    exit: IntArray
    dated: BoolArray
    basis: IntArray
    entry_price: FloatArray
    exit_price: FloatArray

    def __post_init__(self) -> None:
        if len({field.shape for field in vars(self).values()}) != 1:
            raise ValueError("the fields of a LotTable must have one length")
        if (self.exit < self.entry).any():
            raise ValueError("a lot is sold before it is bought")
        if (np.diff(self.portfolio, prepend=0) < 0).any():
            raise ValueError("the lots of a portfolio must stand together, portfolios in rising order")

    def __len__(self) -> int:
        return len(self.quantity)

    def take(self, places: IntArray | slice) -> Self:
        """The lots at some places, in that order."""
        return type(self)(**{field.name: getattr(self, field.name)[places] for field in fields(self)})


@dataclass(frozen=True)
class Settled:
    """What is fixed about L lots on a grid of T sessions; every field is (L,), USD.

    begin, end: rows; held on begin <= t < end. begin is -1 from before the grid, both are T for a lot that
    takes no part.
    size: signed shares on the basis from before the first row, times the multiplier.
    cost: of the whole lot; where the fill is unknown the value at `begin` stands in. proceeds: 0 for a lot
    that is not sold on the grid.
    bought, sold: whether that happens on the grid.
    at_fill: rows before this one are valued at cost, as there is no price yet; 0 for most.
    missing: held without any price at all.
    """

    begin: IntArray
    end: IntArray
    size: FloatArray
    cost: FloatArray
    proceeds: FloatArray
    bought: BoolArray
    sold: BoolArray
    at_fill: IntArray
    missing: BoolArray


def settle(lots: LotTable, instruments: Instruments, paths: Paths) -> Settled:
    """When each lot is held, for how much it was bought and for how much it was sold.

    A lot with a dated fill is carried at it until the first price, a private one also without a date or a
    price. Any other lot begins at its first price if that comes later than its entry. A listed instrument
    without a single price leaves its lots out. What happens on the first row to lots held from before it is
    not known and counts as nothing.
    """
    sessions = instruments.sessions
    private = instruments.kind[lots.column] == Kind.PRIVATE
    first = paths.first[lots.column]
    known = np.isfinite(lots.entry_price)
    carried = known & (lots.dated | private)
    priced = (first < sessions) | (carried & private)
    late = ~carried & (first > np.maximum(lots.entry, 0))
    begin = np.where(late, first, lots.entry)
    valued = priced & ~(late & (first >= lots.exit))
    part = valued & (begin < sessions) & (lots.exit >= 0) & ~((begin < 0) & (lots.exit == 0))
    begin, end = np.where(part, begin, sessions), np.where(part, np.minimum(lots.exit, sessions), sessions)
    factor = lots.quantity * lots.multiplier
    size = factor / shares_at(paths, lots.column, lots.basis)
    # An undated lot that is listed later is paid for at its first price, whatever its cost is said to be.
    fill = np.where(late & ~lots.dated, np.nan, lots.entry_price)
    cost = np.where(part, _amount(factor, fill, paths, lots.column, size, begin), 0.0)
    sold = part & (lots.exit < sessions)
    at_fill = np.where(part & carried, first, 0)
    proceeds = _amount(factor, lots.exit_price, paths, lots.column, size, end)
    never_priced = np.isnan(lots.exit_price) & (end < at_fill)
    return Settled(
        begin=begin,
        end=end,
        size=size,
        cost=cost,
        proceeds=np.where(sold, np.where(never_priced, cost, proceeds), 0.0),
        bought=part & (begin >= 0),
        sold=sold,
        at_fill=at_fill,
        missing=~valued & (lots.entry < sessions) & (lots.exit >= 0),
    )


def shares_at(paths: Paths, column: IntArray, row: IntArray) -> FloatArray:
    """Shares that one share from before the grid has become at `row`; those of the last row after it."""
    at = np.clip(row, 0, paths.shares.shape[1] - 1)
    return np.where(row < 0, 1.0, paths.shares[column, at])


def _amount(
    factor: FloatArray, price: FloatArray, paths: Paths, column: IntArray, size: FloatArray, row: IntArray
) -> FloatArray:
    """USD for the whole lot at a stated price, or at the price of `row` where none is stated."""
    at = np.clip(row, 0, paths.price.shape[1] - 1)
    return np.where(np.isfinite(price), factor * price, size * paths.price[column, at])


def value_at(
    path: FloatArray, lots: LotTable, settled: Settled, rows: IntArray
) -> tuple[FloatArray, BoolArray]:
    """What each lot is worth on consecutive rows, and whether it is held; (L, R), 0 while it is not.

    path: (S, R) prices on the rows.
    """
    held = (rows >= settled.begin[:, None]) & (rows < settled.end[:, None])
    worth = np.take(path, lots.column, axis=0)
    worth *= settled.size[:, None]
    at_fill = np.flatnonzero(settled.at_fill > rows[0])
    if len(at_fill):
        early = rows < settled.at_fill[at_fill, None]
        worth[at_fill] = np.where(early, settled.cost[at_fill, None], worth[at_fill])
    np.copyto(worth, 0.0, where=~held)
    return worth, held


def unvalued(lots: LotTable, settled: Settled, sessions: int) -> tuple[Unvalued, ...]:
    """The lots that are left out, each with the reason."""
    later = lots.entry >= sessions
    return tuple(
        Unvalued(int(lot), Excluded.NOT_YET_HELD if later[lot] else Excluded.NO_PRICE)
        for lot in np.flatnonzero(later | settled.missing)
    )


def in_order(lots: LotTable, paths: Paths) -> IntArray:
    """A permutation, portfolio by portfolio, that only the lots' own figures and prices decide.

    The column, whose number hangs on other symbols, only parts equals.
    """
    prices = (lots.exit_price, lots.entry_price)
    trades = (lots.multiplier, lots.basis, lots.dated, lots.exit, lots.entry, lots.quantity)
    return np.lexsort((lots.column, paths.mark[lots.column], *prices, *trades, lots.portfolio))
