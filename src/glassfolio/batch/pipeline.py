"""The one flow: PHASES in order, each planned, worked chunk by chunk, committed, closed.

A chunk's rows, its log lines, the counters, the status document and the engine's checkpoint are one
transaction. The sequence of engine calls depends only on arguments and recorded results.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar
from uuid import uuid4

import sqlalchemy as sa

from glassfolio.batch.phase import Closing, Fault, Payload, Phase, Plan, Result
from glassfolio.batch.phases import factor_analysis, market_data, snapshots, symbol_metrics
from glassfolio.batch.task import Task, Workplace
from glassfolio.clock import Clock
from glassfolio.db.engine import Database
from glassfolio.engine.app import Engine
from glassfolio.errors import (
    NotFound,
    ProviderFault,
    ProviderKeyRejected,
    ProviderRateLimited,
    StorageError,
    StorageFull,
    Superseded,
)
from glassfolio.model.messages import FAILURES, NO_PRICE_EFFECT, SYMBOL_REASONS, duration
from glassfolio.model.run import (
    Conclusion,
    Entry,
    FailureCode,
    Outcome,
    PhaseProgress,
    PhaseStatus,
    RunState,
)
from glassfolio.store import chunks, rows, runs

log = logging.getLogger(__name__)

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
TELL_EVERY = 5

T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """Stands for the result of a chunk that was committed before this process took over."""


class Pipeline:
    """Carries runs through PHASES in this process."""

    def __init__(self, engine: Engine, database: Database, clock: Clock, workplace: Workplace) -> None:
        self.database, self.clock, self.workplace = database, clock, workplace
        self.me = engine.executor_id
        self._pool = ThreadPoolExecutor(WORK_THREADS, thread_name_prefix="work")
        self._enter = engine.atomic(self.enter)
        self._settle = engine.atomic(self.settle)
        self._give_up = engine.atomic(self.give_up)

        def onboarding(run_id: str, fence: int) -> str:
            return self.carry(run_id, fence)

        engine.flow(FLOW, onboarding)

    def carry(self, run_id: str, fence: int) -> str:
        """The flow: one run from where it stands to its end; the answer is for the operator's eye."""
        try:
            if not self.claim(run_id, fence):
                return "not ours"
            task = self.workplace.task(run_id)
            for position, phase in enumerate(PHASES):
                todo = self._enter(run_id, fence, position)
                if todo is None:
                    return "stopped"
                for number, result in self.results(task, phase, todo):
                    if not self._settle(run_id, fence, position, number, result):
                        return "stopped"
            self._enter(run_id, fence, len(PHASES))
            return "ended"
        except Superseded:
            return "superseded"
        except Exception as error:  # noqa: BLE001 - the edge of a flow: whatever raises ends the run
            fault = as_fault(error)
            self._give_up(run_id, fence, fault.code.value, fault.error_id or "")
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
                if turn.state in (RunState.QUEUED, RunState.INTERRUPTED):
                    turn.change(state=RunState.RUNNING.value)
                if before is not None and before != self.me:
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
            turn.entries.extend(_failed_symbol(key, o.symbol, o.reason) for o in plan.outcomes)
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
            return AlreadyDone() if done else attempt(phase, task, json.loads(payload))

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
            _failed_symbol(key, o.symbol, o.reason) for o in result.outcomes if o.outcome != "partial"
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

    def give_up(self, connection: sa.Connection, run_id: str, fence: int, code: str, error_id: str) -> bool:
        """End a run whose flow cannot go on."""
        with runs.Turn(connection, run_id, fence, NAMES, self.clock.now()) as turn:
            fail(turn, FailureCode(code), error_id=error_id or None)
        return True

    def close(self) -> None:
        """Let go of the work threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _back_at_work(turn: runs.Turn) -> None:
    """A worker that was taken for dead and still holds the run goes on."""
    if turn.state is RunState.INTERRUPTED:
        turn.change(state=RunState.RUNNING.value)


def fail(turn: runs.Turn, code: FailureCode, key: str | None = None, error_id: str | None = None) -> None:
    """End an attempt with a reason; the phase it was at says so too."""
    text = FAILURES[code]
    turn.end(Conclusion.FAILURE, code, key, error_id)
    at = turn.changes["failure_phase"]
    turn.say("PHASE_FAILED", at, phase=turn.names[at].title, reason=text.reason)
    turn.say("RUN_FAILED", at, reason=text.reason, action=text.action)


def cancel(turn: runs.Turn) -> None:
    """End an attempt that its owner cancelled."""
    turn.end(Conclusion.CANCELLED, FailureCode.CANCELLED_BY_OWNER)
    turn.say("RUN_CANCELLED")


def attempt(phase: Phase, task: Task, payload: Payload) -> Result | Fault:
    """Work one chunk; whatever raises becomes a fault with a reason."""
    try:
        return phase.work(task, payload)
    except Exception as error:  # noqa: BLE001 - the edge of a work thread
        return as_fault(error)


def as_fault(error: Exception) -> Fault:
    """The reason an owner may see; an unexpected error is logged for the operator under an id."""
    if isinstance(error, ProviderKeyRejected):
        return Fault(FailureCode.PROVIDER_KEY_REJECTED)
    if isinstance(error, ProviderRateLimited):
        return Fault(FailureCode.PROVIDER_RATE_LIMITED)
    if isinstance(error, ProviderFault):
        return Fault(FailureCode.PROVIDER_UNAVAILABLE)
    if isinstance(error, NotFound):
        return Fault(FailureCode.PORTFOLIO_DELETED)
    if isinstance(error, StorageFull):
        return Fault(FailureCode.STORAGE_FULL)
    error_id = str(uuid4())
    log.error("unexpected error %s", error_id, exc_info=error)
    if isinstance(error, StorageError):
        return Fault(FailureCode.STORAGE_UNAVAILABLE, error_id)
    return Fault(FailureCode.INTERNAL_ERROR, error_id)


def in_order(
    pool: ThreadPoolExecutor, items: Iterable[K], work: Callable[[K], T], ahead: int
) -> Iterator[tuple[K, T]]:
    """Work items in threads, at most `ahead` before their turn, and yield results in the items' order."""
    waiting: deque[tuple[K, Future[T]]] = deque()
    rest = iter(items)
    try:
        for item in islice(rest, ahead):
            waiting.append((item, pool.submit(work, item)))
        while waiting:
            item, future = waiting.popleft()
            result = future.result()
            for following in islice(rest, 1):
                waiting.append((following, pool.submit(work, following)))
            yield item, result
    finally:
        for _item, future in waiting:
            future.cancel()


def progress_lines(phase: Phase, before: PhaseProgress, items: tuple[str, ...]) -> list[Entry]:
    """What the log says of a chunk: the first, every fifth and the last unit of the phase."""
    lines, total = [], before.total or 0
    for count, item in enumerate(items, start=before.current + 1):
        if count == 1 or count % TELL_EVERY == 0 or count == total:
            if phase.name.unit == "dates":
                entry = Entry("DATE_PROGRESS", phase.name.key, {"date": item, "count": count, "total": total})
            else:
                entry = Entry(
                    "SYMBOL_PROGRESS",
                    phase.name.key,
                    {"doing": phase.doing, "count": count, "total": total},
                )
            lines.append(entry)
    return lines


def _failed_symbol(key: str, symbol: str, reason: str) -> Entry:
    return Entry(
        "SYMBOL_FAILED",
        key,
        {"symbol": symbol, "reason": SYMBOL_REASONS[reason], "effect": NO_PRICE_EFFECT},
    )


def _chunk_rows(plan: Plan) -> list[tuple[int, str]]:
    return [(item.units, json.dumps(item.payload)) for item in plan.chunks]
