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
from glassfolio.db.tables import activity, phase, portfolio, run, snapshot, symbol_outcome
from glassfolio.errors import Superseded
from glassfolio.model.messages import ordinal
from glassfolio.model.run import (
    Conclusion,
    Entry,
    EtaReason,
    FailureCode,
    Mark,
    Outcome,
    PhaseName,
    PhaseProgress,
    PhaseStatus,
    RunKind,
    RunState,
    SymbolOutcome,
    Trail,
    Trigger,
)
from glassfolio.store import encoded, published, rows, trail


@dataclass(frozen=True, slots=True)
class Opening:
    """What a new run is bound to.

    totals: units of each kind as far as they are known now; the phases' plans may correct them.
    redo, asked_first, asked_last: as in Run.
    """

    portfolio_id: str
    owner_id: str
    kind: RunKind
    trigger: Trigger
    triggered_by: str
    first_session: date
    last_session: date
    totals: Mapping[str, int]
    batch_id: str | None = None
    redo: bool = False
    asked_first: date | None = None
    asked_last: date | None = None


def open_run(connection: sa.Connection, opening: Opening, names: Sequence[PhaseName], now: datetime) -> str:
    """A new run with all its phases pending; returns its id. Unless it is a nightly one, the portfolio's
    status address shows it from now on.

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
            kind=opening.kind.value,
            trigger=opening.trigger.value,
            triggered_by=opening.triggered_by,
            first_session=opening.first_session,
            last_session=opening.last_session,
            attempt=1,
            fence=0,
            seq=before.scalar_subquery(),
            created_at=now,
            batch_id=opening.batch_id,
            redo=opening.redo,
            asked_first=opening.asked_first,
            asked_last=opening.asked_last,
            results_before=_has_results(connection, opening.portfolio_id),
            **_fresh(now),
        )
    )
    _show(connection, opening.portfolio_id, run_id, opening.kind)
    _pending_phases(connection, run_id, 1, names, opening.totals)
    with Turn(connection, run_id, 0, names, now) as turn:
        turn.say("RUN_QUEUED")
    return run_id


def _show(connection: sa.Connection, portfolio_id: str, run_id: str, kind: RunKind) -> None:
    if kind is not RunKind.NIGHTLY:
        connection.execute(
            sa.update(portfolio).where(portfolio.c.id == portfolio_id).values(shown_run=run_id)
        )


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
        "data_as_of": None,
        "waiting_until": None,
        "stalled_since": None,
        "stalled_reason": None,
        "retry_at": None,
        "eta": None,
        "spread": None,
        "honesty": None,
    }


def _has_results(connection: sa.Connection, portfolio_id: str) -> bool:
    query = sa.select(snapshot.c.session).where(snapshot.c.portfolio_id == portfolio_id).limit(1)
    return connection.execute(query).one_or_none() is not None


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
    shows this run from now on, unless it is a nightly one. Raises IntegrityError when another run of the
    portfolio is active.
    """
    row = connection.execute(
        sa.update(run)
        .where(run.c.id == run_id, run.c.state == RunState.ENDED.value)
        .values(
            attempt=run.c.attempt + 1,
            fence=run.c.fence + 1,
            last_session=last_session,
            created_at=sa.func.coalesce(run.c.created_at, run.c.started_at),
            **_fresh(now),
        )
        .returning(run.c.attempt, run.c.fence, run.c.portfolio_id, run.c.kind)
    ).one_or_none()
    if row is None:
        return None
    _show(connection, row.portfolio_id, run_id, RunKind(row.kind))
    _pending_phases(connection, run_id, row.attempt, names, totals)
    with Turn(connection, run_id, row.fence, names, now) as turn:
        turn.say("RETRY_STARTED", ordinal=ordinal(row.attempt))
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
        self.steps: list[Trail] = []
        self.reason: EtaReason | None = None

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

    def note(self, mark: Mark, phase_key: str | None = None, /, **numbers: Any) -> None:
        """Add a step to the trail, at the seconds worked so far; what is told then is told anew."""
        t = numbers.pop("t", self.changes.get("worked_seconds", self.row["worked_seconds"]))
        self.steps.append(Trail(mark, t, phase_key, **numbers))

    def explain(self, reason: EtaReason) -> None:
        """Say why the remaining time may go up with this change."""
        self.reason = reason

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
                "retry_at": outcome.retry_at,
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
            waiting_until=None,
            stalled_since=None,
            stalled_reason=None,
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
        listed = self.phases()
        self._tell({**self.row, **self.changes}, listed)
        trail.add(self.connection, self.run_id, self.attempt, seq + 1, self.steps)
        self.change(seq=seq + max(1, len(self.entries)), updated_at=self.now)
        self.connection.execute(sa.update(run).where(run.c.id == self.run_id).values(**self.changes))
        changes.tell(self.connection)
        published.publish(self.connection, rows.of_row({**self.row, **self.changes}), listed)

    def _tell(self, row: dict[str, Any], listed: tuple[PhaseProgress, ...]) -> None:
        """What is shown changes with a step of the trail only: neither with a look nor with the clock."""
        if row["state"] == RunState.ENDED.value:
            won = row["conclusion"] in (Conclusion.SUCCESS, Conclusion.SUCCESS_WITH_WARNINGS)
            self.change(eta=None, **({"percent": 100.0} if won else {}))
        elif self.steps:
            told = published.tell(row, listed, self.now, self.reason)
            self.change(percent=told.percent, eta=encoded.eta_text(told.eta))
            self.steps[-1] = told.at(self.steps[-1], self.now)
