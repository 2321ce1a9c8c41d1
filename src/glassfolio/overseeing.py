"""What an operator can look at: anybody's runs, their status and log, and batches; every look is noted.

Nothing here asks whether somebody may. Knows nothing of HTTP.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from glassfolio.batch.phases import snapshots as snapshots_phase
from glassfolio.batch.task import Setup
from glassfolio.clock import Clock, iso
from glassfolio.errors import or_not_found
from glassfolio.model.run import Run
from glassfolio.onboarding import Caller
from glassfolio.progress import fold
from glassfolio.reading import WIRE_IDS, Reading, Record, StatusAnswer, run_record
from glassfolio.store import audit, batches, rows
from glassfolio.store.audit import Act
from glassfolio.store.batches import Batch, Wanted

# Of a batch's runs so many are named; the others are listed by its id.
MOST_RUNS = 500


@dataclass(frozen=True, slots=True)
class BatchReport:
    """How far a batch is.

    conclusions: runs by how they ended, or by their state. filled: (portfolio, session) pairs its runs have
    made snapshots of; missing: pairs they ask for that have none now.
    """

    batch: Batch
    conclusions: Mapping[str, int]
    filled: int
    missing: int
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Overseeing:
    """The operator's questions."""

    setup: Setup
    clock: Clock
    reading: Reading

    def runs(self, caller: Caller, wanted: Wanted, limit: int, after: str | None = None) -> list[Run]:
        """Runs of anybody, newest first. after: the id of the run that was listed last."""
        with self.setup.database.transaction() as connection:
            given = {name: value for name in Wanted.__slots__ if (value := getattr(wanted, name)) is not None}
            self._note(connection, caller, Act.LIST_RUNS, None, **given)
            return batches.list_runs(connection, wanted, limit, after)

    def look(self, caller: Caller, key: str) -> BatchReport | StatusAnswer:
        """A batch's report or a run's status, by whichever has this id. Raises NotFound."""
        with self.setup.database.transaction() as connection:
            self._note(connection, caller, Act.LOOK, key)
            found = batches.get(connection, key)
            if found is not None:
                return self._report(connection, found)
            shown = or_not_found(batches.document_of(connection, key))
            owner = or_not_found(rows.get(connection, key)).owner_id
            return self.reading.answer(connection, shown, owner, "")

    def log(self, caller: Caller, key: str, after: int, limit: int) -> tuple[list[Record], int]:
        """Entries of a run's log numbered above `after`, or of a batch's runs after so many, and where to go
        on. Raises NotFound.
        """
        with self.setup.database.transaction() as connection:
            self._note(connection, caller, Act.READ_LOG, key)
            if batches.get(connection, key) is not None:
                found = batches.log(connection, key, after, limit)
                told = [
                    {"run_id": run_id, **fold.activity(entry, WIRE_IDS.get(entry.phase or ""))}
                    for run_id, entry in found
                ]
                return told, after + len(told)
            or_not_found(rows.get(connection, key))
            entries = rows.log(connection, key, None, after, limit)
            told = [
                {"run_id": key, **fold.activity(entry, WIRE_IDS.get(entry.phase or ""))} for entry in entries
            ]
            return told, entries[-1].seq if entries else after

    def _report(self, connection: sa.Connection, found: Batch) -> BatchReport:
        sessions = self.setup.sessions
        asked = batches.asked_and_built(connection, found.id)
        return BatchReport(
            found,
            batches.conclusions(connection, found.id),
            batches.filled(connection, found.id, snapshots_phase.NAME.key),
            sum(len(sessions.between(first, last)) - built for first, last, built in asked),
            tuple(batches.list_runs(connection, Wanted(batch_id=found.id), limit=MOST_RUNS)),
        )

    def _note(
        self, connection: sa.Connection, caller: Caller, act: Act, thing: str | None, **details: Any
    ) -> None:
        audit.note(connection, caller.user_id, act, thing, self.clock.now(), **details)


def operators_record(run: Run) -> Record:
    """A run as operators see it listed: of whom is known by the portfolio's id alone."""
    base = f"/api/v1/admin/batch/runs/{run.id}"
    return {
        **run_record(run),
        "portfolio_id": run.portfolio_id,
        "batch_id": run.batch_id,
        "triggered_by": run.triggered_by,
        "redo": run.redo,
        "asked_first": run.asked_first.isoformat() if run.asked_first else None,
        "asked_last": run.asked_last.isoformat() if run.asked_last else None,
        "links": {"run": base, "log": f"{base}/logs"},
    }


def batch_record(report: BatchReport) -> Record:
    """A batch as it is sent."""
    found = report.batch
    return {
        "batch_id": found.id,
        "scope": dict(found.scope),
        "trigger": found.trigger.value,
        "triggered_by": found.triggered_by,
        "created_at": iso(found.created_at),
        "conclusions": dict(report.conclusions),
        "pairs": {"filled": report.filled, "missing": report.missing},
        "runs": [operators_record(run) for run in report.runs],
    }
