"""Reading a run's rows: runs, phases, log, outcomes, and the document that a status request copies.

What a person asks for takes the owner in the query. Knows nothing of how rows are written.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from glassfolio.db.tables import activity, phase, portfolio, run, status_document, symbol_outcome, worker
from glassfolio.model.run import (
    Activity,
    Conclusion,
    Eta,
    FailureCode,
    Outcome,
    PhaseName,
    PhaseProgress,
    PhaseStatus,
    Run,
    RunState,
    StallReason,
    SymbolOutcome,
    Trigger,
)
from glassfolio.store import encoded


@dataclass(frozen=True, slots=True)
class Shown:
    """What a status request needs: the encoded document and what is spliced into it.

    body: None when the portfolio was never onboarded; the other fields then mean nothing.
    beat: the worker's last heartbeat, seconds since 1970; None when nobody holds the run.
    """

    body: bytes | None
    run_id: str | None
    attempt: int | None
    seq: int | None
    state: RunState | None
    started_at: datetime | None
    ended_at: datetime | None
    updated_at: datetime | None
    waiting_until: datetime | None
    beat: float | None


# The columns that `shown_of` reads.
DOCUMENT = (
    run.c.id,
    run.c.attempt,
    run.c.state,
    run.c.started_at,
    run.c.ended_at,
    run.c.updated_at,
    run.c.waiting_until,
    status_document.c.seq,
    status_document.c.body,
    worker.c.beat,
)


# The statements of a status request are built once: putting one together takes longer than its answer.
_SHOWN = (
    sa.select(*DOCUMENT)
    .select_from(
        portfolio.outerjoin(run, run.c.id == portfolio.c.shown_run)
        .outerjoin(
            status_document,
            sa.and_(status_document.c.run_id == run.c.id, status_document.c.attempt == run.c.attempt),
        )
        .outerjoin(worker, worker.c.id == run.c.worker)
    )
    .where(
        portfolio.c.id == sa.bindparam("portfolio_id"),
        portfolio.c.owner_id == sa.bindparam("owner_id"),
        portfolio.c.deleted_at.is_(None),
    )
)


def shown(connection: sa.Connection, portfolio_id: str, owner_id: str) -> Shown | None:
    """The document that the portfolio's status address answers; None unless it is the owner's and live."""
    row = connection.execute(_SHOWN, {"portfolio_id": portfolio_id, "owner_id": owner_id}).one_or_none()
    return shown_of(row) if row else None


def document_of(
    connection: sa.Connection, run_id: str, owner_id: str, attempt: int | None = None
) -> Shown | None:
    """The document of one run, of its present attempt or an earlier one; None unless it is the owner's."""
    which = run.c.attempt if attempt is None else attempt
    row = connection.execute(
        sa.select(*DOCUMENT)
        .select_from(
            run.join(portfolio, portfolio.c.id == run.c.portfolio_id)
            .join(
                status_document,
                sa.and_(status_document.c.run_id == run.c.id, status_document.c.attempt == which),
            )
            .outerjoin(worker, worker.c.id == run.c.worker)
        )
        # The run names its owner too: a foreign one is passed over as quickly as an absent one.
        .where(run.c.id == run_id, run.c.owner_id == owner_id)
        .where(portfolio.c.owner_id == owner_id, portfolio.c.deleted_at.is_(None))
    ).one_or_none()
    return shown_of(row) if row else None


def shown_of(row: Any) -> Shown:
    """What a status request needs, from a row with the columns of DOCUMENT."""
    return Shown(
        body=row.body,
        run_id=row.id,
        attempt=row.attempt,
        seq=row.seq,
        state=RunState(row.state) if row.state else None,
        started_at=row.started_at,
        ended_at=row.ended_at,
        updated_at=row.updated_at,
        waiting_until=row.waiting_until,
        beat=row.beat,
    )


def get(connection: sa.Connection, run_id: str) -> Run | None:
    """One run, whoever owns it: for the worker and the operator, never for an owner's request."""
    row = connection.execute(sa.select(run).where(run.c.id == run_id)).one_or_none()
    return of_row(dict(row._mapping)) if row else None


def owned(connection: sa.Connection, run_id: str, owner_id: str) -> Run | None:
    """One run of a live portfolio of this owner; None also when it is somebody else's."""
    row = connection.execute(
        sa.select(run)
        .join(portfolio, portfolio.c.id == run.c.portfolio_id)
        .where(run.c.id == run_id, portfolio.c.owner_id == owner_id, portfolio.c.deleted_at.is_(None))
    ).one_or_none()
    return of_row(dict(row._mapping)) if row else None


def active(connection: sa.Connection, portfolio_id: str) -> Run | None:
    """The portfolio's run that has not ended, if there is one."""
    row = connection.execute(
        sa.select(run).where(run.c.portfolio_id == portfolio_id, run.c.state != RunState.ENDED.value)
    ).one_or_none()
    return of_row(dict(row._mapping)) if row else None


