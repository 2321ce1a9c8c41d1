"""What a status document says of what is missing: symbols, warnings, the failure, and what can be done.

Knows nothing of percents and times that are left.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from glassfolio.clock import iso
from glassfolio.model.messages import FAILURES, SYMBOL_ACTIONS, SYMBOL_REASONS, symbol_effect
from glassfolio.model.run import PhaseProgress, PhaseStatus, Run, RunState, SymbolOutcome

Document = dict[str, Any]
PARTIAL = "partial"


def moment(value: datetime | None) -> str | None:
    """A moment as it is shown, or null."""
    return iso(value) if value else None


def run_path(run: Run) -> str:
    """The address of a run."""
    return f"/api/v1/runs/{run.id}"


def at_phase(run: Run, phases: Sequence[PhaseProgress]) -> PhaseProgress:
    """The phase a run is at: the failing one after failure, the last one after completion."""
    if run.failure_phase is not None:
        return next(p for p in phases if p.name.key == run.failure_phase)
    still_open = [p for p in phases if p.status is not PhaseStatus.COMPLETED]
    return still_open[0] if still_open else phases[-1]


def symbol(run: Run, outcome: SymbolOutcome) -> Document:
    """A symbol that did not simply succeed."""
    return {
        "symbol": outcome.symbol,
        "outcome": outcome.outcome,
        "reason": outcome.reason,
        "effect": symbol_effect(outcome.outcome, outcome.reason),
        "share_of_value": outcome.share_of_value,
        "retry_at": moment(outcome.retry_at),
        "action": _symbol_action(run, outcome),
    }


def warning(run: Run, outcome: SymbolOutcome) -> Document:
    """What such a symbol means for the results, as a warning."""
    reason = SYMBOL_REASONS.get(outcome.reason, "its prices begin late.")
    return {
        "code": outcome.reason.upper(),
        "subject": outcome.symbol,
        "detail": f"{outcome.symbol}: {reason} {symbol_effect(outcome.outcome, outcome.reason)}",
        "retryable": is_worth_asking(outcome),
        "action": _symbol_action(run, outcome),
    }


def is_worth_asking(outcome: SymbolOutcome) -> bool:
    """Whether asking for the symbol again can help."""
    action = SYMBOL_ACTIONS.get(outcome.reason)
    return action is not None and action.kind == "retry_failed"


def _symbol_action(run: Run, outcome: SymbolOutcome) -> Document | None:
    action = SYMBOL_ACTIONS.get(outcome.reason)
    if action is None:
        return None
    now = run.state is RunState.ENDED and action.kind == "retry_failed"
    return {
        "kind": action.kind,
        "label": action.label,
        "href": f"{run_path(run)}/retry" if now else None,
    }


def symbol_counts(phases: Sequence[PhaseProgress], symbols: Sequence[SymbolOutcome]) -> dict[str, int]:
    """How many symbols came to what; the first phase counts them all, those named are told apart."""
    counts = Counter(outcome.outcome for outcome in symbols)
    late = sum(outcome.reason == PARTIAL for outcome in symbols)
    first = phases[0]
    return {"ok": max(0, first.ok - late), "cached": first.cached, **dict(sorted(counts.items()))}


def is_retryable(run: Run) -> bool:
    """Whether a failed attempt can be tried again."""
    return run.failure_code is not None and FAILURES[run.failure_code].retryable


def failure(run: Run, phases: Sequence[PhaseProgress]) -> Document | None:
    """Why an attempt failed, where, and what can be done."""
    if run.failure_code is None or run.state is not RunState.ENDED:
        return None
    text = FAILURES[run.failure_code]
    at = at_phase(run, phases)
    return {
        "code": run.failure_code.value,
        "title": f"{at.name.title} stopped",
        "detail": text.reason,
        "phase_id": at.name.wire_id,
        "retryable": text.retryable,
        "retry_at": moment(run.retry_at),
        "action": {
            "kind": text.kind,
            "label": text.action,
            "href": run_path(run) + "/retry" if text.retryable else None,
        },
        "error_id": run.error_id,
    }
