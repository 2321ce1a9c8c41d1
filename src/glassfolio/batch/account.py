"""A portfolio on every session of its window: the ledger's answer as fields of the snapshot.

Knows no formula: those are in analytics.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glassfolio.analytics import factors
from glassfolio.analytics.factor_exposures import BetaTable, FactorExposures, join_as_of
from glassfolio.analytics.ledger import Ledger
from glassfolio.analytics.lots import LotTable
from glassfolio.analytics.rollup import roll
from glassfolio.analytics.statement import Statement, state_lots
from glassfolio.batch import numbers
from glassfolio.batch.holdings import Holdings, look_at
from glassfolio.batch.lots import LotsOnGrid, lay_on_grid
from glassfolio.batch.task import Task
from glassfolio.model.holdings import InvestmentClass
from glassfolio.model.market import BoolArray, FloatArray, IntArray
from glassfolio.model.results import BitArray, CodeArray
from glassfolio.store import results


@dataclass(frozen=True, eq=False)
class Account:
    """A portfolio on every session of its window; arrays are (D,), NaN where a number is missing.

    numbers, reasons, warnings: by field of the snapshot row; codes of Reason, bits of Warning_.
    factors: of all models together, (D, 1, K). stderr, fitted: (D, K) of the betas, and returns behind them.
    not_valued: symbol -> (reason, share of the holdings' value, at cost; None while unknown).
    completeness: share of (listed symbol, session) cells, from listing on, that have a close.
    """

    numbers: Mapping[str, FloatArray]
    reasons: Mapping[str, CodeArray]
    warnings: Mapping[str, BitArray]
    positions: IntArray
    lots: IntArray
    factors: FactorExposures
    stderr: FloatArray
    fitted: IntArray
    holdings: Holdings
    not_valued: Mapping[str, tuple[str, float | None]]
    completeness: float | None
    on_grid: LotsOnGrid
    betas: BetaTable
    in_model: Mapping[str, BoolArray]
    first: int

    def state_lots(self, session: int) -> Statement:
        """Every lot at a session of the window, numbered from 0; gains and income from the window's first."""
        return state_lots(self.on_grid.lots, self.on_grid.instruments, self.first + session, self.first)


def account(task: Task) -> Account:
    """The account of a task, computed once and shared by its chunks."""
    return task.once("account", lambda: compute(task))


def compute(task: Task) -> Account:
    """The account of a task, from the prices and betas that are stored now."""
    on_grid, start = lay_on_grid(task), task.first - task.grid_first
    betas, in_model = _betas(task, len(on_grid.instruments))
    rolled = roll(on_grid.lots, on_grid.instruments, on_grid.accounts, start, betas)
    assert rolled.factors is not None
    holdings = look_at(task, on_grid, rolled.ledger.nav[:, 0], in_model)
    found = numbers.gather(task, on_grid, rolled, holdings)
    newest = state_lots(on_grid.lots, on_grid.instruments, on_grid.instruments.sessions - 1)
    stderr, fitted = _errors(task, holdings, len(task.window))
    return Account(
        found.value,
        found.reason,
        found.warnings,
        rolled.ledger.positions[:, 0],
        rolled.ledger.lots[:, 0],
        rolled.factors,
        stderr,
        fitted,
        holdings,
        _not_valued(task, on_grid.lots, rolled.ledger, newest),
        _completeness(task),
        on_grid,
        betas,
        in_model,
        start,
    )


def _betas(task: Task, columns: int) -> tuple[BetaTable, dict[str, BoolArray]]:
    """The stored betas of all models, from the first session of the block on; and which factors each model
    has on the sessions of the window, (D, K).
    """
    symbols = {name: j for j, name in enumerate(task.panel.symbols)}
    sessions = task.last - task.first + 1
    values, in_model, keys = [], {}, list[str]()
    for model in factors.MODELS.values():
        own = model.published(task.setup.factor_set)
        with task.setup.database.reading() as connection:
            stored = results.betas(
                connection,
                task.setup.factor_set.name,
                model.key,
                task.listed_symbols,
                task.block_first,
                task.last,
            )
        value = np.full((task.last - task.block_first + 1, columns, len(own)), np.nan)
        for name, series in stored.items():
            value[:, symbols[name]] = series.value
        keys.extend(own)
        values.append(value)
        in_model[model.key] = np.isfinite(value).any(axis=1)
    whole = np.concatenate(list(in_model.values()), axis=1)
    table = join_as_of(tuple(keys), np.concatenate(values, axis=2), whole, sessions)
    return table, {key: part[-sessions:] for key, part in in_model.items()}


def _errors(task: Task, holdings: Holdings, days: int) -> tuple[FloatArray, IntArray]:
    """Standard errors of the portfolio's betas, NaN where there is none, and the returns behind them."""
    stderr, count = [], []
    for model in factors.MODELS.values():
        members = len(model.members(task.setup.factor_set))
        fit = holdings.fits.get(model.key)
        stderr.append(fit.stderr if fit else np.full((days, members), np.nan))
        pairs = fit.n if fit else np.zeros(days, dtype=np.int64)
        count.append(np.repeat(pairs[:, None], members, axis=1))
    return np.concatenate(stderr, axis=1), np.concatenate(count, axis=1)


def _not_valued(
    task: Task, table: LotTable, ledger: Ledger, newest: Statement
) -> dict[str, tuple[str, float | None]]:
    """The lots that take no part, by symbol, with their share of the newest session's holdings at cost."""
    cost = np.abs(table.quantity * table.multiplier * table.entry_price)
    valued = float(np.abs(np.nan_to_num(newest.value)).sum())
    left = {item.lot: item.reason.value for item in ledger.unvalued}
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