def of_portfolio(connection: sa.Connection, portfolio_id: str) -> list[Run]:
    """All runs of a portfolio, newest first."""
    rows = connection.execute(
        sa.select(run).where(run.c.portfolio_id == portfolio_id).order_by(run.c.started_at.desc())
    )
    return [of_row(dict(row._mapping)) for row in rows]


def log(
    connection: sa.Connection, run_id: str, attempt: int | None, after: int = 0, limit: int | None = None
) -> list[Activity]:
    """Entries of the log with a higher number than `after`, in order; of all attempts when None."""
    query = sa.select(activity).where(activity.c.run_id == run_id, activity.c.seq > after)
    if attempt is not None:
        query = query.where(activity.c.attempt == attempt)
    return [activity_of(row) for row in connection.execute(query.order_by(activity.c.seq).limit(limit))]


def unended(connection: sa.Connection) -> list[tuple[str, int]]:
    """The (id, fence) of every run that has not ended."""
    query = sa.select(run.c.id, run.c.fence).where(run.c.state != RunState.ENDED.value)
    return [(row.id, row.fence) for row in connection.execute(query)]


def without_worker(
    connection: sa.Connection, lease: float, epoch: str
) -> list[tuple[str, int, str | None, float | None]]:
    """The (id, fence, worker, age of its last beat) of runs at work without one for `lease` seconds.

    Locks their rows where the database has row locks; those that somebody else holds are left out.
    """
    now: sa.ColumnElement[float] = sa.literal_column(epoch)
    query = (
        sa.select(run.c.id, run.c.fence, run.c.worker, (now - worker.c.beat).label("age"))
        .outerjoin(worker, worker.c.id == run.c.worker)
        .where(
            run.c.state.in_([RunState.RUNNING.value, RunState.WAITING.value, RunState.CANCELLING.value]),
            sa.or_(worker.c.id.is_(None), worker.c.beat < now - lease),
        )
        .with_for_update(of=run, skip_locked=True)
    )
    return [(row.id, row.fence, row.worker, row.age) for row in connection.execute(query)]


def without_progress(
    connection: sa.Connection, now: datetime, seconds: float, longest: float
) -> list[tuple[str, int]]:
    """The (id, fence) of runs at work, in no named wait, that committed nothing for so many seconds.

    Those called stalled are left out until `longest` seconds have gone. Locks their rows where the database
    has row locks; those that somebody else holds are left out.
    """
    query = (
        sa.select(run.c.id, run.c.fence)
        .where(
            run.c.state == RunState.RUNNING.value,
            run.c.worked_until < now - timedelta(seconds=seconds),
            sa.or_(run.c.stalled_since.is_(None), run.c.worked_until < now - timedelta(seconds=longest)),
        )
        .with_for_update(of=run, skip_locked=True)
    )
    return [(row.id, row.fence) for row in connection.execute(query)]


def state(connection: sa.Connection, run_id: str) -> RunState | None:
    """Where a run stands; None when there is no such run."""
    found = connection.execute(sa.select(run.c.state).where(run.c.id == run_id)).scalar_one_or_none()
    return RunState(found) if found else None


@dataclass(frozen=True, slots=True)
class Place:
    """A waiting run among its owner's own. ahead: those that wait and were started earlier.

    at_work: the remaining times of those at work, None where it is unknown.
    """

    ahead: int
    at_work: tuple[Eta | None, ...]

    def told(self, alive: bool, limit: int, now: datetime) -> dict[str, Any]:
        """The same for the owner. alive: whether there are workers; limit: own runs at work at a time."""
        crowded = len(self.at_work) >= limit
        return {
            "position": 1 + self.ahead,
            "starts_in": self.starts_in(now) if alive and crowded else None,
            "reason": "no_worker" if not alive else "own_limit" if crowded else "workers_busy",
        }

    def starts_in(self, now: datetime) -> dict[str, int] | None:
        """Seconds until enough of those at work have ended, low and high; None while that is unknown."""
        left = [
            (eta.low - (now - eta.as_of).total_seconds(), eta.high - (now - eta.as_of).total_seconds())
            for eta in self.at_work
            if eta is not None
        ]
        if len(left) <= self.ahead:
            return None
        low, high = sorted(left)[self.ahead]
        return {"low": max(0, math.floor(low)), "high": max(0, math.ceil(high))}


_ACTIVE_OF_OWNER = sa.select(run.c.state, run.c.started_at, run.c.eta).where(
    run.c.owner_id == sa.bindparam("owner_id"),
    run.c.state != RunState.ENDED.value,
    run.c.batch_id.is_(None),  # those of batches have a queue of their own
)


def place(connection: sa.Connection, owner_id: str, started_at: datetime) -> Place:
    """Where a run that waits since `started_at` stands among its owner's own."""
    rows = connection.execute(_ACTIVE_OF_OWNER, {"owner_id": owner_id}).all()
    waiting = [row for row in rows if row.state == RunState.QUEUED.value]
    return Place(
        sum(row.started_at < started_at for row in waiting),
        tuple(encoded.read_eta(row.eta) for row in rows if row.state != RunState.QUEUED.value),
    )


