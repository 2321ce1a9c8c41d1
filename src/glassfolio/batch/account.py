"""Brings a task's lots and stored prices into the ledger, and the ledger's answer into fields.

Knows no formula: those are in analytics.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from glassfolio.analytics import factors, ledger, risk
from glassfolio.analytics.lots import LotTable
from glassfolio.batch.task import Task
from glassfolio.model.holdings import InvestmentClass, Lot
from glassfolio.model.market import FloatArray, IntArray
from glassfolio.store import results

OPEN = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Account:
    """A portfolio on every session of its window; arrays are (D,), NaN where a number is missing.

    numbers: by field of the snapshot row. factors: one per model.
    not_valued: symbol -> (reason, share of the holdings' value, at cost; None while unknown).
    completeness: share of (listed symbol, session) cells, from listing on, that have a close.
    """

    numbers: Mapping[str, FloatArray]
    positions: IntArray
    lots: IntArray
    factors: tuple[risk.FactorExposures, ...]
    not_valued: Mapping[str, tuple[str, float | None]]
    completeness: float | None
    table: LotTable
    ledger: ledger.Ledger
    exposures: risk.Exposures


def account(task: Task) -> Account:
    """The account of a task, computed once and shared by its chunks."""
    return task.once("account", lambda: compute(task))


def compute(task: Task) -> Account:
    """The account of a task, from the prices and betas that are stored now."""
    panel, start = task.panel, task.first - task.grid_first
    table = lot_table(task)
    anchor = task.setup.sessions.ordinal(task.portfolio.anchor or task.window[-1].item()) - task.grid_first
    rolled = ledger.roll(
        table,
        panel.close,
        panel.split,
        panel.dividend,
        _flows(task),
        anchor,
        float(task.portfolio.equity),
        start,
    )
    positions = risk.net_positions(table, rolled)
    exposures = risk.measure(positions, rolled.nav)
    return Account(
        _numbers(rolled, exposures),
        rolled.positions,
        rolled.lots,
        tuple(_factor_exposures(task, model, positions, rolled.nav) for model in factors.MODELS.values()),
        _not_valued(task, table, rolled),
        _completeness(task),
        table,
        rolled,
        exposures,
    )


def lot_table(task: Task) -> LotTable:
    """The lots as arrays on the task's price grid."""
    sessions, offset = task.setup.sessions, task.grid_first
    columns = {name: j for j, name in enumerate(task.panel.symbols)}

    def row(day: date | None, otherwise: int) -> int:
        if day is None:
            return otherwise
        return max(sessions.ordinal_from(day) - offset, -1)

    basis = task.setup.sessions.ordinal(task.portfolio.created_at.date()) - offset
    lots = task.lots
    return LotTable(
        quantity=np.array([float(lot.quantity) for lot in lots]),
        multiplier=np.array([float(lot.option.multiplier) if lot.option else 1.0 for lot in lots]),
        entry=np.array([row(lot.entry_date, -1) for lot in lots], dtype=np.int64),
        exit=np.array([row(lot.exit_date, int(OPEN)) for lot in lots], dtype=np.int64),
        basis=np.array([row(lot.exit_date, basis) for lot in lots], dtype=np.int64),
        entry_price=np.array([_price(lot.entry_price) for lot in lots]),
        exit_price=np.array([_price(lot.exit_price) for lot in lots]),
        column=np.array(
            [columns.get(lot.symbol, -1) if _listed(lot) else -1 for lot in lots], dtype=np.int64
        ),
        cash_like=np.array([lot.is_cash_like for lot in lots]),
        stated_price=np.array([_stated(lot) for lot in lots]),
    )


def _listed(lot: Lot) -> bool:
    return lot.investment_class is InvestmentClass.PUBLIC and not lot.is_cash_like


def _price(value: object) -> float:
    return float(str(value)) if value is not None else np.nan


def _stated(lot: Lot) -> float:
    """What is not priced by an exchange counts at its entry price; options have no such price."""
    if lot.investment_class is InvestmentClass.PRIVATE and not lot.is_cash_like:
        return _price(lot.entry_price)
    return _price(lot.entry_price) if lot.is_cash_like else np.nan


def _flows(task: Task) -> FloatArray:
    amounts = np.zeros(task.last - task.grid_first + 1)
    for flow in task.flows:
        row = task.setup.sessions.ordinal_from(flow.session) - task.grid_first
        if 0 <= row < len(amounts):
            amounts[row] += float(flow.amount)
    return amounts


def _numbers(rolled: ledger.Ledger, exposures: risk.Exposures) -> dict[str, FloatArray]:
    performance = rolled.performance
    return {
        "nav": rolled.nav,
        "cash": rolled.cash,
        "value": rolled.value,
        "long": exposures.long,
        "short": exposures.short,
        "gross": exposures.gross,
        "net": exposures.net,
        "leverage": exposures.leverage,
        "net_leverage": exposures.net_leverage,
        "value_coverage": rolled.value_coverage,
        "stale_value_share": rolled.stale_value_share,
        "pnl": rolled.pnl,
        "realised": rolled.realised,
        "unrealised": rolled.unrealised,
        "income": rolled.income,
        "flow": rolled.flow,
        "cum_pnl": rolled.cum_pnl,
        "cum_income": rolled.cum_income,
        "cum_flow": rolled.cum_flow,
        "daily_return": performance.daily_return,
        "twr_cum": performance.twr_cum,
        "drawdown": performance.drawdown,
        "hhi": exposures.hhi,
        "effective_n": exposures.effective_n,
        "top_3": exposures.top_3,
        "top_10": exposures.top_10,
    }


def _factor_exposures(
    task: Task, model: factors.Model, positions: risk.Positions, nav: FloatArray
) -> risk.FactorExposures:
    with task.setup.database.reading() as connection:
        stored = results.betas(
            connection,
            task.setup.factor_set.name,
            model.key,
            task.listed_symbols,
            task.block_first,
            task.last,
        )
    keys, symbols = model.published(task.setup.factor_set), task.panel.symbols
    shape = (task.last - task.first + 1, len(symbols), len(keys))
    value = np.full(shape, np.nan)
    in_model = np.zeros((shape[0], shape[2]), dtype=np.bool_)
    skip = task.first - task.block_first
    for name, series in stored.items():
        value[:, symbols.index(name)] = series.value[skip:]
        in_model |= np.isfinite(series.value[skip:])
    nothing = np.zeros(shape[:2], dtype=np.int64)
    betas = factors.Betas(
        model=model,
        keys=keys,
        value=value,
        stderr=value,
        r2=value[:, :, 0],
        dof=value[:, :, 0],
        n=nothing,
        reason=np.zeros(shape, dtype=np.int8),
        warnings=np.zeros(shape, dtype=np.int16),
        in_model=in_model,
    )
    return risk.factor_exposures(positions, betas, nav)


def _not_valued(task: Task, table: LotTable, rolled: ledger.Ledger) -> dict[str, tuple[str, float | None]]:
    """The lots that take no part, by symbol, with their share of the newest session's holdings at cost."""
    cost = np.abs(table.quantity * table.multiplier * table.entry_price)
    valued = float(np.abs(np.nan_to_num(rolled.values[-1])).sum())
    left = {item.lot: item.reason.value for item in rolled.unvalued}
    whole = valued + float(cost[list(left)].sum()) if left else valued
    named: dict[str, tuple[str, float | None]] = {}
    for index, reason in sorted(left.items()):
        lot = task.lots[index]
        word = "unsupported" if lot.investment_class is InvestmentClass.OPTIONS else reason
        share = float(cost[index]) / whole if whole > 0 and np.isfinite(whole) else None
        before = named.get(lot.symbol, (word, 0.0))[1]
        named[lot.symbol] = (word, None if share is None or before is None else round(before + share, 4))
    return named


def _completeness(task: Task) -> float | None:
    columns = [task.panel.column(name) for name in task.listed_symbols]
    if not columns:
        return None
    known = np.isfinite(task.panel.close[task.first - task.grid_first :, columns])
    listed = np.logical_or.accumulate(known, axis=0)
    listed[:, ~known.any(axis=0)] = True
    return round(float(known.sum() / listed.sum()), 6) if listed.any() else 0.0
