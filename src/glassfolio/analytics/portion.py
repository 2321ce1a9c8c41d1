"""Some portfolios' lots, in an order of their own, with what they are worth at every session.

Portfolios are worked off in portions that fit into a processor's cache; no number hangs on how they are cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from glassfolio.analytics.grouping import adder, spans
from glassfolio.analytics.instruments import Instruments, Paths, trace
from glassfolio.analytics.lots import LotTable, Settled, Unvalued, in_order, settle, unvalued, value_at
from glassfolio.model.market import BoolArray, FloatArray, IntArray

# Lots times sessions of a portion: a matrix of 8-byte numbers then fits into a core's second-level cache.
CELLS = 1 << 18


@dataclass(frozen=True)
class Grid:
    """The instruments on the rows that are asked for: R of their T sessions, up to the last.

    paths: on all T sessions. price, exposure: (S, R), those of the paths.
    """

    instruments: Instruments
    paths: Paths
    rows: IntArray
    price: FloatArray
    exposure: FloatArray


@dataclass(frozen=True)
class Portion:
    """L lots of some portfolios on R rows.

    portfolios: which of all portfolios. lots: numbered from 0 on by portfolio, in the order in which they are
    summed.
    worth: (L, R) USD, 0 while not held. held: (L, R). left_out: by their places among all lots.
    """

    portfolios: IntArray
    grid: Grid
    lots: LotTable
    settled: Settled
    worth: FloatArray
    held: BoolArray
    left_out: tuple[Unvalued, ...]

    @property
    def instruments(self) -> Instruments:
        """The columns of the grid."""
        return self.grid.instruments

    @property
    def paths(self) -> Paths:
        """Their paths on all sessions."""
        return self.grid.paths

    @property
    def rows(self) -> IntArray:
        """(R,) consecutive rows of the grid."""
        return self.grid.rows

    @cached_property
    def adder(self) -> Any:
        """Sums over a portfolio's lots: adder @ (L, R) is (P, R)."""
        return adder(self.lots.portfolio, len(self.portfolios))


def lay_out(instruments: Instruments, first: int) -> Grid:
    """The instruments on their rows from `first` on."""
    paths = trace(instruments)
    rows = np.arange(first, instruments.sessions, dtype=np.int64)
    price = np.ascontiguousarray(paths.price[:, first:])
    exposure = price if paths.exposure is paths.price else np.ascontiguousarray(paths.exposure[:, first:])
    return Grid(instruments, paths, rows, price, exposure)


@dataclass(frozen=True, slots=True)
class Piece:
    """Portfolios with about as many lots each: (n,) which of all, and (n,) where their lots begin and end."""

    portfolios: IntArray
    begins: IntArray
    ends: IntArray


def cut(lots: LotTable, portfolios: int, rows: int) -> Iterator[Piece]:
    """All portfolios in pieces of about CELLS cells, or single ones with more.

    Those of one piece are alike to a factor of two, so that laying them out side by side leaves little room
    empty.
    """
    edges = np.searchsorted(lots.portfolio, np.arange(portfolios + 1))
    count = np.diff(edges)
    order = np.argsort(count, kind="stable")
    cells = (count[order] + 1) * rows
    shelf = (np.cumsum(cells) - cells) // CELLS
    alike = np.frexp(count[order])[1]
    new = (np.diff(shelf) > 0) | (np.diff(alike) > 0)
    for part in np.split(order, np.flatnonzero(new) + 1):
        chosen = np.sort(part)
        yield Piece(chosen, edges[chosen], edges[chosen + 1])


def value_portion(lots: LotTable, grid: Grid, piece: Piece) -> Portion:
    """The lots of a piece, valued on the grid's rows."""
    portfolio, place = spans(piece.begins, piece.ends)
    own = replace(lots.take(place), portfolio=portfolio)
    order = in_order(own, grid.paths)
    own, place = own.take(order), place[order]
    settled = settle(own, grid.instruments, grid.paths)
    worth, held = value_at(grid.price, own, settled, grid.rows)
    left_out = (
        Unvalued(int(place[item.lot]), item.reason)
        for item in unvalued(own, settled, grid.instruments.sessions)
    )
    return Portion(piece.portfolios, grid, own, settled, worth, held, tuple(left_out))
