"""How a run ends other than well: failed with a reason, or cancelled.

Knows nothing of phases' work or of the engine.
"""

import logging
from uuid import uuid4

from glassfolio.batch.phase import Fault
from glassfolio.errors import (
    NotFound,
    ProviderFault,
    ProviderKeyRejected,
    ProviderRateLimited,
    StorageError,
    StorageFull,
)
from glassfolio.model.messages import FAILURES
from glassfolio.model.run import Conclusion, FailureCode, Mark
from glassfolio.store import runs

log = logging.getLogger(__name__)


def fail(turn: runs.Turn, code: FailureCode, key: str | None = None, error_id: str | None = None) -> None:
    """End an attempt with a reason; the phase it was at says so too."""
    text = FAILURES[code]
    turn.note(Mark.END)
    turn.end(Conclusion.FAILURE, code, key, error_id)
    at = turn.changes["failure_phase"]
    turn.say("PHASE_FAILED", at, phase=turn.names[at].title, reason=text.reason)
    turn.say("RUN_FAILED", at, reason=text.reason, action=text.action)


def cancel(turn: runs.Turn, by: FailureCode | None = None) -> None:
    """End an attempt that its owner or an operator cancelled. by: None for whoever asked for it before."""
    asked = turn.row["failure_code"]
    turn.note(Mark.END)
    turn.end(Conclusion.CANCELLED, by or FailureCode(asked or FailureCode.CANCELLED_BY_OWNER))
    turn.say("RUN_CANCELLED")


def as_fault(error: Exception) -> Fault:
    """The reason an owner may see; an unexpected error is logged for the operator under an id."""
    if isinstance(error, ProviderKeyRejected):
        return Fault(FailureCode.PROVIDER_KEY_REJECTED)
    if isinstance(error, ProviderRateLimited):
        return Fault(FailureCode.PROVIDER_RATE_LIMITED, retry_after=error.retry_after)
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
