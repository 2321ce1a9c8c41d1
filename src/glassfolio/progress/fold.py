"""Folds a run's rows into the status document that its owner reads.

The encoded document is complete but for what moves without a change of the run: elapsed_seconds,
heartbeat_at and queue, which are spliced in when it is sent. Knows nothing of HTTP or tables.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from glassfolio.clock import iso
from glassfolio.model.messages import FAILURES, level, render, symbol_effect
from glassfolio.model.run import (
    Activity,
    Conclusion,
    PhaseName,
    PhaseProgress,
    PhaseStatus,
    Run,
    RunState,
    RunStatus,
    SymbolOutcome,
)
from glassfolio.progress.estimate import weights

FEED = 50
POLL_MS = 2000
POLL_QUEUED_MS = 4000

Document = dict[str, Any]


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
        "phases": [_phase(phase, weight) for phase, weight in zip(phases, weights(phases), strict=True)],
        "run_id": run.id,
        "kind": run.kind,
        "attempt": run.attempt,
        "resumes": run.resumes,
        "trigger": run.trigger.value,
        "state": run.state.value,
        "conclusion": run.conclusion.value if run.conclusion else None,
        "created_at": iso(run.started_at),
        "work_started_at": _moment(run.work_started_at),
        "updated_at": iso(run.updated_at),
        "last_progress_at": _moment(run.last_progress_at),
        "finished_at": _moment(run.ended_at),
        "seq": run.seq,
        "eta": None,
        "symbols": [_symbol(outcome) for outcome in status.symbols],
        "warnings": [_symbol_warning(outcome) for outcome in status.symbols],
        "warnings_total": len(status.symbols),
        "failure": _failure(run, phases),
        "data_as_of": run.last_session.isoformat() if run.last_session else None,
        "completeness": run.completeness,
        "log": {
            "last_seq": status.feed[-1].seq if status.feed else 0,
            "total": status.logged,
            "truncated": status.logged > len(status.feed),
        },
        "poll_after_ms": poll_after_ms(run.state),
        "links": _links(run, done),
    }


def poll_after_ms(state: RunState) -> int | None:
    """How long a client should wait before it asks again; None when nothing will change."""
    if state is RunState.ENDED:
        return None
    return POLL_QUEUED_MS if state is RunState.QUEUED else POLL_MS


def never_onboarded(portfolio_id: str, names: Sequence[PhaseName]) -> Document:
    """The whole status resource of a portfolio that has no run."""
    phases = [PhaseProgress(name, PhaseStatus.PENDING) for name in names]
    return {
        "portfolio_id": portfolio_id,
        "status": "not_found",
        "started_at": None,
        "elapsed_seconds": 0,
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
        "phases": [_phase(phase, None) for phase in phases],
        "run_id": None,
        "attempt": None,
        "state": None,
        "conclusion": None,
        "seq": 0,
        "eta": None,
        "symbols": [],
        "warnings": [],
        "warnings_total": 0,
        "failure": None,
        "queue": None,
        "heartbeat_at": None,
        "poll_after_ms": None,
        "links": {"start": f"/api/v1/portfolios/{portfolio_id}/runs"},
    }


def encode(doc: Document) -> bytes:
    """The document as JSON, open at its end so that `splice` can add what moves by itself."""
    return json.dumps(doc, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()[:-1]


def splice(
    body: bytes, *, elapsed_seconds: int, heartbeat_at: datetime | None, queue: Document | None
) -> bytes:
    """Complete an encoded document with the fields that move without a change of the run."""
    moving = {"elapsed_seconds": elapsed_seconds, "heartbeat_at": _moment(heartbeat_at), "queue": queue}
    return body + b"," + json.dumps(moving, allow_nan=False, separators=(",", ":")).encode()[1:]


def _moment(value: datetime | None) -> str | None:
    return iso(value) if value else None


def _at_phase(run: Run, phases: Sequence[PhaseProgress]) -> PhaseProgress:
    """The phase a run is at: the failing one after failure, the last one after completion."""
    if run.failure_phase is not None:
        return next(p for p in phases if p.name.key == run.failure_phase)
    still_open = [p for p in phases if p.status is not PhaseStatus.COMPLETED]
    return still_open[0] if still_open else phases[-1]


def _overall(run: Run, phases: Sequence[PhaseProgress], status: str) -> Document:
    at = _at_phase(run, phases)
    percent = 100.0 if status == "completed" else run.percent
    return {
        "current_phase": at.name.wire_id,
        "current_phase_name": at.name.title,
        "phases_completed": sum(p.status is PhaseStatus.COMPLETED for p in phases),
        "phases_total": len(phases),
        "percent_complete": int(percent),
        "percent": percent,
        "percent_basis": "none" if run.work_started_at is None else "plan",
    }


def _current(run: Run, phases: Sequence[PhaseProgress]) -> Document:
    at = _at_phase(run, phases)
    return {"current": at.current, "total": at.total, "unit": at.name.unit}


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


def _phase(phase: PhaseProgress, weight: float | None) -> Document:
    took = None
    if phase.started_at and phase.ended_at:
        took = round((phase.ended_at - phase.started_at).total_seconds(), 3)
    return {
        "phase_id": phase.name.wire_id,
        "phase_name": phase.name.title,
        "status": phase.status.value,
        "current": phase.current,
        "total": phase.total,
        "unit": phase.name.unit,
        "duration_seconds": took,
        "ok": phase.ok,
        "failed": phase.failed,
        "skipped": phase.skipped,
        "cached": phase.cached,
        "weight": weight,
        "outcome": phase.outcome.value if phase.outcome else None,
        "reason": phase.reason,
        "started_at": _moment(phase.started_at),
        "ended_at": _moment(phase.ended_at),
        "now": phase.at if phase.status is PhaseStatus.RUNNING else None,
    }


def _symbol(outcome: SymbolOutcome) -> Document:
    return {
        "symbol": outcome.symbol,
        "outcome": outcome.outcome,
        "reason": outcome.reason,
        "effect": symbol_effect(outcome.outcome, outcome.reason),
        "share_of_value": outcome.share_of_value,
    }


def _symbol_warning(outcome: SymbolOutcome) -> Document:
    return {"code": outcome.reason.upper(), "subject": outcome.symbol}


def _failure(run: Run, phases: Sequence[PhaseProgress]) -> Document | None:
    if run.failure_code is None:
        return None
    text = FAILURES[run.failure_code]
    at = _at_phase(run, phases)
    return {
        "code": run.failure_code.value,
        "title": f"{at.name.title} stopped",
        "detail": text.reason,
        "phase_id": at.name.wire_id,
        "retryable": text.retryable,
        "action": {
            "kind": text.kind,
            "label": text.action,
            "href": _run(run) + "/retry" if text.retryable else None,
        },
        "error_id": run.error_id,
    }


def _run(run: Run) -> str:
    return f"/api/v1/runs/{run.id}"


def _links(run: Run, status: str) -> Document:
    links = {
        "self": f"/api/v1/onboarding/status/{run.portfolio_id}",
        "run": _run(run),
        "log": f"{_run(run)}/log",
        "download": f"/api/v1/onboarding/status/{run.portfolio_id}/logs",
    }
    if status == "running":
        links["cancel"] = f"{_run(run)}/cancel"
    elif status == "failed":
        links["retry"] = f"{_run(run)}/retry"
    else:
        links["result"] = f"/api/v1/portfolios/{run.portfolio_id}/snapshots"
    return links