@cache
def _workers_alive(epoch: str) -> sa.Select[int]:
    return sa.select(sa.func.count()).where(worker.c.beat >= sa.literal_column(epoch) - sa.bindparam("lease"))


def workers_alive(connection: sa.Connection, lease: float, epoch: str) -> int:
    """How many workers have beaten within the last `lease` seconds."""
    return connection.execute(_workers_alive(epoch), {"lease": lease}).scalar_one()


def learned_seconds(connection: sa.Connection, run_id: str, attempt: int, key: str) -> float | None:
    """Seconds that one unit of a phase is expected to take, from earlier runs; None without any."""
    query = sa.select(phase.c.unit_seconds).where(
        phase.c.run_id == run_id, phase.c.attempt == attempt, phase.c.phase == key, phase.c.learned_runs > 0
    )
    return connection.execute(query).scalar_one_or_none()


def outcome_count(connection: sa.Connection, run_id: str, attempt: int) -> int:
    """How many symbols of an attempt did not simply succeed."""
    query = sa.select(sa.func.count()).where(
        symbol_outcome.c.run_id == run_id, symbol_outcome.c.attempt == attempt
    )
    return connection.execute(query).scalar_one()


def phases(
    connection: sa.Connection, run_id: str, attempt: int, names: Mapping[str, PhaseName]
) -> tuple[PhaseProgress, ...]:
    """An attempt's phases in their order."""
    rows = connection.execute(
        sa.select(phase)
        .where(phase.c.run_id == run_id, phase.c.attempt == attempt)
        .order_by(phase.c.position)
    )
    return tuple(
        PhaseProgress(
            name=names[row.phase],
            status=PhaseStatus(row.status),
            outcome=Outcome(row.outcome) if row.outcome else None,
            reason=row.reason,
            total=row.total,
            ok=row.ok,
            failed=row.failed,
            skipped=row.skipped,
            cached=row.cached,
            planned=row.planned,
            unit_seconds=row.unit_seconds,
            expected_fixed=row.expected_fixed,
            learned_runs=row.learned_runs,
            worked_seconds=row.worked_seconds,
            fixed_seconds=row.fixed_seconds,
            waited_seconds=row.waited_seconds,
            pace_seconds=row.pace_seconds,
            free_units=row.free_units,
            at_once=row.at_once,
            at=row.at,
            started_at=row.started_at,
            ended_at=row.ended_at,
        )
        for row in rows
    )


def outcomes(connection: sa.Connection, run_id: str, attempt: int) -> tuple[SymbolOutcome, ...]:
    """The symbols of an attempt that did not simply succeed."""
    rows = connection.execute(
        sa.select(symbol_outcome)
        .where(symbol_outcome.c.run_id == run_id, symbol_outcome.c.attempt == attempt)
        .order_by(symbol_outcome.c.symbol)
    )
    return tuple(SymbolOutcome(r.symbol, r.outcome, r.reason, r.share_of_value, r.retry_at) for r in rows)


def of_row(row: Mapping[str, Any]) -> Run:
    """A run from the columns of its row."""
    return Run(
        id=row["id"],
        portfolio_id=row["portfolio_id"],
        owner_id=row["owner_id"],
        kind=row["kind"],
        trigger=Trigger(row["trigger"]),
        triggered_by=row["triggered_by"],
        attempt=row["attempt"],
        fence=row["fence"],
        resumes=row["resumes"],
        state=RunState(row["state"]),
        seq=row["seq"],
        percent=row["percent"],
        started_at=row["started_at"],
        updated_at=row["updated_at"],
        conclusion=Conclusion(row["conclusion"]) if row["conclusion"] else None,
        worker=row["worker"],
        work_started_at=row["work_started_at"],
        worked_seconds=row["worked_seconds"],
        last_progress_at=row["last_progress_at"],
        ended_at=row["ended_at"],
        first_session=row["first_session"],
        last_session=row["last_session"],
        completeness=row["completeness"],
        failure_code=FailureCode(row["failure_code"]) if row["failure_code"] else None,
        failure_phase=row["failure_phase"],
        error_id=row["error_id"],
        created_at=row["created_at"],
        data_as_of=row["data_as_of"],
        results_before=bool(row["results_before"]),
        waiting_until=row["waiting_until"],
        stalled_since=row["stalled_since"],
        stalled_reason=StallReason(row["stalled_reason"]) if row["stalled_reason"] else None,
        retry_at=row["retry_at"],
        eta=encoded.read_eta(row["eta"]),
        spread=encoded.read_spread(row["spread"]),
        honesty=encoded.read_honesty(row["honesty"]),
        **{name: row[name] for name in ("batch_id", "asked_first", "asked_last")},
        redo=bool(row["redo"]),
    )


def activity_of(row: sa.Row[Any]) -> Activity:
    """An entry of the log from its row."""
    return Activity(row.seq, row.at, row.code, row.phase, json.loads(row.params))
