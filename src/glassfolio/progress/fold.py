"""Folds a run's rows into the status document that its owner reads.

The encoded document is complete but for what moves without a change of the run: elapsed_seconds,
heartbeat_at and queue, which are spliced in when it is sent. Knows nothing of HTTP or tables.
"""

import json
import math
from collections.abc import Sequence
from datetime import datetime

from glassfolio.clock import iso
from glassfolio.model.messages import duration, level, render
from glassfolio.model.run import (
    Activity,
    Conclusion,
    PhaseName,
    PhaseProgress,
    PhaseStatus,
    Run,
    RunState,
    RunStatus,
)
from glassfolio.progress import eta, gaps
from glassfolio.progress.estimate import is_learned, weights
from glassfolio.progress.gaps import Document, at_phase, moment, run_path

FEED = 50
POLL_MS = 2000
POLL_QUEUED_MS = 4000
LONGEST_POLL_MS = 10_000
# What the dashboard can show of a portfolio once its history is built; before that, nothing.
USABLE = ("value", "allocation", "history", "risk", "factors", "metrics")


def wire_status(state: RunState, conclusion: Conclusion | None) -> str:
    """One of the four words of the contract."""
    if state is not RunState.ENDED:
        return "running"
    if conclusion in (Conclusion.SUCCESS, Conclusion.SUCCESS_WITH_WARNINGS):
        return "completed"
    return "failed"


def document(status: RunStatus) -> Document:
    """The status resource of a run, without the fields that are spliced in when sending."""
    run, phases = status.run, status.phases
    done = wire_status(run.state, run.conclusion)
    return {
        "portfolio_id": run.portfolio_id,
        "status": done,
        "started_at": iso(run.started_at),
        "overall_progress": _overall(run, phases, done),
        "current_phase_progress": _current(run, phases),
        "activity_log": [_activity(entry, phases) for entry in status.feed],
        "phases": [_phase(phase, weight, run) for phase, weight in zip(phases, weights(phases), strict=True)],
        "run_id": run.id,
        "kind": run.kind,
        "attempt": run.attempt,
        "resumes": run.resumes,
        "trigger": run.trigger.value,
        "state": run.state.value,
        "conclusion": run.conclusion.value if run.conclusion else None,
        "created_at": iso(run.created_at or run.started_at),
        "work_started_at": moment(run.work_started_at),
        "updated_at": iso(run.updated_at),
        "last_progress_at": moment(run.last_progress_at),
        "finished_at": moment(run.ended_at),
        "seq": run.seq,
        "eta": _eta(run),
        "symbols": [gaps.symbol(run, outcome) for outcome in status.symbols],
        "symbol_counts": gaps.symbol_counts(phases, status.symbols),
        "warnings": [gaps.warning(run, outcome) for outcome in status.symbols],
        "warnings_total": len(status.symbols),
        "failure": gaps.failure(run, phases),
        "stalled": run.stalled_since is not None,
        "stalled_since": moment(run.stalled_since),
        "stalled_reason": run.stalled_reason.value if run.stalled_reason else None,
        "data_as_of": run.data_as_of.isoformat() if run.data_as_of else None,
        "completeness": run.completeness,
        "usable": _usable(run, done),
        "log": {
            "last_seq": status.feed[-1].seq if status.feed else 0,
            "total": status.logged,
            "truncated": status.logged > len(status.feed),
        },
        "poll_after_ms": poll_after_ms(run.state, run.updated_at, run.waiting_until),
        "honesty": dict(run.honesty) if run.honesty else None,
        "links": _links(run, done, status),
    }


def poll_after_ms(state: RunState, updated_at: datetime, waiting_until: datetime | None) -> int | None:
    """How long a client should wait before it asks again; None when nothing will change by itself."""
    if state is RunState.ENDED:
        return None
    if state is RunState.WAITING and waiting_until is not None:
        left = (waiting_until - updated_at).total_seconds() * 1000
        return max(POLL_MS, min(LONGEST_POLL_MS, round(left)))
    return POLL_QUEUED_MS if state is RunState.QUEUED else POLL_MS


def elapsed_seconds(start: datetime, end: datetime | None, now: datetime) -> int:
    """Whole seconds of an attempt: those gone while it lasts, and at its end those begun.

    The end is stamped a moment before its commit can be seen: counting the second that it falls into keeps
    the number from going back.
    """
    if end is None:
        return max(0, math.floor((now - start).total_seconds()))
    return max(0, math.ceil((end - start).total_seconds()))


def never_onboarded(portfolio_id: str, names: Sequence[PhaseName]) -> Document:
    """The whole status resource of a portfolio that has no run."""
    phases = [PhaseProgress(name, PhaseStatus.PENDING) for name in names]
    return {
        "portfolio_id": portfolio_id,
        "status": "not_found",
        "started_at": None,
        "overall_progress": {
            "current_phase": None,
            "current_phase_name": None,
            "phases_completed": 0,
            "phases_total": len(phases),
            "percent_complete": 0,
            "percent": 0.0,
            "percent_basis": "none",
        },
        "current_phase_progress": None,
        "activity_log": [],
        "phases": [_phase(phase, None, None) for phase in phases],
        **dict.fromkeys(
            (
                *("run_id", "kind", "attempt", "resumes", "trigger", "state", "conclusion", "created_at"),
                *("work_started_at", "updated_at", "last_progress_at", "finished_at", "eta", "failure"),
                *("stalled_since", "stalled_reason", "data_as_of", "completeness", "poll_after_ms"),
                "honesty",
            )
        ),
        "seq": 0,
        "symbols": [],
        "symbol_counts": {},
        "warnings": [],
        "warnings_total": 0,
        "stalled": False,
        "usable": {"now": [], "later": list(USABLE)},
        "log": {"last_seq": 0, "total": 0, "truncated": False},
        "links": {
            "self": f"/api/v1/onboarding/status/{portfolio_id}",
            "start": f"/api/v1/portfolios/{portfolio_id}/runs",
        },
    }


