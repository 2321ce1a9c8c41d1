"""A run's rows: opened, claimed, moved on chunk by chunk, ended; and the encoded status document.

All changes of a run go through a Turn, which locks the run's row first (the fence) and writes the
log, the counters and the document together. Knows nothing of the durable engine or of phases' work.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import sqlalchemy as sa

from glassfolio.db import changes
from glassfolio.db.tables import activity, phase, portfolio, run, status_document, symbol_outcome
from glassfolio.errors import Superseded
from glassfolio.model.run import (
    Conclusion,
    Entry,
    FailureCode,
    Outcome,
    PhaseName,
    PhaseProgress,
    PhaseStatus,
    Run,
    RunState,
    RunStatus,
    SymbolOutcome,
    Trigger,
)
from glassfolio.progress import estimate, fold
from glassfolio.store import rows


@dataclass(frozen=True, slots=True)
class Opening:
    """What a new run is bound to.

    totals: units of each kind as far as they are known now; the phases' plans may correct them.
    """

    portfolio_id: str
    owner_id: str
    kind: str
    trigger: Trigger
    triggered_by: str
    first_session: date
    last_session: date
    totals: Mapping[str, int]


def open_run(connection: sa.Connection, opening: Opening, names: Sequence[PhaseName], now: datetime) -> str:
    """A new run with all its phases pending, shown by the portfolio's status address; returns its id.

    Raises IntegrityError when a run of the portfolio is active (`active` finds it).
    """
    run_id = str(uuid4())
    # Goes on where the portfolio's runs before stopped, so that it rises over all of them.
    before = sa.select(sa.func.coalesce(sa.func.max(run.c.seq), 0)).where(
        run.c.portfolio_id == opening.portfolio_id
    )
    connection.execute(
        sa.insert(run).values(
            id=run_id,
            portfolio_id=opening.portfolio_id,
            owner_id=opening.owner_id,
            kind=opening.kind,
            trigger=opening.trigger.value,
            triggered_by=opening.triggered_by,
            first_session=opening.first_session,
            last_session=opening.last_session,
            attempt=1,
            fence=0,
            seq=before.scalar_subquery(),
            **_fresh(now),
        )
    )
    connection.execute(
        sa.update(portfolio).where(portfolio.c.id == opening.portfolio_id).values(shown_run=run_id)
    )
    _pending_phases(connection, run_id, 1, names, opening.totals)
    with Turn(connection, run_id, 0, names, now) as turn:
        turn.say("RUN_QUEUED")
    return run_id


def _fresh(now: datetime) -> dict[str, Any]:
    """The columns of a run as an attempt begins."""
    return {
        "resumes": 0,
        "barren": 0,
        "errors": 0,
        "state": RunState.QUEUED.value,
        "conclusion": None,
        "worker": None,
        "percent": 0.0,
        "started_at": now,
        "work_started_at": None,
        "worked_seconds": 0.0,
        "worked_until": None,
        "last_progress_at": None,
        "updated_at": now,
        "ended_at": None,
        "completeness": None,
        "failure_code": None,
        "failure_phase": None,
        "error_id": None,
    }


def _pending_phases(
    connection: sa.Connection,
    run_id: str,
    attempt: int,
    names: Sequence[PhaseName],
    totals: Mapping[str, int],
) -> None:
    connection.execute(
        sa.insert(phase),
        [
            {
                "run_id": run_id,
                "attempt": attempt,
                "phase": name.key,
                "position": position,
                "status": PhaseStatus.PENDING.value,
                "total": totals[name.unit],
                "ok": 0,
                "failed": 0,
                "skipped": 0,
                "cached": 0,
                "worked_seconds": 0.0,
            }
            for position, name in enumerate(names)
        ],
    )


def retry(
    connection: sa.Connection,
    run_id: str,
    names: Sequence[PhaseName],
    last_session: date,
    totals: Mapping[str, int],
    now: datetime,
) -> tuple[int, int] | None:
    """Begin the next attempt of an ended run; returns (attempt, fence), or None when it has not ended.

    The ended attempt, its phases, log and document stay as they are; the portfolio's status address
    shows this run from now on. Raises IntegrityError when another run of the portfolio is active.
    """
    row = connection.execute(
        sa.update(run)
        .where(run.c.id == run_id, run.c.state == RunState.ENDED.value)
        .values(attempt=run.c.attempt + 1, fence=run.c.fence + 1, last_session=last_session, **_fresh(now))
        .returning(run.c.attempt, run.c.fence, run.c.portfolio_id)
    ).one_or_none()
    if row is None:
        return None
    connection.execute(
        sa.update(portfolio).where(portfolio.c.id == row.portfolio_id).values(shown_run=run_id)
    )
    _pending_phases(connection, run_id, row.attempt, names, totals)
    with Turn(connection, run_id, row.fence, names, now) as turn:
        turn.say("RETRY_STARTED", attempt=row.attempt)
    return row.attempt, row.fence


class Turn:
    """One change of a run: locks its row, collects log entries and columns, writes them at the end.

    fence: the hand-over that may still write; None for whoever acts from outside (owner, observer).
    Raises Superseded when the run has ended or another hand-over holds it.
    """

    def __init__(
        self,
        connection: sa.Connection,
        run_id: str,
        fence: int | None,
        names: Sequence[PhaseName],
        now: datetime,
    ) -> None:
        held = [run.c.id == run_id, run.c.state != RunState.ENDED.value]
        if fence is not None:
            held.append(run.c.fence == fence)
        row = connection.execute(
            sa.update(run).where(*held).values(seq=run.c.seq).returning(run)
        ).one_or_none()
        if row is None:
            raise Superseded
        self.connection = connection
        self.names = {name.key: name for name in names}
        self.row = dict(row._mapping)
        # A machine whose clock is behind must not make the log run backwards.
        self.now = max(now, self.row["updated_at"])
        self.changes: dict[str, Any] = {}
        self.entries: list[Entry] = []

    @property
    def run_id(self) -> str:
        """The run's id."""
        return str(self.row["id"])

    @property
    def attempt(self) -> int:
        """The attempt that this turn belongs to."""
        return int(self.row["attempt"])

    @property
    def state(self) -> RunState:
        """The run's state at the beginning of the turn."""
        return RunState(self.row["state"])

    def say(self, code: str, phase_key: str | None = None, /, **params: str | int) -> None:
        """Add an entry to the log."""
        self.entries.append(Entry(code, phase_key, params))

    def change(self, **columns: Any) -> None:
        """Set columns of the run."""
        self.changes.update(columns)

    def set_phase(self, key: str, **columns: Any) -> None:
        """Set columns of one of the attempt's phases."""
        self.connection.execute(sa.update(phase).where(*self._phase(key)).values(**columns))

    def phases(self) -> tuple[PhaseProgress, ...]:
        """The attempt's phases as they stand now."""
        return rows.phases(self.connection, self.run_id, self.attempt, self.names)

    def phase(self, key: str) -> PhaseProgress:
        """One of the attempt's phases."""
        return next(p for p in self.phases() if p.name.key == key)

    def worked(self) -> float:
        """Count the working time since the last commit; returns its seconds."""
        since = self.row["worked_until"]
        seconds = max(0.0, (self.now - since).total_seconds()) if since else 0.0
        self.change(worked_until=self.now, worked_seconds=self.row["worked_seconds"] + seconds)
        return seconds

    def add_outcomes(self, outcomes: Sequence[SymbolOutcome]) -> None:
        """Name symbols that did not simply succeed; a symbol is named once in an attempt."""
        for outcome in outcomes:
            values = {
                "outcome": outcome.outcome,
                "reason": outcome.reason,
                "share_of_value": outcome.share_of_value,
            }
            key = {"run_id": self.run_id, "attempt": self.attempt, "symbol": outcome.symbol}
            where = [symbol_outcome.c[name] == value for name, value in key.items()]
            if (
                self.connection.execute(sa.update(symbol_outcome).where(*where).values(**values)).rowcount
                == 0
            ):
                self.connection.execute(sa.insert(symbol_outcome).values(**key, **values))

    def end(
        self,
        conclusion: Conclusion,
        failure: FailureCode | None = None,
        phase_key: str | None = None,
        error_id: str | None = None,
    ) -> None:
        """Bring the attempt to its end: no phase stays running or pending without a word."""
        cancelled = conclusion is Conclusion.CANCELLED
        current = phase_key or self._open_phase()
        for item in self.phases():
            if item.status is PhaseStatus.RUNNING or (failure and item.name.key == current):
                outcome = Outcome.CANCELLED if cancelled else Outcome.FAILED
                started = item.started_at or self.now
                self.set_phase(
                    item.name.key,
                    status=PhaseStatus.FAILED.value,
                    outcome=outcome.value,
                    reason=failure.value if failure else None,
                    started_at=started,
                    ended_at=self.now,
                )
            elif item.status is PhaseStatus.PENDING:
                self.set_phase(item.name.key, outcome=Outcome.NOT_RUN.value)
        self.change(
            state=RunState.ENDED.value,
            conclusion=conclusion.value,
            ended_at=self.now,
            failure_code=failure.value if failure else None,
            failure_phase=current if failure else None,
            error_id=error_id,
        )

    def _open_phase(self) -> str:
        still_open = [p for p in self.phases() if p.status is not PhaseStatus.COMPLETED]
        return (still_open or list(self.phases())[-1:])[0].name.key

    def _phase(self, key: str) -> list[sa.ColumnElement[bool]]:
        return [phase.c.run_id == self.run_id, phase.c.attempt == self.attempt, phase.c.phase == key]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._save()

    def _save(self) -> None:
        seq = self.row["seq"]
        if self.entries:
            self.connection.execute(
                sa.insert(activity),
                [
                    {
                        "run_id": self.run_id,
                        "seq": seq + i,
                        "attempt": self.attempt,
                        "at": self.now,
                        "code": entry.code,
                        "phase": entry.phase,
                        "params": json.dumps(entry.params, ensure_ascii=False),
                    }
                    for i, entry in enumerate(self.entries, start=1)
                ],
            )
        merged = {**self.row, **self.changes}
        listed = self.phases()
        if merged["state"] != RunState.ENDED.value:
            merged["percent"] = estimate.percent(listed, merged["worked_seconds"], merged["percent"])
        elif merged["failure_code"] is None and merged["conclusion"] != Conclusion.CANCELLED.value:
            merged["percent"] = 100.0
        self.changes |= {
            "seq": seq + max(1, len(self.entries)),
            "updated_at": self.now,
            "percent": merged["percent"],
        }
        self.connection.execute(sa.update(run).where(run.c.id == self.run_id).values(**self.changes))
        changes.tell(self.connection)
        _publish(self.connection, rows.of_row({**merged, **self.changes}), listed)


def _publish(connection: sa.Connection, current: Run, listed: tuple[PhaseProgress, ...]) -> None:
    """Encode the status document of the present attempt."""
    newest = (
        sa.select(activity)
        .where(activity.c.run_id == current.id, activity.c.attempt == current.attempt)
        .order_by(activity.c.seq.desc())
        .limit(fold.FEED)
    )
    feed = tuple(rows.activity_of(row) for row in reversed(connection.execute(newest).all()))
    logged = connection.execute(
        sa.select(sa.func.count()).where(
            activity.c.run_id == current.id, activity.c.attempt == current.attempt
        )
    ).scalar_one()
    status = RunStatus(current, listed, feed, logged, rows.outcomes(connection, current.id, current.attempt))
    body = fold.encode(fold.document(status))
    key = [status_document.c.run_id == current.id, status_document.c.attempt == current.attempt]
    if (
        connection.execute(sa.update(status_document).where(*key).values(seq=current.seq, body=body)).rowcount
        == 0
    ):
        connection.execute(
            sa.insert(status_document).values(
                run_id=current.id, attempt=current.attempt, seq=current.seq, body=body
            )
        )
