"""Portfolio Snapshots & Analytics: the account, its exposures and its factor exposures, day by day.

Knows nothing of how prices or betas were obtained.
"""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import sqlalchemy as sa

from glassfolio.analytics.instruments import Kind
from glassfolio.analytics.statement import far_fills
from glassfolio.batch import analyses, plan
from glassfolio.batch.account import Account, account
from glassfolio.batch.phase import ChunkPlan, Closing, Payload, Phase, Plan, Result
from glassfolio.batch.phases import factor_analysis
from glassfolio.batch.task import Task
from glassfolio.db.tables import SNAPSHOT_NUMBERS
from glassfolio.model.market import IntArray
from glassfolio.model.messages import SYMBOL_REASONS
from glassfolio.model.run import Entry, FailureCode, PhaseName, SymbolOutcome
from glassfolio.store import market, rows, snapshots

NAME = PhaseName("snapshots", "phase_2_6", "Portfolio Snapshots & Analytics", "dates")
# Part of every fingerprint: raised when the arithmetic changes.
ARITHMETIC = "snapshots-3"


def inputs(connection: sa.Connection, task: Task) -> str:
    """Fingerprint of everything a snapshot rests on: lots, flows, equity, anchor, prices, window's start."""
    revisions = market.revisions(connection, task.priced_symbols)
    return task.fingerprint(
        ARITHMETIC,
        factor_analysis.ARITHMETIC,
        repr(task.setup.risk_free),
        task.setup.factor_set.name,
        str(task.first),
        repr(task.portfolio.equity),
        repr(task.portfolio.anchor),
        repr(task.lots),
        repr(task.flows),
        repr(sorted(revisions.items())),
    )


def make_plan(connection: sa.Connection, task: Task) -> Plan:
    """The sessions without a snapshot, or with one that rests on other inputs; of what a batch asks for those
    without one, or all.
    """
    wanted: list[date] = task.asked_sessions.astype("datetime64[D]").tolist()
    settled = _settled(connection, task)
    todo = [day for day in wanted if day not in settled]
    newest = snapshots.newest_session(connection, task.portfolio.id)
    return Plan(
        total=len(wanted),
        chunks=tuple(
            ChunkPlan(
                len(piece),
                {
                    "dates": [day.isoformat() for day in piece],
                    "newest": piece[-1] == todo[-1] and (newest is None or piece[-1] >= newest),
                },
            )
            for piece in plan.pieces(todo, plan.DATES_PER_CHUNK)
        ),
        cached=len(wanted) - len(todo),
    )


def _settled(connection: sa.Connection, task: Task) -> set[date]:
    if task.redo:
        return set()
    wanted = inputs(connection, task) if task.asked is None else None
    return snapshots.built_sessions(connection, task.portfolio.id, wanted)


def work(task: Task, payload: Payload) -> Result:
    """Build a chunk's snapshots; each is a function of the whole ledger, so chunks are independent."""
    days = [date.fromisoformat(text) for text in payload["dates"]]
    whole = account(task)
    at = np.searchsorted(task.window, np.array(days, dtype="datetime64[D]"))
    built = snapshots.SnapshotRows(
        task.window[at],
        {name: whole.numbers[name][at] for name in SNAPSHOT_NUMBERS},
        whole.positions[at],
        whole.lots[at],
        {name: codes[at] for name, codes in whole.reasons.items()},
        {name: bits[at] for name, bits in whole.warnings.items()},
    )
    exposures = _factor_rows(whole, at)
    newest = payload.get("newest", at[-1] == len(task.window) - 1)
    bodies = analyses.of_session(task, whole, int(at[-1])) if newest else {}
    with task.setup.database.reading() as connection:
        fingerprint = inputs(connection, task)

    def write(connection: sa.Connection) -> None:
        snapshots.write(connection, task.portfolio.id, fingerprint, built, exposures)
        if bodies:
            encoded = {kind: encode(body) for kind, body in bodies.items()}
            snapshots.write_analyses(connection, task.portfolio.id, days[-1], fingerprint, encoded)

    return Result(items=tuple(payload["dates"]), write=write)


def _factor_rows(whole: Account, at: IntArray) -> list[snapshots.FactorRows]:
    exposures = whole.factors
    return [
        snapshots.FactorRows(
            key,
            exposures.beta[at, 0, k],
            exposures.dollars[at, 0, k],
            whole.stderr[at, k],
            exposures.coverage[at, 0, k],
            whole.fitted[at, k],
            exposures.age[at, 0, k],
            exposures.beta_reason[at, 0, k],
            exposures.warnings[at, 0, k],
        )
        for k, key in enumerate(exposures.keys)
    ]


def encode(body: object) -> bytes:
    """A document as it is stored and sent."""
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


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
    entries += _far_fills(task, whole)
    return Closing(entries=entries, outcomes=outcomes, completeness=whole.completeness)


def _far_fills(task: Task, whole: Account) -> tuple[Entry, ...]:
    """Name the lots whose entry price is far from that day's close, now that it is known."""
    listed = whole.on_grid.instruments.kind[whole.on_grid.lots.column] == Kind.LISTED
    far = listed & far_fills(whole.on_grid.lots, whole.on_grid.instruments)
    lots = [task.lots[place] for place in np.flatnonzero(far)]
    return tuple(
        Entry("WARN_POS_003", NAME.key, {"symbol": lot.symbol, "date": str(lot.entry_date)}) for lot in lots
    )


PHASE = Phase(NAME, "Built", make_plan, work, close)
