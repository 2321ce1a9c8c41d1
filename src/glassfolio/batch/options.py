"""A task's option lots as contracts on its price grid, valued on every session.

Knows no formula: those are in analytics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glassfolio.analytics import returns, volatility
from glassfolio.analytics.contracts import (
    ContractPaths,
    Contracts,
    StatedPrices,
    Underlyings,
    expiry_sessions,
    price_contracts,
    trailing_yield,
)
from glassfolio.analytics.instruments import Instruments, Kind
from glassfolio.analytics.lots import LotTable
from glassfolio.analytics.options import gamma_1pct
from glassfolio.batch.task import Task
from glassfolio.model.holdings import InvestmentClass, Lot, OptionContract
from glassfolio.model.market import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class OptionsOnGrid:
    """The contracts of a task: C of them, on the T sessions of its grid.

    symbols: of the contracts, in order. expiry: (C,) rows. paths: their prices, terms and Greeks.
    settlement: (C,) USD per share at the close of the expiry session, NaN where that is past the grid.
    """

    symbols: tuple[str, ...]
    contracts: Contracts
    paths: ContractPaths

    @property
    def expiry(self) -> IntArray:
        """(C,) the row at whose close each contract ends."""
        return self.contracts.expiry

    def sizes(self, lots: LotTable, first: int) -> FloatArray:
        """(T, C) signed shares behind the contracts held at each session's close.

        first: the column of the first contract.
        """
        sessions, count = self.paths.price.shape
        grown = np.cumprod(self.paths.split, axis=0)
        rows, size = np.arange(sessions), np.zeros((sessions, count))
        for lot in np.flatnonzero((lots.column >= first) & (lots.column < first + count)):
            place = lots.column[lot] - first
            held = (lots.entry[lot] <= rows) & (rows < lots.exit[lot])
            basis = grown[min(max(lots.basis[lot], 0), sessions - 1), place]
            per_share = lots.quantity[lot] * lots.multiplier[lot] / basis
            size[:, place] += np.where(held, per_share * grown[:, place], 0.0)
        return size

    def greeks(self, size: FloatArray) -> dict[str, FloatArray]:
        """(T,) sums over what is held, by name; NaN where a contract that is held has none.

        gamma_1pct: USD of delta for a move of 1 %; vega: USD for a volatility point; theta: USD for a
        calendar day; rho: USD for a percentage point of the rate.
        """
        greeks, spot = self.paths.greeks, self.paths.terms.spot
        each = {
            "gamma_1pct": gamma_1pct(greeks.gamma, size, spot),
            "vega": size * greeks.vega,
            "theta": size * greeks.theta,
            "rho": size * greeks.rho,
        }
        return {name: np.where(size != 0, part, 0.0).sum(axis=1) for name, part in each.items()}

    @property
    def settlement(self) -> FloatArray:
        """(C,) USD per share at that close, NaN where it is not on the grid."""
        sessions, count = self.paths.price.shape
        inside = (self.expiry >= 0) & (self.expiry < sessions)
        at = self.paths.price[np.clip(self.expiry, 0, sessions - 1), np.arange(count)]
        return np.where(inside, at, np.nan)

    def instruments(self) -> Instruments:
        """One column for each contract; its underlying is a column of the panel, or itself."""
        own = np.arange(len(self.symbols))
        return Instruments(
            close=self.paths.price,
            split=self.paths.split,
            dividend=np.zeros_like(self.paths.price),
            exposure_price=self.paths.exposure_price,
            warnings=self.paths.warnings,
            age=np.zeros(len(own), dtype=np.int64),
            kind=np.full(len(own), Kind.OPTION),
            underlying=own,
        )


def is_option(lot: Lot) -> bool:
    """Whether a lot is priced as an option contract."""
    return lot.investment_class is InvestmentClass.OPTIONS and lot.option is not None


def value_options(task: Task) -> OptionsOnGrid:
    """Every contract that the task's lots name, each once."""
    lots = [lot for lot in task.lots if is_option(lot)]
    known = {lot.symbol: lot.option for lot in lots if lot.option is not None}
    places = {symbol: place for place, symbol in enumerate(known)}
    contracts = _contracts(task, tuple(known.values()))
    paths = price_contracts(contracts, _stated(task, lots, places), _underlyings(task))
    return OptionsOnGrid(tuple(known), contracts, paths)


def _contracts(task: Task, options: Sequence[OptionContract]) -> Contracts:
    sessions, offset = task.setup.sessions, task.grid_first
    columns = {symbol: column for column, symbol in enumerate(task.panel.symbols)}
    days = np.array([option.expiry for option in options], dtype="datetime64[D]")
    ordinals = expiry_sessions(sessions.dates, days)
    filed = sessions.ordinal(task.portfolio.created_at.date()) - offset
    return Contracts(
        call=np.array([option.right == "C" for option in options], dtype=np.bool_),
        strike=np.array([float(option.strike) for option in options], dtype=np.float64),
        basis=np.full(len(options), filed, dtype=np.int64),
        underlying=np.array([columns.get(option.underlying, -1) for option in options], dtype=np.int64),
        expiry=(ordinals - offset).astype(np.int64),
        expires_at=sessions.closes[ordinals],
        adjusted=np.array([option.underlying[-1:].isdigit() for option in options], dtype=np.bool_),
    )


def _stated(task: Task, lots: Sequence[Lot], places: Mapping[str, int]) -> StatedPrices:
    """The prices at which contracts were opened and closed."""
    sessions, offset = task.setup.sessions, task.grid_first
    said = [
        (places[lot.symbol], max(sessions.ordinal_from(day) - offset, -1), float(price), abs(lot.quantity))
        for lot in lots
        for day, price in ((lot.entry_date, lot.entry_price), (lot.exit_date, lot.exit_price))
        if price is not None and day is not None
    ]
    said = [one for one in said if one[1] < len(task.panel.sessions)]
    return StatedPrices(
        contract=np.array([one[0] for one in said], dtype=np.int64),
        row=np.array([one[1] for one in said], dtype=np.int64),
        price=np.array([one[2] for one in said], dtype=np.float64),
        weight=np.array([float(one[3]) for one in said], dtype=np.float64),
        mark=np.zeros(len(said), dtype=np.bool_),
    )


def _underlyings(task: Task) -> Underlyings:
    panel, sessions = task.panel, task.setup.sessions
    spot = returns.carry(panel.close, panel.split)
    daily = returns.simple_returns(panel.close, panel.split, panel.dividend)
    behind = volatility.since(daily, 0)
    counted = volatility.counts(np.isfinite(behind), len(daily)).year
    return Underlyings(
        closes=sessions.closes[task.grid_first : task.last + 1],
        spot=spot,
        split=panel.split,
        rate=np.full(len(daily), np.log1p(task.setup.risk_free)),
        dividend_yield=trailing_yield(spot.price, panel.split, panel.dividend),
        volatility=volatility.forecast(behind, len(daily), counted),
    )
