"""What every process watches over: runs whose worker is gone, that do not get on, or never will.

The screen is true even when nobody works. Knows nothing of how often it looks.
"""

import sqlalchemy as sa

from glassfolio.batch.endings import cancel, fail
from glassfolio.batch.pipeline import NAMES, PHASES
from glassfolio.clock import Clock
from glassfolio.errors import Superseded
from glassfolio.model.run import FailureCode, Mark, PhaseStatus, RunState, StallReason
from glassfolio.store import rows, runs

# Alive, at work, and for so long no unit without a named wait: the screen says so.
STALL_SECONDS = 60.0
# Without a unit for so long an attempt has failed.
DEADLINE_SECONDS = 6 * 3600.0


def observe(
    connection: sa.Connection, clock: Clock, lease: float, epoch: str, stall_seconds: float = STALL_SECONDS
) -> None:
    """Look once at all runs at work. lease: seconds without a beat after which a worker counts as dead."""
    _tell_interrupted(connection, clock, lease, epoch)
    _tell_stalled(connection, clock, stall_seconds)


def _tell_interrupted(connection: sa.Connection, clock: Clock, lease: float, epoch: str) -> None:
    """A cancelled run whose worker is gone ends here: nobody could reach a chunk boundary."""
    for run_id, fence, worker, age in rows.without_worker(connection, lease, epoch):
        try:
            with runs.Turn(connection, run_id, fence, NAMES, clock.now()) as turn:
                if turn.row["worker"] != worker:
                    continue
                if turn.state is RunState.CANCELLING:
                    cancel(turn)
                else:
                    turn.change(
                        state=RunState.INTERRUPTED.value,
                        waiting_until=None,
                        stalled_since=None,
                        stalled_reason=None,
                    )
                    turn.note(Mark.INTERRUPTED, seconds=age)
                    turn.say("RUN_INTERRUPTED")
        except Superseded:
            continue


def _tell_stalled(connection: sa.Connection, clock: Clock, stall_seconds: float) -> None:
    for run_id, fence in rows.without_progress(connection, clock.now(), stall_seconds, DEADLINE_SECONDS):
        try:
            with runs.Turn(connection, run_id, fence, NAMES, clock.now()) as turn:
                since = turn.row["worked_until"]
                age = (turn.now - since).total_seconds() if since else 0.0
                if turn.state is not RunState.RUNNING or age < stall_seconds:
                    continue
                if age >= DEADLINE_SECONDS:
                    fail(turn, FailureCode.DEADLINE_EXCEEDED)
                elif turn.row["stalled_since"] is None:
                    turn.change(stalled_since=since, stalled_reason=_reason(turn).value)
                    turn.note(Mark.STALLED, seconds=age)
                    turn.say("RUN_STALLED", seconds=round(stall_seconds))
        except Superseded:
            continue


def _reason(turn: runs.Turn) -> StallReason:
    waiting = {phase.name.key for phase in PHASES if phase.waits}
    at = next((item for item in turn.phases() if item.status is PhaseStatus.RUNNING), None)
    fetching = at is not None and at.name.key in waiting
    return StallReason.PROVIDER_SILENT if fetching else StallReason.COMPUTING
