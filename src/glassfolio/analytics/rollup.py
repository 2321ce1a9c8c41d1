"""Everything that follows from lots, prices and betas, for one portfolio or ten thousand.

Portfolios are worked off in portions; the bits of a portfolio hang neither on the others, nor on the order of
lots or columns. Knows nothing of dates, symbols or storage.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from glassfolio.analytics import exposures, factor_exposures, ledger
from glassfolio.analytics.exposures import Exposures, Netted, Sectors
from glassfolio.analytics.factor_exposures import BetaTable, FactorExposures
from glassfolio.analytics.instruments import Instruments
from glassfolio.analytics.ledger import Accounts, Ledger
from glassfolio.analytics.lots import LotTable, Unvalued
from glassfolio.analytics.portion import Piece, Portion, cut, lay_out, value_portion
from glassfolio.model.market import FloatArray

Spread = Callable[[Callable[[Any], None], Iterable[Any]], Iterable[None]]
Numbers = dict[str, FloatArray]


@dataclass(frozen=True)
class Rollup:
    """P portfolios on D sessions. factors: None where no betas were given."""

    ledger: Ledger
    exposures: Exposures
    factors: FactorExposures | None


def roll(
    lots: LotTable,
    instruments: Instruments,
    accounts: Accounts,
    start: int = 0,
    betas: BetaTable | None = None,
    sectors: Sectors | None = None,
    spread: Spread = map,
) -> Rollup:
    """The accounts and exposures of all portfolios, for each row of the grid from `start` on.

    Rows before `start` lend their prices and the previous day's value. betas: on the rows from `start` on, by
    the instruments' columns. sectors: all unclassified where None. spread: a `map` that may work on several
    pieces at a time; the bits are the same.
    Raises ValueError when rows, columns or portfolios do not fit together.
    """
    _check(lots, instruments, accounts, start, betas, sectors)
    count, first = len(accounts.equity), min(max(start - 1, 0), int(accounts.anchor.min()))
    grid = lay_out(instruments, first)
    whole: dict[str, Numbers] = {}
    left_out: list[Unvalued] = []

    def work(piece: Piece) -> None:
        portion = value_portion(lots, grid, piece)
        left_out.extend(portion.left_out)
        parts = {"ledger": ledger.keep(portion, accounts, start), **_expose(portion, start, betas, sectors)}
        for kind, numbers in parts.items():
            room = whole.setdefault(kind, {})
            for name, part in numbers.items():
                if name not in room:
                    room[name] = np.empty((count, *part.shape[1:]), part.dtype)
                room[name][piece.portfolios] = part

    pieces = cut(lots, count, len(grid.rows))
    work(next(pieces))
    for _ in spread(work, pieces):
        pass
    kept = ledger.assemble(whole["ledger"], tuple(sorted(left_out, key=lambda item: item.lot)))
    factors = factor_exposures.assemble(whole["factors"], betas, kept.nav) if betas is not None else None
    return Rollup(kept, exposures.assemble(whole["exposures"], kept.nav), factors)


def exposures_to_underlyings(lots: LotTable, instruments: Instruments, start: int = 0) -> Netted:
    """Signed exposures, lots and options of one underlying netted, for each row from `start` on; (N, D).

    The very exposures that `roll` weighs: a portfolio's rows stand together.
    """
    owners, first = np.unique(lots.portfolio, return_index=True)
    ends = np.append(first[1:], len(lots))[: len(first)]
    portion = value_portion(lots, lay_out(instruments, start), Piece(owners, first, ends))
    held, _ = exposures.net_instruments(portion, 0)
    netted = exposures.net_underlyings(held, instruments.underlying)
    return replace(netted, portfolio=owners[netted.portfolio])


def _expose(
    portion: Portion, start: int, betas: BetaTable | None, sectors: Sectors | None
) -> dict[str, Numbers]:
    held, coverage = exposures.net_instruments(portion, start - int(portion.rows[0]))
    underlyings = exposures.net_underlyings(held, portion.instruments.underlying)
    crosswise = exposures.turn(underlyings)
    measured = exposures.measure(held, underlyings, crosswise) | {"exposure_coverage": coverage}
    if sectors is not None:
        measured |= exposures.by_sector(held, sectors)
    if betas is None:
        return {"exposures": measured}
    return {"exposures": measured, "factors": factor_exposures.weigh(crosswise, betas)}


def _check(
    lots: LotTable,
    instruments: Instruments,
    accounts: Accounts,
    start: int,
    betas: BetaTable | None,
    sectors: Sectors | None,
) -> None:
    sessions, columns, portfolios = instruments.sessions, len(instruments), len(accounts.equity)
    if not portfolios or not 0 <= start < sessions or len(accounts.flows) != sessions:
        raise ValueError(f"{portfolios} portfolios from row {start} on of {sessions} sessions")
    if (lots.portfolio >= portfolios).any() or not ((lots.column >= 0) & (lots.column < columns)).all():
        raise ValueError("a lot of an unknown portfolio or instrument")
    if betas is not None and (betas.sessions, len(betas.complete)) != (sessions - start, columns):
        raise ValueError("the betas are not of the instruments and sessions")
    if sectors is not None and len(sectors.of) != columns:
        raise ValueError("the sectors are not of the instruments")
