"""The one flow: PHASES in order, each planned, worked chunk by chunk, committed, closed.

A chunk's rows, its log lines, the counters, the status document and the engine's checkpoint are one
transaction. The sequence of engine calls depends only on arguments and recorded results.
"""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

import sqlalchemy as sa

from glassfolio.batch.endings import as_fault, cancel, fail
from glassfolio.batch.phase import Fault, Phase, Result
from glassfolio.batch.phases import factor_analysis, market_data, snapshots, symbol_metrics
from glassfolio.batch.steps import begin, close_phase, finish, open_phase
from glassfolio.batch.task import Task, Workplace
from glassfolio.batch.telling import failed_symbol, progress_lines
from glassfolio.batch.waiting import Cancelled, WaitTeller, end_wait
from glassfolio.batch.working import as_ready, attempt, in_order
from glassfolio.clock import Clock
from glassfolio.db.engine import Database
from glassfolio.engine.app import Engine
from glassfolio.errors import Superseded
from glassfolio.model.run import EtaReason, FailureCode, Mark, Outcome, PhaseStatus, RunState
from glassfolio.store import chunks, runs

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


Settled: TypeAlias = Result | Fault | AlreadyDone | Cancelled


class Pipeline:
    """Carries runs through PHASES in this process."""

    def __init__(self, engine: Engine, database: Database, clock: Clock, workplace: Workplace) -> None:
        self.database, self.clock, self.workplace = database, clock, workplace
        self.me = engine.executor_id
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(WORK_THREADS, thread_name_prefix="work")
        # Few threads compute at a time: more would only make every status request wait for each of them.
        self._gate = threading.Semaphore(COMPUTING)
        self._enter = engine.atomic(self.enter)
        self._settle = engine.atomic(self.settle)
        self._give_up = engine.atomic(self.give_up)

        def onboarding(run_id: str, fence: int) -> str:
            return self.carry(run_id, fence)

        engine.flow(FLOW, onboarding)

    @property
    def machine(self) -> str:
        """The machine this process runs on: an executor's id without its last part."""
        return self.me.rpartition("-")[0] or self.me

    def carry(self, run_id: str, fence: int) -> str:
        """The flow: one run from where it stands to its end; the answer is for the operator's eye."""
        position = 0
        try:
            if not self.claim(run_id, fence):
                return "not ours"
            self.workplace.setup.waits.forget(run_id)
            task = self.workplace.task(run_id)
            for position, phase in enumerate(PHASES):
                with self._gate:
                    todo = self._enter(run_id, fence, position)
                if todo is None:
                    return "stopped"
                for number, result in self.results(task, fence, phase, todo):
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
            self.workplace.setup.waits.let_go(run_id)

    def claim(self, run_id: str, fence: int) -> bool:
        """Take the run for this process; a take-over is counted and told. Not an engine call."""
        try:
            with (
                self.database.transaction() as connection,
                runs.Turn(connection, run_id, fence, NAMES, self.clock.now()) as turn,
            ):
                before = turn.row["worker"]
                turn.change(worker=self.me, worked_until=turn.now)
                turn.change(waiting_until=None, stalled_since=None, stalled_reason=None)
                waited = turn.state in (RunState.QUEUED, RunState.INTERRUPTED, RunState.WAITING)
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
        turn.note(Mark.RESUME)
        turn.explain(EtaReason.RESUMED)
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
            took = turn.worked()
            if turn.state is RunState.CANCELLING:
                cancel(turn)
                return None
            _back_at_work(turn)
            if position == 0 and turn.row["work_started_at"] is None:
                begin(turn, task, PHASES, self.machine)
            if position > 0 and not close_phase(turn, task, PHASES[position - 1], took):
                return None
            if position == len(PHASES):
                finish(turn, task, self.machine)
                return None
            return open_phase(turn, task, PHASES[position])

    def results(self, task: Task, fence: int, phase: Phase, todo: list[int]) -> Iterator[tuple[int, Settled]]:
        """The chunks' results, worked a few ahead in threads: those of a phase that waits for others as they
        get ready, else in planned order.

        What is done already comes first: the engine answers as many steps as it has recorded by itself.
        """
        if not todo:
            return
        with self.database.reading() as connection:
            planned = chunks.planned(connection, task.run_id, task.attempt, phase.name.key)

        def work(number: int) -> Settled:
            payload, _done = planned[number]
            with nullcontext() if phase.waits else self._gate:
                return attempt(phase, task, json.loads(payload))

        waits = self.workplace.setup.waits
        teller = WaitTeller(self.database, self.clock, waits, task.run_id, fence, NAMES, self._stopping)
        done = [number for number in todo if planned[number][1]]
        yield from ((number, AlreadyDone()) for number in done)
        left = [number for number in todo if not planned[number][1]]
        hand_on = as_ready if phase.waits else in_order
        with self._threads(task, phase) as pool:
            for item in hand_on(pool, left, work, CHUNKS_AHEAD, teller.look):
                if self._stopping.is_set():
                    # A wait that was cut short brought nothing that may be told of.
                    raise Superseded
                yield item

    @contextmanager
    def _threads(self, task: Task, phase: Phase) -> Iterator[ThreadPoolExecutor]:
        """The threads that work: of a phase that asks a distant provider its own, which may wait for long."""
        if not phase.waits or task.setup.provider.terms.requests_per_second is None:
            yield self._pool
            return
        pool = ThreadPoolExecutor(CHUNKS_AHEAD, thread_name_prefix="work-fetch")
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def settle(
        self,
        connection: sa.Connection,
        run_id: str,
        fence: int,
        position: int,
        number: int,
        result: Settled,
    ) -> bool:
        """Commit one chunk: its rows, log lines and counters. False when the run ends here."""
        phase = PHASES[position]
        key = phase.name.key
        with runs.Turn(connection, run_id, fence, NAMES, self.clock.now()) as turn:
            _back_at_work(turn)
            if isinstance(result, Cancelled):
                turn.worked()
                cancel(turn)
                return False
            if isinstance(result, Fault):
                turn.worked()
                if result.retry_after is not None:
                    turn.change(retry_at=turn.now + timedelta(seconds=result.retry_after))
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
        took = turn.worked() - end_wait(turn)
        before = turn.phase(key)
        result.write(turn.connection)
        turn.set_phase(
            key,
            ok=before.ok + len(result.items) - result.failed,
            failed=before.failed + result.failed,
            at=result.items[-1] if result.items else before.at,
            worked_seconds=before.worked_seconds + took,
        )
        turn.note(Mark.UNIT, key, units=len(result.items), failed=result.failed)
        turn.change(last_progress_at=turn.now, barren=0)
        turn.entries.extend(result.entries)
        turn.add_outcomes(result.outcomes)
        turn.entries.extend(
            failed_symbol(key, outcome) for outcome in result.outcomes if outcome.reason != "partial"
        )
        turn.entries.extend(progress_lines(phase, before, result.items))

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
        self._stopping.set()
        self.workplace.setup.waits.let_all_go()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _back_at_work(turn: runs.Turn) -> None:
    """A worker that was taken for dead and still holds the run goes on."""
    if turn.state is RunState.INTERRUPTED:
        turn.change(state=RunState.RUNNING.value)
    if turn.row["stalled_since"] is not None:
        turn.change(stalled_since=None, stalled_reason=None)
