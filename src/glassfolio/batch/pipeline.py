"""The one flow: PHASES in order, each planned, worked chunk by chunk, committed, closed.

A chunk's rows, its log lines, the counters, the status document and the engine's checkpoint are one
transaction. The sequence of engine calls depends only on arguments and recorded results.
"""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

import sqlalchemy as sa

from glassfolio.batch.endings import as_fault, cancel, fail
from glassfolio.batch.phase import Closing, Fault, Phase, Plan, Result
from glassfolio.batch.phases import factor_analysis, market_data, snapshots, symbol_metrics
from glassfolio.batch.task import Task, Workplace
from glassfolio.batch.telling import failed_symbol, progress_lines
from glassfolio.batch.working import attempt, in_order
from glassfolio.clock import Clock
from glassfolio.db.engine import Database
from glassfolio.engine.app import Engine
from glassfolio.errors import Superseded
from glassfolio.model.messages import duration
from glassfolio.model.run import Conclusion, FailureCode, Outcome, PhaseStatus, RunState
from glassfolio.store import chunks, rows, runs

PHASES: tuple[Phase, ...] = (
    market_data.PHASE,
    factor_analysis.PHASE,
    symbol_metrics.PHASE,
    snapshots.PHASE,
)
NAMES = tuple(phase.name for phase in PHASES)
FLOW = "onboarding"
TAKE_OVERS_WITHOUT_PROGRESS = 3
CHUNKS_AHEAD = 4
WORK_THREADS = 8
COMPUTING = 1


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """Stands for the result of a chunk that was committed before this process took over."""


