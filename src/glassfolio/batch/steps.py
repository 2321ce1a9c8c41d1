"""The changes of a run between its chunks: begun, phases opened and closed, finished.

Each is part of a Turn. Knows nothing of the engine or of threads.
"""

import json
from collections.abc import Sequence

from glassfolio.batch.endings import fail
from glassfolio.batch.phase import Phase, Plan
from glassfolio.batch.task import Task
from glassfolio.batch.telling import failed_symbol
from glassfolio.model.messages import duration
from glassfolio.model.run import Conclusion, Mark, Outcome, PhaseProgress, PhaseStatus
from glassfolio.progress import honesty, learning
from glassfolio.progress.learning import Expected
from glassfolio.store import chunks, encoded, market, rows, runs, trail


def begin(turn: runs.Turn, task: Task, phases: Sequence[Phase], machine: str) -> None:
    """Say that work begins; expect of each phase what earlier runs took, and what is stored already."""
    turn.change(work_started_at=turn.now)
    turn.say("RUN_STARTED", symbols=len(task.held_symbols), dates=len(task.asked_sessions))
    known = trail.experiences(turn.connection, machine)
    mine = [taught for provider, taught in known if provider == task.setup.provider.name]
    turn.change(spread=encoded.spread_text(learning.spread([taught.ratios for taught in mine])))
    plans = [phases[0].plan(turn.connection, task)]
    if plans[0].chunks:
        # New prices make everything that rests on them out of date.
        plans += [Plan(total, ()) for total in _totals(task)]
    else:
        plans += [phase.plan(turn.connection, task) for phase in phases[1:]]
    for phase, plan in zip(phases, plans, strict=True):
        key = phase.name.key
        lessons = [
            taught.lessons[key]
            for taught in (mine if phase.waits else [t for _p, t in known])
            if key in taught.lessons
        ]
        _expect(turn, phase, plan, learning.expected(lessons))


def _totals(task: Task) -> tuple[int, int, int]:
    return len(task.listed_symbols), len(task.listed_symbols), len(task.asked_sessions)


def _expect(turn: runs.Turn, phase: Phase, plan: Plan, taught: Expected | None) -> None:
    columns = {
        "total": plan.total,
        "planned": plan.total - plan.cached - plan.failed,
        "unit_seconds": taught.unit_seconds if taught else plan.unit_seconds,
        "expected_fixed": taught.fixed_seconds if taught else None,
        "learned_runs": taught.runs if taught else 0,
        "pace_seconds": plan.pace_seconds,
        "free_units": plan.free_units,
        "at_once": plan.at_once,
    }
    turn.set_phase(phase.name.key, **columns)
    _note_plan(turn, Mark.FORECAST, turn.phase(phase.name.key), plan)


def _note_plan(turn: runs.Turn, mark: Mark, item: PhaseProgress, plan: Plan) -> None:
    turn.note(
        mark,
        item.name.key,
        units=plan.total,
        cached=plan.cached,
        failed=plan.failed,
        seconds=item.unit_seconds,
        fixed=item.expected_fixed,
        pace=item.pace_seconds,
        free=item.free_units,
        runs=item.learned_runs,
        at_once=item.at_once,
    )


def open_phase(turn: runs.Turn, task: Task, phase: Phase) -> list[int]:
    """Plan a phase and say that it has started, unless that was done; returns the chunks that are left."""
    key = phase.name.key
    status = turn.phase(key).status
    if status is PhaseStatus.COMPLETED:
        return []
    if status is PhaseStatus.PENDING:
        plan = phase.plan(turn.connection, task)
        planned = [(item.units, json.dumps(item.payload)) for item in plan.chunks]
        chunks.add(turn.connection, turn.run_id, turn.attempt, key, planned)
        turn.set_phase(
            key,
            status=PhaseStatus.RUNNING.value,
            started_at=turn.now,
            total=plan.total,
            planned=plan.total - plan.cached - plan.failed,
            cached=plan.cached,
            failed=plan.failed,
            at_once=plan.at_once,
        )
        _note_plan(turn, Mark.PLAN, turn.phase(key), plan)
        turn.say("PHASE_STARTED", key, phase=phase.name.title)
        turn.entries.extend(plan.entries)
        turn.add_outcomes(plan.outcomes)
        turn.entries.extend(failed_symbol(key, outcome) for outcome in plan.outcomes)
    return chunks.left(turn.connection, turn.run_id, turn.attempt, key)


