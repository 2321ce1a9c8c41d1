"""What an owner can look at: status, log and runs. Nothing here changes anything.

Every read takes the owner in its query. Knows nothing of HTTP.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from glassfolio.batch.pipeline import NAMES
from glassfolio.batch.start import RUNS
from glassfolio.batch.task import Setup
from glassfolio.clock import Clock, from_iso, iso
from glassfolio.errors import or_not_found
from glassfolio.model.holdings import Portfolio
from glassfolio.model.run import Run, RunState
from glassfolio.progress import fold
from glassfolio.store import portfolios, rows

OWN_AT_ONCE = RUNS.partition_concurrency or 1
WIRE_IDS: Mapping[str, str] = {name.key: name.wire_id for name in NAMES}
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """An encoded status document and the version it is of.

    tag: names run, attempt and sequence number; None when the portfolio was never onboarded.
    poll_after: seconds before it is worth asking again; None when it has ended.
    """

    body: bytes
    tag: str | None
    poll_after: int | None

    @property
    def seq(self) -> int:
        """The version's number; rises over all runs of a portfolio, 0 before the first."""
        return int(self.tag.rpartition(".")[2]) if self.tag else 0

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more by itself."""
        return self.poll_after is None


@dataclass(frozen=True)
class Reading:
    """The owner's questions. lease: seconds without a beat after which a worker counts as dead."""

    setup: Setup
    clock: Clock
    lease: float

    def status(self, owner_id: str, portfolio_id: str) -> StatusAnswer:
        """The status of a portfolio's newest run. Raises NotFound."""
        with self.setup.database.reading() as connection:
            shown = or_not_found(rows.shown(connection, portfolio_id, owner_id))
            return self.answer(connection, shown, owner_id, portfolio_id)

    def run(self, owner_id: str, run_id: str, attempt: int | None = None) -> StatusAnswer:
        """The status of one run, in its present attempt or an earlier one. Raises NotFound."""
        with self.setup.database.reading() as connection:
            shown = or_not_found(rows.document_of(connection, run_id, owner_id, attempt))
            if attempt is not None and attempt != shown.attempt:
                return _earlier(shown, attempt)
            return self.answer(connection, shown, owner_id, "")

    def progress(self, owner_id: str, portfolio_id: str) -> str:
        """Where a portfolio's run stands, in words: 120 of 254 dates. Raises NotFound."""
        at = json.loads(self.status(owner_id, portfolio_id).body)["current_phase_progress"]
        return f"{at['current']} of {at['total']} {at['unit']}"

    def answer(
        self, connection: sa.Connection, shown: rows.Shown, owner_id: str, portfolio_id: str
    ) -> StatusAnswer:
        """The document of a run as it is sent now."""
        if shown.body is None or shown.started_at is None:
            never = fold.never_onboarded(portfolio_id, NAMES)
            body = fold.splice(fold.encode(never), elapsed_seconds=0, heartbeat_at=None, queue=None)
            return StatusAnswer(body, None, None)
        queue = self._queue(connection, shown, owner_id) if shown.state is RunState.QUEUED else None
        body = fold.splice(
            shown.body,
            elapsed_seconds=fold.elapsed_seconds(shown.started_at, shown.ended_at, self.clock.now()),
            heartbeat_at=datetime.fromtimestamp(shown.beat, UTC) if shown.beat else None,
            queue=queue,
        )
        wait = None
        if shown.state is not None and shown.updated_at is not None:
            wait = fold.poll_after_ms(shown.state, shown.updated_at, shown.waiting_until)
        return StatusAnswer(
            body, f"{shown.run_id}.{shown.attempt}.{shown.seq}", math.ceil(wait / 1000) if wait else None
        )

    def _queue(self, connection: sa.Connection, shown: rows.Shown, owner_id: str) -> Record:
        assert shown.started_at is not None
        epoch = self.setup.database.dialect.epoch
        alive = rows.workers_alive(connection, self.lease, epoch)
        return rows.place(connection, owner_id, shown.started_at).told(
            bool(alive), OWN_AT_ONCE, self.clock.now()
        )

    def log(
        self, owner_id: str, run_id: str, after: int = 0, limit: int = 500, attempt: int | None = None
    ) -> list[Record]:
        """Entries of a run's log numbered above `after`; attempt: None for all. Raises NotFound."""
        with self.setup.database.reading() as connection:
            or_not_found(rows.owned(connection, run_id, owner_id))
            entries = rows.log(connection, run_id, attempt, after, limit)
        return [fold.activity(entry, WIRE_IDS.get(entry.phase or "")) for entry in entries]

    def shown_run(self, owner_id: str, portfolio_id: str) -> str | None:
        """The run whose status a portfolio shows; None when it was never onboarded. Raises NotFound."""
        return self.portfolio(owner_id, portfolio_id).shown_run

    def runs(self, owner_id: str, portfolio_id: str) -> list[Run]:
        """All runs of a portfolio, newest first. Raises NotFound."""
        with self.setup.database.reading() as connection:
            or_not_found(portfolios.owned(connection, portfolio_id, owner_id))
            return rows.of_portfolio(connection, portfolio_id)

    def portfolio(self, owner_id: str, portfolio_id: str) -> Portfolio:
        """One portfolio. Raises NotFound."""
        with self.setup.database.reading() as connection:
            return or_not_found(portfolios.owned(connection, portfolio_id, owner_id))

    def portfolios(self, owner_id: str) -> list[Portfolio]:
        """The owner's portfolios, newest first."""
        with self.setup.database.reading() as connection:
            return portfolios.all_of(connection, owner_id)

    def latest(self, owner_id: str) -> dict[str, Record]:
        """Where the runs stand that the owner's portfolios show, by portfolio."""
        with self.setup.database.reading() as connection:
            found = portfolios.latest(connection, owner_id)
        return {
            key: {
                "status": fold.wire_status(run.state, run.conclusion),
                "conclusion": run.conclusion.value if run.conclusion else None,
                "percent": run.percent,
            }
            for key, run in found.items()
        }


def _earlier(shown: rows.Shown, attempt: int) -> StatusAnswer:
    """An attempt that another one has followed: its times stand in its own document."""
    assert shown.body is not None
    known = json.loads(shown.body + b"}")
    ended = from_iso(known["finished_at"])
    elapsed = fold.elapsed_seconds(from_iso(known["started_at"]), ended, ended)
    body = fold.splice(shown.body, elapsed_seconds=elapsed, heartbeat_at=None, queue=None)
    return StatusAnswer(body, f"{shown.run_id}.{attempt}.{shown.seq}", None)


def run_record(run: Run) -> Record:
    """A run as it is listed."""
    took = (run.ended_at - run.started_at).total_seconds() if run.ended_at else None
    return {
        "run_id": run.id,
        "kind": run.kind,
        "attempt": run.attempt,
        "resumes": run.resumes,
        "trigger": run.trigger.value,
        "state": run.state.value,
        "status": fold.wire_status(run.state, run.conclusion),
        "conclusion": run.conclusion.value if run.conclusion else None,
        "started_at": iso(run.started_at),
        "finished_at": iso(run.ended_at) if run.ended_at else None,
        "duration_seconds": round(took, 3) if took is not None else None,
        "first_session": run.first_session.isoformat() if run.first_session else None,
        "last_session": run.last_session.isoformat() if run.last_session else None,
        "failure_code": run.failure_code.value if run.failure_code else None,
        "honesty": dict(run.honesty) if run.honesty else None,
        "links": {"run": f"/api/v1/runs/{run.id}", "log": f"/api/v1/runs/{run.id}/log"},
    }
