"""Symbol Metrics: returns and volatilities of every listed symbol for every session.

Knows nothing of portfolios' quantities.
"""

from dataclasses import replace

import sqlalchemy as sa

from glassfolio.analytics.metrics import METRICS, symbol_metrics
from glassfolio.batch.phase import Payload, Phase, Plan, Result
from glassfolio.batch.phases.factor_analysis import symbols_plan
from glassfolio.batch.task import Task
from glassfolio.db.tables import metric
from glassfolio.model.run import PhaseName
from glassfolio.store import market, results

NAME = PhaseName("symbol_metrics", "phase_1_75", "Symbol Metrics", "symbols")
# Part of every fingerprint: raised when the arithmetic changes.
ARITHMETIC = "metrics-1"


def inputs(connection: sa.Connection, task: Task) -> dict[str, str]:
    """Symbol -> fingerprint of the prices its metrics rest on."""
    revisions = market.revisions(connection, task.listed_symbols)
    return {name: task.fingerprint(ARITHMETIC, f"{name}:{revision}") for name, revision in revisions.items()}


def make_plan(connection: sa.Connection, task: Task) -> Plan:
    """The symbols whose metrics are missing or rest on other prices."""
    fresh = results.up_to_date(
        connection, metric, inputs(connection, task), task.first, task.last, len(METRICS)
    )
    return symbols_plan(task, [name for name in task.listed_symbols if name not in fresh])


def work(task: Task, payload: Payload) -> Result:
    """Compute every metric of a chunk's symbols."""
    symbols: list[str] = payload["symbols"]
    panel = task.panel
    columns = [panel.column(name) for name in symbols]
    part = replace(
        panel,
        symbols=tuple(symbols),
        close=panel.close[:, columns],
        split=panel.split[:, columns],
        dividend=panel.dividend[:, columns],
    )
    table = symbol_metrics(part, task.block_first - task.grid_first)
    with task.setup.database.reading() as connection:
        fingerprints = inputs(connection, task)
    series = [
        results.MetricSeries(
            name, key, table.value[:, j, m], table.n[:, j, m], table.reason[:, j, m], fingerprints[name]
        )
        for j, name in enumerate(symbols)
        for m, key in enumerate(table.keys)
    ]

    def write(connection: sa.Connection) -> None:
        results.write_metrics(connection, task.block_first, task.last, series)

    return Result(items=tuple(symbols), write=write)


PHASE = Phase(NAME, "Computed metrics for", make_plan, work)
