"""Factor Analysis: every listed symbol's betas for every session, by each model of the factor set.

Knows nothing of portfolios' quantities.
"""

import sqlalchemy as sa

from glassfolio.analytics import factors
from glassfolio.analytics.returns import simple_returns
from glassfolio.batch import plan
from glassfolio.batch.phase import ChunkPlan, Closing, Payload, Phase, Plan, Result
from glassfolio.batch.task import Task
from glassfolio.db.tables import exposure
from glassfolio.model.run import Entry, PhaseName
from glassfolio.store import market, results

NAME = PhaseName("factor_analysis", "phase_1_5", "Factor Analysis", "symbols")
# Part of every fingerprint: raised when the arithmetic changes, so that stored betas are computed again.
ARITHMETIC = "betas-2"
MODELS = tuple(factors.MODELS.values())


def inputs(connection: sa.Connection, task: Task) -> dict[str, str]:
    """Symbol -> fingerprint of the prices its betas rest on."""
    if not task.listed_symbols:
        return {}
    revisions = market.revisions(connection, task.priced_symbols)
    shared = [f"{name}:{revisions[name]}" for name in task.factor_series]
    return {
        name: task.fingerprint(ARITHMETIC, *shared, f"{name}:{revisions[name]}")
        for name in task.listed_symbols
    }


def make_plan(connection: sa.Connection, task: Task) -> Plan:
    """The symbols whose betas are missing or rest on other prices; all where they are asked for anew."""
    if task.redo:
        return symbols_plan(task, list(task.listed_symbols))
    wanted = inputs(connection, task)
    fresh = results.up_to_date(
        connection,
        exposure,
        wanted,
        task.first,
        task.last,
        len(MODELS),
        exposure.c.factor_set == task.setup.factor_set.name,
    )
    return symbols_plan(task, [name for name in task.listed_symbols if name not in fresh])


def symbols_plan(task: Task, todo: list[str]) -> Plan:
    """Chunks of up to 512 symbols; all others are settled."""
    return Plan(
        total=len(task.listed_symbols),
        chunks=tuple(
            ChunkPlan(len(piece), {"symbols": list(piece)})
            for piece in plan.pieces(todo, plan.SYMBOLS_PER_CHUNK)
        ),
        cached=len(task.listed_symbols) - len(todo),
    )


def work(task: Task, payload: Payload) -> Result:
    """Fit every model to a chunk's symbols."""
    symbols: list[str] = payload["symbols"]
    panel = task.panel
    columns = [panel.column(name) for name in symbols]
    returns = simple_returns(panel.close[:, columns], panel.split[:, columns], panel.dividend[:, columns])
    start = task.block_first - task.grid_first
    with task.setup.database.reading() as connection:
        fingerprints = inputs(connection, task)
    series: dict[str, list[results.BetaSeries]] = {}
    for betas in factors.fit_all(MODELS, task.setup.factor_set, panel, returns, start):
        series[betas.model.key] = [
            results.BetaSeries(
                name,
                betas.keys,
                betas.value[:, j],
                betas.stderr[:, j],
                betas.r2[:, j],
                betas.dof[:, j],
                betas.n[:, j],
                betas.reason[:, j],
                betas.warnings[:, j],
                fingerprints[name],
            )
            for j, name in enumerate(symbols)
        ]

    def write(connection: sa.Connection) -> None:
        for model, items in series.items():
            results.write_betas(
                connection, task.setup.factor_set.name, model, task.block_first, task.last, items
            )

    return Result(items=tuple(symbols), write=write)


def close(_connection: sa.Connection, task: Task) -> Closing:
    """Name the factors that have no data at the newest session."""
    if not task.listed_symbols:
        return Closing()
    last = len(task.panel.sessions) - 1
    absent = factors.absent(MODELS, task.setup.factor_set, task.panel, last)
    return Closing(entries=tuple(Entry("FACTOR_MISSING", NAME.key, {"factor": key}) for key in absent))


PHASE = Phase(NAME, "Analysed", make_plan, work, close)
