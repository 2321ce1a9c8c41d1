"""A task's lots, flows and stored prices as the arrays that the ledger reads.

Knows no formula: those are in analytics.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from glassfolio.analytics import instruments
from glassfolio.analytics.instruments import Instruments, Kind
from glassfolio.analytics.ledger import Accounts
from glassfolio.analytics.lots import LotTable
from glassfolio.batch.options import OptionsOnGrid, is_option, value_options
from glassfolio.batch.task import Task
from glassfolio.model.holdings import InvestmentClass, Lot
from glassfolio.model.market import FloatArray

OPEN = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class LotsOnGrid:
    """One portfolio on a task's price grid.

    instruments: the panel's symbols first, then option contracts, then what else has no exchange price, each
    once.
    """

    lots: LotTable
    instruments: Instruments
    accounts: Accounts
    options: OptionsOnGrid | None

    def contracts_held(self, options: OptionsOnGrid) -> FloatArray:
        """(T, C) signed shares behind the contracts held at each session's close."""
        return options.sizes(self.lots, int(np.flatnonzero(self.instruments.kind == Kind.OPTION)[0]))


def lay_on_grid(task: Task) -> LotsOnGrid:
    """The arrays of a task; dates become rows of its grid."""
    panel = task.panel
    listed = instruments.listed(panel.close, panel.split, panel.dividend)
    columns = {(Kind.LISTED, name): j for j, name in enumerate(panel.symbols)}
    options = value_options(task) if any(is_option(lot) for lot in task.lots) else None
    parts = [listed] if options is None else [listed, options.instruments()]
    for symbol in options.symbols if options else ():
        columns[Kind.OPTION, symbol] = len(columns)
    priced = len(columns)
    for lot in task.lots:
        columns.setdefault(_key(lot), len(columns))
    parts += [_priceless(key, len(panel.sessions)) for key in list(columns)[priced:]]
    joined = instruments.join(parts)
    lots = _lot_table(task, columns)
    if options is not None:
        joined, lots = _with_options(joined, lots, options, len(listed))
    return LotsOnGrid(lots, joined, _accounts(task), options)


def _with_options(
    joined: Instruments, lots: LotTable, options: OptionsOnGrid, first: int
) -> tuple[Instruments, LotTable]:
    """Contracts follow their underlyings' moves, and end by themselves at the close of their expiry."""
    underlying, own = joined.underlying.copy(), slice(first, first + len(options.symbols))
    followed = options.contracts.underlying
    underlying[own] = np.where(followed >= 0, followed, underlying[own])
    place = lots.column - first
    contract = np.where((place >= 0) & (place < len(options.symbols)), place, -1)
    ends = np.where(contract >= 0, np.maximum(options.expiry[contract], -1), OPEN)
    expired = (contract >= 0) & (ends < lots.exit) & (ends < joined.sessions) & (ends >= lots.entry)
    return replace(joined, underlying=underlying), replace(
        lots,
        exit=np.where(expired, ends, lots.exit),
        exit_price=np.where(expired, options.settlement[contract], lots.exit_price),
        basis=np.where(expired, ends, lots.basis),
    )


Key = tuple[Kind, str]


def _key(lot: Lot) -> Key:
    """What makes two lots one instrument; cash at one price is one."""
    if lot.is_cash_like:
        return Kind.CASH, str(_price(lot.entry_price))
    if lot.investment_class is InvestmentClass.PRIVATE:
        return Kind.PRIVATE, lot.symbol
    return Kind.OPTION if lot.investment_class is InvestmentClass.OPTIONS else Kind.LISTED, lot.symbol


def _priceless(key: Key, sessions: int) -> Instruments:
    """An instrument that no exchange prices: cash at what was stated, all else without a price."""
    kind, name = key
    if kind is Kind.CASH:
        return instruments.cash(np.array([float(name)]), sessions)
    nothing = (np.empty(0, dtype=np.int64), np.empty(0))
    return replace(instruments.private([nothing], sessions), kind=np.array([kind]))


def _lot_table(task: Task, columns: dict[Key, int]) -> LotTable:
    sessions, offset, lots = task.setup.sessions, task.grid_first, task.lots

    def row(day: date | None, otherwise: int) -> int:
        """The first session on or after a day: a trade on another day belongs to it."""
        return otherwise if day is None else max(sessions.ordinal_from(day) - offset, -1)

    def each(number: Callable[[Lot], float]) -> FloatArray:
        return np.array([number(lot) for lot in lots], dtype=np.float64)

    def places(number: Callable[[Lot], int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array([number(lot) for lot in lots], dtype=np.int64)

    filed = sessions.ordinal(task.portfolio.created_at.date()) - offset
    return LotTable(
        portfolio=np.zeros(len(lots), dtype=np.int64),
        column=places(lambda lot: columns[_key(lot)]),
        quantity=each(lambda lot: float(lot.quantity)),
        multiplier=each(lambda lot: float(lot.option.multiplier) if lot.option else 1.0),
        entry=places(lambda lot: row(lot.entry_date, -1)),
        exit=places(lambda lot: row(lot.exit_date, OPEN)),
        dated=np.array([lot.entry_date is not None for lot in lots], dtype=np.bool_),
        basis=places(lambda lot: row(lot.exit_date, filed)),
        entry_price=each(lambda lot: _price(lot.entry_price)),
        exit_price=each(lambda lot: _price(lot.exit_price)),
    )


def _price(value: object) -> float:
    return float(str(value)) if value is not None else np.nan


def _accounts(task: Task) -> Accounts:
    sessions, offset = task.setup.sessions, task.grid_first
    flows = np.zeros((task.last - offset + 1, 1))
    for flow in task.flows:
        row = sessions.ordinal_from(flow.session) - offset
        if 0 <= row < len(flows):
            flows[row] += float(flow.amount)
    anchor = sessions.ordinal(task.portfolio.anchor or task.window[-1].item()) - offset
    return Accounts(flows, np.array([anchor]), np.array([float(task.portfolio.equity)]))