def close_phase(turn: runs.Turn, task: Task, phase: Phase, took: float) -> bool:
    """Say how a phase ended, unless that was done; False when it ends the attempt.

    took: seconds since its last chunk was committed.
    """
    key = phase.name.key
    item = turn.phase(key)
    if item.status is PhaseStatus.COMPLETED:
        return True
    turn.set_phase(key, fixed_seconds=item.fixed_seconds + took)
    turn.note(Mark.PHASE_END, key)
    closing = phase.close(turn.connection, task)
    turn.entries.extend(closing.entries)
    turn.add_outcomes(closing.outcomes)
    if closing.completeness is not None:
        turn.change(completeness=closing.completeness)
    if closing.failure is not None:
        fail(turn, closing.failure, key)
        return False
    if phase.waits:
        newest = market.newest_close(turn.connection, task.listed_symbols, task.window[-1].item())
        turn.change(data_as_of=newest)
    _settle(turn, phase, item, named=bool(closing.outcomes))
    return True


def _settle(turn: runs.Turn, phase: Phase, item: PhaseProgress, *, named: bool) -> None:
    key, total = phase.name.key, item.total or 0
    outcome, reason = _outcome(item, total, named=named)
    turn.set_phase(
        key,
        status=PhaseStatus.COMPLETED.value,
        outcome=outcome.value,
        reason=reason,
        ended_at=turn.now,
    )
    if outcome in (Outcome.CACHED, Outcome.SKIPPED):
        turn.say("PHASE_SKIPPED", key, phase=phase.name.title)
    took = (turn.now - (item.started_at or turn.now)).total_seconds()
    turn.say(
        "PHASE_COMPLETED",
        key,
        phase=phase.name.title,
        ok=item.ok + item.cached,
        total=total,
        unit=phase.name.unit,
        took=duration(took),
    )


def _outcome(item: PhaseProgress, total: int, *, named: bool) -> tuple[Outcome, str | None]:
    if total == 0:
        return Outcome.SKIPPED, "NOTHING_TO_DO"
    if item.cached == total:
        return Outcome.CACHED, "UP_TO_DATE"
    return (Outcome.OK_WITH_WARNINGS if item.failed or named else Outcome.OK), None


def finish(turn: runs.Turn, task: Task, machine: str) -> None:
    """End an attempt well: say so, measure how honest it was, and learn from it."""
    missing = rows.outcome_count(turn.connection, turn.run_id, turn.attempt)
    took = duration((turn.now - turn.row["started_at"]).total_seconds())
    counts: dict[str, str | int] = {"took": took, "symbols": len(task.held_symbols)}
    if missing:
        turn.say("RUN_COMPLETED_WITH_WARNINGS", missing=missing, **counts)
    else:
        turn.say("RUN_COMPLETED", dates=len(task.asked_sessions), **counts)
    turn.note(Mark.END)
    _look_back(turn, task, machine)
    turn.end(Conclusion.SUCCESS_WITH_WARNINGS if missing else Conclusion.SUCCESS)


def _look_back(turn: runs.Turn, task: Task, machine: str) -> None:
    steps = trail.of(turn.connection, turn.run_id, turn.attempt)
    total = turn.changes["worked_seconds"]
    measured = honesty.measure(steps, total)
    if measured is not None:
        turn.change(honesty=json.dumps(measured.as_record(), allow_nan=False))
    taught = learning.Experience(learning.lessons(turn.phases()), learning.ratios(steps, total))
    if taught.lessons:
        trail.learn(
            turn.connection,
            turn.run_id,
            turn.attempt,
            machine,
            task.setup.provider.name,
            turn.now,
            taught,
        )
