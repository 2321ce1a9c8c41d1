"""Symbol Metrics: every metric of every listed symbol for every session.

Knows nothing of portfolios' quantities.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import sqlalchemy as sa

from glassfolio.analytics.har import RETURNS
from glassfolio.analytics.metrics import METRICS
from glassfolio.analytics.symbols import MetricTable, symbol_metrics
from glassfolio.batch.phase import Payload, Phase, Plan, Result
from glassfolio.batch.phases.factor_analysis import symbols_plan
from glassfolio.batch.task import Task
from glassfolio.db.tables import metric
from glassfolio.model.market import Basis, IntArray, Panel
from glassfolio.model.results import Warning_
from glassfolio.model.run import PhaseName
from glassfolio.store import market, results

NAME = PhaseName("symbol_metrics", "phase_1_75", "Symbol Metrics", "symbols")
# Part of every fingerprint: raised when the arithmetic changes.
ARITHMETIC = "metrics-2"


def inputs(connection: sa.Connection, task: Task) -> dict[str, str]:
    """Symbol -> fingerprint of what its metrics rest on: prices, their basis, the risk-free rate."""
    revisions = market.revisions(connection, task.listed_symbols)
    shared = (ARITHMETIC, repr(task.setup.risk_free), task.setup.provider.terms.basis.value)
    return {name: task.fingerprint(*shared, f"{name}:{revision}") for name, revision in revisions.items()}


def make_plan(connection: sa.Connection, task: Task) -> Plan:
    """The symbols whose metrics are missing or rest on something else; all where they are asked for anew."""
    if task.redo:
        return symbols_plan(task, list(task.listed_symbols))
    fresh = results.up_to_date(
        connection, metric, inputs(connection, task), task.first, task.last, len(METRICS)
    )
    return symbols_plan(task, [name for name in task.listed_symbols if name not in fresh])


def work(task: Task, payload: Payload) -> Result:
    """Compute every metric of a chunk's symbols."""
    symbols: list[str] = payload["symbols"]
    with task.setup.database.reading() as connection:
        fingerprints = inputs(connection, task)
        panel = history(connection, task, symbols)
    start = len(panel.sessions) - (task.last + 1 - task.block_first)
    table = symbol_metrics(panel, start, task.setup.risk_free, _caveats(task, symbols))
    series = [
        _series(table, m, name, j, fingerprints[name])
        for j, name in enumerate(symbols)
        for m in range(len(table.keys))
    ]

    def write(connection: sa.Connection) -> None:
        results.write_metrics(connection, task.block_first, task.last, series)

    return Result(items=tuple(symbols), write=write)


def history(connection: sa.Connection, task: Task, symbols: Sequence[str]) -> Panel:
    """The shared prices of some symbols, with older ones before them where these are stored anyway: nothing
    is fetched for the metric that looks back 1,000 returns.
    """
    panel, sessions = task.panel, task.setup.sessions
    before = slice(max(task.block_first - RETURNS, 0), task.grid_first)
    older = market.panel(connection, symbols, sessions.dates[before], sessions.ordinals[before])
    stored = np.isfinite(older.close).any()
    parts = [_of(part, symbols) for part in ((older, panel) if stored else (panel,))]
    return Panel(
        np.concatenate([part.sessions for part in parts]),
        np.concatenate([part.ordinals for part in parts]),
        tuple(symbols),
        np.concatenate([part.close for part in parts]),
        np.concatenate([part.split for part in parts]),
        np.concatenate([part.dividend for part in parts]),
        panel.revisions,
    )


def _of(panel: Panel, symbols: Sequence[str]) -> Panel:
    columns = [panel.column(name) for name in symbols]
    return replace(
        panel,
        symbols=tuple(symbols),
        close=panel.close[:, columns],
        split=panel.split[:, columns],
        dividend=panel.dividend[:, columns],
    )


def _caveats(task: Task, symbols: Sequence[str]) -> IntArray:
    adjusted = task.setup.provider.terms.basis is Basis.FULLY_ADJUSTED
    return np.full(len(symbols), Warning_.ADJUSTED_CLOSE_AS_PRICE.bit if adjusted else 0, dtype=np.int64)


def _series(table: MetricTable, m: int, symbol: str, column: int, fingerprint: str) -> results.MetricSeries:
    key = table.keys[m]
    details = [table.details[key, name][:, column] for name in METRICS[key].details]
    return results.MetricSeries(
        symbol,
        key,
        table.value[m, :, column],
        table.n[m, :, column],
        table.reason[m, :, column],
        table.warnings[m, :, column],
        np.stack(details, axis=1) if details else np.empty((table.value.shape[1], 0)),
        fingerprint,
    )


PHASE = Phase(NAME, "Computed metrics for", make_plan, work)
