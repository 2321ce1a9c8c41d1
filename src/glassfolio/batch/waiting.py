"""Tells of named waits for the price source while a run's next result is not there.

The telling is no step of the engine: it may be lost or said by another process. Knows nothing of phases.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from glassfolio.clock import Clock
from glassfolio.db.engine import Database
from glassfolio.errors import Superseded
from glassfolio.model.run import EtaReason, Mark, PhaseName, PhaseStatus, RunState
from glassfolio.providers.waits import Waits
from glassfolio.store import rows, runs

# A shorter pause is over before anybody has read of it.
LEAST_NAMED = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Stands for the result of a chunk that nobody waits for any more."""


@dataclass
class WaitTeller:
    """Looks after one run's waits. stopping: set when this process takes leave."""

    database: Database
    clock: Clock
    waits: Waits
    run_id: str
    fence: int
    names: Sequence[PhaseName]
    stopping: threading.Event
    told: datetime | None = None

    def look(self) -> Cancelled | None:
        """Tell of a wait that began, grew or ended; `Cancelled` when its owner wants no more of it.

        Raises Superseded when the run is no longer this process's.
        """
        if self.stopping.is_set():
            raise Superseded
        until, now = self.waits.until(self.run_id), self.clock.now()
        if until is not None and until - now >= LEAST_NAMED and until != self.told:
            self.told = until
            self._change(until)
        elif self.told is not None and (until is None or now >= self.told):
            self.told = None
            self._change(None)
        if self.told is not None and self._is_cancelled():
            self.waits.let_go(self.run_id)
            return Cancelled()
        return None

    def _is_cancelled(self) -> bool:
        with self.database.reading() as connection:
            return rows.state(connection, self.run_id) is RunState.CANCELLING

    def _change(self, until: datetime | None) -> None:
        with (
            self.database.transaction() as connection,
            runs.Turn(connection, self.run_id, self.fence, self.names, self.clock.now()) as turn,
        ):
            if until is None:
                turn.worked()
                end_wait(turn)
            else:
                begin_wait(turn, until)


def begin_wait(turn: runs.Turn, until: datetime) -> None:
    """Say that the run waits, and until when; what was worked before counts for the phase."""
    took = turn.worked() - end_wait(turn, saying=False)
    for item in turn.phases():
        if item.status is PhaseStatus.RUNNING:
            turn.set_phase(item.name.key, worked_seconds=item.worked_seconds + took)
    turn.change(waiting_until=until, stalled_since=None, stalled_reason=None)
    if turn.state in (RunState.RUNNING, RunState.INTERRUPTED):
        turn.change(state=RunState.WAITING.value)
    turn.note(Mark.WAIT_START, seconds=max(0.0, (until - turn.now).total_seconds()))
    turn.explain(EtaReason.PROVIDER_WAIT)
    turn.say("PROVIDER_WAIT", until=f"{until:%H:%M:%S}")


def end_wait(turn: runs.Turn, *, saying: bool = True) -> float:
    """End a named wait, if there is one; returns its seconds since the last change, to be told from work.

    Comes after `turn.worked`.
    """
    until, since = turn.row["waiting_until"], turn.row["worked_until"]
    if until is None or since is None:
        return 0.0
    waited: float = max(0.0, (min(until, turn.now) - since).total_seconds())
    for item in turn.phases():
        if item.status is PhaseStatus.RUNNING:
            turn.set_phase(item.name.key, waited_seconds=item.waited_seconds + waited)
    turn.change(waiting_until=None)
    if turn.state is RunState.WAITING:
        turn.change(state=RunState.RUNNING.value)
    turn.note(Mark.WAIT_END, t=turn.row["worked_seconds"] + waited)
    if saying:
        turn.say("PROVIDER_RESUMED")
    return waited