class Pipeline:
    """Carries runs through PHASES in this process."""

    def __init__(self, engine: Engine, database: Database, clock: Clock, workplace: Workplace) -> None:
        self.database, self.clock, self.workplace = database, clock, workplace
        self.me = engine.executor_id
        self._pool = ThreadPoolExecutor(WORK_THREADS, thread_name_prefix="work")
        # Few threads compute at a time: more would only make every status request wait for each of them.
        self._gate = threading.Semaphore(COMPUTING)
        self._enter = engine.atomic(self.enter)
        self._settle = engine.atomic(self.settle)
        self._give_up = engine.atomic(self.give_up)

        def onboarding(run_id: str, fence: int) -> str:
            return self.carry(run_id, fence)

        engine.flow(FLOW, onboarding)

    def carry(self, run_id: str, fence: int) -> str:
        """The flow: one run from where it stands to its end; the answer is for the operator's eye."""
        position = 0
        try:
            if not self.claim(run_id, fence):
                return "not ours"
            task = self.workplace.task(run_id)
            for position, phase in enumerate(PHASES):
                with self._gate:
                    todo = self._enter(run_id, fence, position)
                if todo is None:
                    return "stopped"
                for number, result in self.results(task, phase, todo):
                    with self._gate:
                        going_on = self._settle(run_id, fence, position, number, result)
                    if not going_on:
                        return "stopped"
            with self._gate:
                self._enter(run_id, fence, position + 1)
            return "ended"
        except Superseded:
            return "superseded"
        except Exception as error:  # noqa: BLE001 - the edge of a flow: whatever raises ends the run
            fault = as_fault(error)
            self._give_up(run_id, fence, position, fault.code.value, fault.error_id or "")
            return "failed"
        finally:
            self.workplace.let_go(run_id)

    def claim(self, run_id: str, fence: int) -> bool:
        """Take the run for this process; a take-over is counted and told. Not an engine call."""
        try:
            with (
                self.database.transaction() as connection,
                runs.Turn(connection, run_id, fence, NAMES, self.clock.now()) as turn,
            ):
                before = turn.row["worker"]
                turn.change(worker=self.me, worked_until=turn.now)
                waited = turn.state in (RunState.QUEUED, RunState.INTERRUPTED)
                if waited:
                    turn.change(state=RunState.RUNNING.value)
                begun = turn.row["work_started_at"] is not None
                if before not in (None, self.me) or (begun and waited):
                    return self._take_over(turn)
        except Superseded:
            return False
        return True

    def _take_over(self, turn: runs.Turn) -> bool:
        barren = turn.row["barren"] + 1
        turn.change(resumes=turn.row["resumes"] + 1, barren=barren)
        if barren > TAKE_OVERS_WITHOUT_PROGRESS:
            fail(turn, FailureCode.INTERRUPTED_TOO_OFTEN)
            return False
        for item in turn.phases():
            if item.status is PhaseStatus.RUNNING and item.total is not None:
                turn.say(
                    "RUN_RESUMED", item.name.key, count=item.current, total=item.total, unit=item.name.unit
                )
        return True

    def enter(self, connection: sa.Connection, run_id: str, fence: int, position: int) -> list[int] | None:
        """Close the phase before `position` and open the one there; after the last, end the run.

        Returns the chunks that are left of the opened phase; None when the run has ended.
        """
        with runs.Turn(connection, run_id, fence, NAMES, self.clock.now()) as turn:
            task = self.workplace.task_in(connection, run_id)
            turn.worked()
            if turn.state is RunState.CANCELLING:
                cancel(turn)
                return None
            _back_at_work(turn)
            if position == 0 and turn.row["work_started_at"] is None:
                self._begin(turn, task)
            if position > 0 and not self._close(turn, task, PHASES[position - 1]):
                return None
            if position == len(PHASES):
                self._finish(turn, task)
                return None
            return self._open(turn, task, PHASES[position])

    def _begin(self, turn: runs.Turn, task: Task) -> None:
        turn.change(work_started_at=turn.now)
        turn.say("RUN_STARTED", symbols=len(task.held_symbols), dates=len(task.window))
        for phase, total in zip(
            PHASES,
            (
                len(task.priced_symbols),
                len(task.held_symbols),
                len(task.held_symbols),
                len(task.window),
            ),
            strict=True,
        ):
            turn.set_phase(phase.name.key, total=total)

    def _open(self, turn: runs.Turn, task: Task, phase: Phase) -> list[int]:
        key = phase.name.key
        status = turn.phase(key).status
        if status is PhaseStatus.COMPLETED:
            return []
        if status is PhaseStatus.PENDING:
            plan = phase.plan(turn.connection, task)
            chunks.add(turn.connection, turn.run_id, turn.attempt, key, _chunk_rows(plan))
            turn.set_phase(
                key,
                status=PhaseStatus.RUNNING.value,
                started_at=turn.now,
                total=plan.total,
                cached=plan.cached,
                failed=plan.failed,
                unit_seconds=plan.unit_seconds,
            )
            turn.say("PHASE_STARTED", key, phase=phase.name.title)
            turn.entries.extend(plan.entries)
            turn.add_outcomes(plan.outcomes)
            turn.entries.extend(failed_symbol(key, outcome) for outcome in plan.outcomes)
        return chunks.left(turn.connection, turn.run_id, turn.attempt, key)

    def results(
        self, task: Task, phase: Phase, todo: list[int]
    ) -> Iterator[tuple[int, Result | Fault | AlreadyDone]]:
        """The chunks' results in planned order, worked a few ahead in threads."""
        if not todo:
            return iter(())
        with self.database.reading() as connection:
            planned = chunks.planned(connection, task.run_id, task.attempt, phase.name.key)

        def work(number: int) -> Result | Fault | AlreadyDone:
            payload, done = planned[number]
            if done:
                return AlreadyDone()
            with nullcontext() if phase.waits else self._gate:
                return attempt(phase, task, json.loads(payload))

        return in_order(self._pool, todo, work, CHUNKS_AHEAD)

    def settle(
        self,
        connection: sa.Connection,
        run_id: str,
        fence: int,
        position: int,
        number: int,
        result: Result | Fault | AlreadyDone,
    ) -> bool:
        """Commit one chunk: its rows, log lines and counters. False when the run ends here."""
        phase = PHASES[position]
        key = phase.name.key
        with runs.Turn(connection, run_id, fence, NAMES, self.clock.now()) as turn:
            _back_at_work(turn)
            if isinstance(result, Fault):
                turn.worked()
                fail(turn, result.code, key, result.error_id)
                return False
            if isinstance(result, Result) and chunks.mark_done(
                connection, run_id, turn.attempt, key, number, fence, turn.now
            ):
                self._count(turn, phase, result)
            if turn.state is RunState.CANCELLING:
                cancel(turn)
                return False
        return True

    def _count(self, turn: runs.Turn, phase: Phase, result: Result) -> None:
        key = phase.name.key
        before = turn.phase(key)
        result.write(turn.connection)
        turn.set_phase(
            key,
            ok=before.ok + len(result.items) - result.failed,
            failed=before.failed + result.failed,
            at=result.items[-1] if result.items else before.at,
            worked_seconds=before.worked_seconds + turn.worked(),
        )
        turn.change(last_progress_at=turn.now, barren=0)
        turn.entries.extend(result.entries)
        turn.add_outcomes(result.outcomes)
        turn.entries.extend(
            failed_symbol(key, outcome) for outcome in result.outcomes if outcome.reason != "partial"
        )
        turn.entries.extend(progress_lines(phase, before, result.items))

    def _close(self, turn: runs.Turn, task: Task, phase: Phase) -> bool:
        key = phase.name.key
        now = turn.phase(key)
        if now.status is PhaseStatus.COMPLETED:
            return True
        closing: Closing = phase.close(turn.connection, task)
        turn.entries.extend(closing.entries)
        turn.add_outcomes(closing.outcomes)
        if closing.completeness is not None:
            turn.change(completeness=closing.completeness)
        if closing.failure is not None:
            fail(turn, closing.failure, key)
            return False
        total = now.total or 0
        nothing_new = now.cached == total
        outcome = (
            Outcome.CACHED
            if nothing_new
            else Outcome.OK_WITH_WARNINGS
            if now.failed or closing.outcomes
            else Outcome.OK
        )
        turn.set_phase(
            key,
            status=PhaseStatus.COMPLETED.value,
            outcome=outcome.value,
            reason="UP_TO_DATE" if nothing_new else None,
            ended_at=turn.now,
        )
        if nothing_new:
            turn.say("PHASE_SKIPPED", key, phase=phase.name.title)
        took = (turn.now - (now.started_at or turn.now)).total_seconds()
        turn.say(
            "PHASE_COMPLETED",
            key,
            phase=phase.name.title,
            ok=now.ok + now.cached,
            total=total,
            unit=phase.name.unit,
            took=duration(took),
        )
        return True

    def _finish(self, turn: runs.Turn, task: Task) -> None:
        missing = rows.outcome_count(turn.connection, turn.run_id, turn.attempt)
        took = duration((turn.now - turn.row["started_at"]).total_seconds())
        counts: dict[str, str | int] = {"took": took, "symbols": len(task.held_symbols)}
        if missing:
            turn.say("RUN_COMPLETED_WITH_WARNINGS", missing=missing, **counts)
        else:
            turn.say("RUN_COMPLETED", dates=len(task.window), **counts)
        turn.end(Conclusion.SUCCESS_WITH_WARNINGS if missing else Conclusion.SUCCESS)

    def give_up(
        self, connection: sa.Connection, run_id: str, fence: int, position: int, code: str, error_id: str
    ) -> bool:
        """End a run whose flow cannot go on at the phase at `position`."""
        with runs.Turn(connection, run_id, fence, NAMES, self.clock.now()) as turn:
            for item in turn.phases()[:position]:
                if item.status is PhaseStatus.RUNNING and item.current == item.total:
                    # Its work is committed; only the step that would have said so was lost.
                    done = {"status": PhaseStatus.COMPLETED.value, "outcome": Outcome.OK.value}
                    turn.set_phase(item.name.key, **done, ended_at=turn.now)
            fail(turn, FailureCode(code), PHASES[position].name.key, error_id or None)
        return True

    def close(self) -> None:
        """Let go of the work threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _back_at_work(turn: runs.Turn) -> None:
    """A worker that was taken for dead and still holds the run goes on."""
    if turn.state is RunState.INTERRUPTED:
        turn.change(state=RunState.RUNNING.value)


def _chunk_rows(plan: Plan) -> list[tuple[int, str]]:
    return [(item.units, json.dumps(item.payload)) for item in plan.chunks]