def encode(doc: Document) -> bytes:
    """The document as JSON, open at its end so that `splice` can add what moves by itself."""
    return json.dumps(doc, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()[:-1]


def splice(
    body: bytes, *, elapsed_seconds: int, heartbeat_at: datetime | None, queue: Document | None
) -> bytes:
    """Complete an encoded document with the fields that move without a change of the run."""
    moving = {"elapsed_seconds": elapsed_seconds, "heartbeat_at": moment(heartbeat_at), "queue": queue}
    return body + b"," + json.dumps(moving, allow_nan=False, separators=(",", ":")).encode()[1:]


def _overall(run: Run, phases: Sequence[PhaseProgress], status: str) -> Document:
    at = at_phase(run, phases)
    percent = 100.0 if status == "completed" else run.percent
    basis = "plan+history" if is_learned(phases) else "plan"
    return {
        "current_phase": at.name.wire_id,
        "current_phase_name": at.name.title,
        "phases_completed": sum(p.status is PhaseStatus.COMPLETED for p in phases),
        "phases_total": len(phases),
        "percent_complete": int(percent),
        "percent": percent,
        "percent_basis": "none" if run.work_started_at is None else basis,
    }


def _current(run: Run, phases: Sequence[PhaseProgress]) -> Document:
    at = at_phase(run, phases)
    return {"current": at.current, "total": at.total, "unit": at.name.unit}


def _eta(run: Run) -> Document | None:
    told = run.eta
    if told is None or run.state in (RunState.ENDED, RunState.INTERRUPTED, RunState.CANCELLING):
        return None
    return {
        "seconds": told.seconds,
        "low": told.low,
        "high": told.high,
        "basis": told.basis.value,
        "runs": told.runs,
        "reason": told.reason.value if told.reason else None,
        "text": eta.text(told),
        "as_of": iso(told.as_of),
    }


def _activity(entry: Activity, phases: Sequence[PhaseProgress]) -> Document:
    wire = next((p.name.wire_id for p in phases if p.name.key == entry.phase), None)
    return activity(entry, wire)


def activity(entry: Activity, wire_id: str | None) -> Document:
    """One entry of the log as it is shown."""
    return {
        "timestamp": iso(entry.at),
        "message": render(entry.code, entry.params),
        "level": level(entry.code).value,
        "seq": entry.seq,
        "code": entry.code,
        "phase_id": wire_id,
    }


def _phase(phase: PhaseProgress, weight: float | None, run: Run | None) -> Document:
    running = phase.status is PhaseStatus.RUNNING
    until = run.waiting_until if run is not None and running else None
    return {
        "phase_id": phase.name.wire_id,
        "phase_name": phase.name.title,
        "status": phase.status.value,
        "current": phase.current,
        "total": phase.total,
        "unit": phase.name.unit,
        "duration_seconds": _took(phase),
        "ok": phase.ok,
        "failed": phase.failed,
        "skipped": phase.skipped,
        "cached": phase.cached,
        "weight": weight,
        "outcome": phase.outcome.value if phase.outcome else None,
        "reason": phase.reason,
        "started_at": moment(phase.started_at),
        "ended_at": moment(phase.ended_at),
        "now": phase.at if running else None,
        "waiting": {"for": "provider", "until": iso(until)} if until else None,
        "summary": _summary(phase),
    }


def _took(phase: PhaseProgress) -> float | None:
    if phase.started_at is None or phase.ended_at is None:
        return None
    return round((phase.ended_at - phase.started_at).total_seconds(), 3)


def _summary(phase: PhaseProgress) -> str | None:
    """What a settled phase came to, in a few words: 29 of 30 symbols, 26 of them stored before, 41 s."""
    took = _took(phase)
    if took is None:
        return None
    stored = f", {phase.cached} of them stored before" if phase.cached else ""
    return f"{phase.ok + phase.cached} of {phase.total} {phase.name.unit}{stored}, {duration(took)}"


def _usable(run: Run, status: str) -> Document:
    ready = run.results_before or status == "completed"
    return {"now": list(USABLE) if ready else [], "later": [] if ready else list(USABLE)}


def _links(run: Run, status: str, whole: RunStatus) -> Document:
    links = {
        "self": f"/api/v1/onboarding/status/{run.portfolio_id}",
        "run": run_path(run),
        "events": f"/api/v1/onboarding/status/{run.portfolio_id}/events",
        "log": f"{run_path(run)}/log",
        "download": f"/api/v1/onboarding/status/{run.portfolio_id}/logs",
    }
    if status == "running":
        if run.state is not RunState.CANCELLING:
            links["cancel"] = f"{run_path(run)}/cancel"
    elif status == "failed":
        if gaps.is_retryable(run):
            links["retry"] = f"{run_path(run)}/retry"
    else:
        links["result"] = f"/api/v1/portfolios/{run.portfolio_id}/snapshots"
        if any(gaps.is_worth_asking(outcome) for outcome in whole.symbols):
            links["retry_failed"] = f"{run_path(run)}/retry"
    return links
