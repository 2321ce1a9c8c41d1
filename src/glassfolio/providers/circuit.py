"""A breaker that stops asking a provider that keeps refusing.

Knows nothing of HTTP: it is told how each request ended.
"""

import threading
from collections.abc import Callable

from glassfolio.model.market import FailureKind
from glassfolio.providers.base import Refusal

REFUSALS_TO_OPEN = {FailureKind.RATE_LIMITED: 3, FailureKind.BLOCKED: 2, FailureKind.UNAUTHORISED: 1}
OPEN_SECONDS = 60.0


class Circuit:
    """Opens after repeated refusals of one kind, and lets a request through again after a while.

    After that pause a single further refusal of the same kind opens it again. Safe to share among threads.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kind: FailureKind | None = None
        self._refusals = 0
        self._open_until = 0.0

    def refusal(self) -> Refusal | None:
        """What to answer instead of asking, with the seconds left; None when asking is fine."""
        with self._lock:
            left = self._open_until - self._monotonic()
            if self._kind is None or left <= 0:
                return None
            return Refusal(self._kind, left, "not asked: the provider refused repeatedly")

    def note(self, refusal: Refusal | None) -> None:
        """Take in how a request ended; None is success. Network trouble says nothing about refusals."""
        if refusal is not None and refusal.kind is FailureKind.NETWORK:
            return
        with self._lock:
            if refusal is None or refusal.kind not in REFUSALS_TO_OPEN:
                self._kind, self._refusals, self._open_until = None, 0, 0.0
                return
            self._refusals = self._refusals + 1 if refusal.kind is self._kind else 1
            self._kind = refusal.kind
            if self._refusals >= REFUSALS_TO_OPEN[refusal.kind]:
                pause = max(OPEN_SECONDS, refusal.retry_after or 0.0)
                self._open_until = self._monotonic() + pause
