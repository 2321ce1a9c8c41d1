"""Portfolio Snapshots & Analytics: the account, its exposures and its factor exposures, day by day.

Knows nothing of how prices or betas were obtained.
"""

from dataclasses import replace
from datetime import date

import numpy as np
import sqlalchemy as sa

from glassfolio.batch import plan
from glassfolio.batch.account import Account, account
from glassfolio.batch.phase import ChunkPlan, Closing, Payload, Phase, Plan, Result
from glassfolio.batch.phases import factor_analysis
from glassfolio.batch.task import Task
from glassfolio.db.tables import SNAPSHOT_NUMBERS
from glassfolio.model.market import IntArray
from glassfolio.model.messages import SYMBOL_REASONS
from glassfolio.model.results import reason_of
from glassfolio.model.run import Entry, FailureCode, PhaseName, SymbolOutcome
from glassfolio.store import market, results, rows

NAME = PhaseName("snapshots", "phase_2_6", "Portfolio Snapshots & Analytics", "dates")
# Part of every fingerprint: raised when the arithmetic changes.
ARITHMETIC = "snapshots-2"


def inputs(connection: sa.Connection, task: Task) -> str:
    """Fingerprint of everything a snapshot rests on: lots, flows, equity, anchor, prices, window's start."""
    revisions = market.revisions(connection, task.priced_symbols)
    return task.fingerprint(
        ARITHMETIC,
        factor_analysis.ARITHMETIC,
        task.setup.factor_set.name,
        str(task.first),
        repr(task.portfolio.equity),
        repr(task.portfolio.anchor),
        repr(task.lots),
        repr(task.flows),
        repr(sorted(revisions.items())),
    )


def make_plan(connection: sa.Connection, task: Task) -> Plan:
    """The sessions without a snapshot, or with one that rests on other inputs."""
    built = results.snapshot_sessions(connection, task.portfolio.id, inputs(connection, task))
    todo = [day for day in task.window.astype("datetime64[D]").tolist() if day not in built]
    return Plan(
        total=len(task.window),
        chunks=tuple(
            ChunkPlan(len(piece), {"dates": [day.isoformat() for day in piece]})
            for piece in plan.pieces(todo, plan.DATES_PER_CHUNK)
        ),
        cached=len(task.window) - len(todo),
    )


def work(task: Task, payload: Payload) -> Result:
    """Build a chunk's snapshots; each is a function of the whole ledger, so chunks are independent."""
    days = [date.fromisoformat(text) for text in payload["dates"]]
    whole = account(task)
    at = np.searchsorted(task.window, np.array(days, dtype="datetime64[D]"))
    snapshots = results.SnapshotRows(
        task.window[at],
        {name: whole.numbers[name][at] for name in SNAPSHOT_NUMBERS},
        whole.positions[at],
        whole.lots[at],
    )
    factors = _factor_rows(whole, at)
    with task.setup.database.reading() as connection:
        fingerprint = inputs(connection, task)

    def write(connection: sa.Connection) -> None:
        results.write_snapshots(connection, task.portfolio.id, fingerprint, snapshots, factors)

    return Result(items=tuple(payload["dates"]), write=write)


def _factor_rows(whole: Account, at: IntArray) -> list[results.FactorRows]:
    found = whole.factors
    beta, dollars, reason = found.beta[at, 0], found.dollars[at, 0], found.beta_reason[at, 0]
    coverage, age = found.coverage[at, 0], found.age[at, 0]
    return [
        results.FactorRows(
            key,
            beta[:, k],
            dollars[:, k],
            coverage[:, k],
            age[:, k],
            tuple(word.value if (word := reason_of(int(code))) else None for code in reason[:, k]),
        )
        for k, key in enumerate(found.keys)
    ]


def close(connection: sa.Connection, task: Task) -> Closing:
    """Name what is not valued; a run of which too little can be valued has failed."""
    whole = account(task)
    newest = float(whole.numbers["value_coverage"][-1])
    if newest < task.setup.min_valued:
        return Closing(failure=FailureCode.NOTHING_TO_VALUE)
    named = {outcome.symbol: outcome for outcome in rows.outcomes(connection, task.run_id, task.attempt)}
    outcomes = tuple(
        replace(named[symbol], share_of_value=share)
        if symbol in named
        else SymbolOutcome(symbol, "unsupported" if reason == "unsupported" else "unknown", reason, share)
        for symbol, (reason, share) in whole.not_valued.items()
    )
    entries = tuple(
        Entry("LOT_NOT_VALUED", NAME.key, {"symbol": o.symbol, "reason": SYMBOL_REASONS[o.reason]})
        for o in outcomes
        if o.symbol not in named
    )
    return Closing(entries=entries, outcomes=outcomes, completeness=whole.completeness)


PHASE = Phase(NAME, "Built", make_plan, work, close)
