"""Which runs of this process are waiting for a price source, and until when.

A source's client sleeps through `Waits.sleep`; who works for a run says so with `working_for`. Knows nothing
of why a client waits or of what a run is.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from glassfolio.clock import Clock


class Waits:
    """The waits under way, by the key of the work they belong to. Safe to share among threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._local = threading.local()
        self._until: dict[str, dict[int, datetime]] = {}
        self._let_go: dict[str, threading.Event] = {}

    @contextmanager
    def working_for(self, key: str) -> Iterator[None]:
        """What this thread does inside the block belongs to `key`."""
        self._local.key = key
        try:
            yield
        finally:
            self._local.key = None

    def sleep(self, seconds: float) -> None:
        """Sleep as long as told, or until the work is let go; in between, `until` tells of it."""
        key = getattr(self._local, "key", None)
        if key is None:
            threading.Event().wait(seconds)
            return
        me = threading.get_ident()
        with self._lock:
            self._until.setdefault(key, {})[me] = self._clock.now() + timedelta(seconds=seconds)
            let_go = self._let_go.setdefault(key, threading.Event())
        try:
            let_go.wait(seconds)
        finally:
            with self._lock:
                self._until.get(key, {}).pop(me, None)

    def until(self, key: str) -> datetime | None:
        """The earliest moment at which a wait of `key` ends; None when nothing waits."""
        with self._lock:
            return min(self._until.get(key, {}).values(), default=None)

    def let_go(self, key: str) -> None:
        """End the waits of `key`; what has waited for it waits no more, until it is forgotten."""
        with self._lock:
            if key in self._let_go:
                self._let_go[key].set()

    def has_let_go(self, key: str) -> bool:
        """Whether the work of `key` was let go."""
        with self._lock:
            return key in self._let_go and self._let_go[key].is_set()

    def forget(self, key: str) -> None:
        """Begin anew with `key`."""
        with self._lock:
            self._until.pop(key, None)
            self._let_go.pop(key, None)

    def let_all_go(self) -> None:
        """End all waits."""
        with self._lock:
            for event in self._let_go.values():
                event.set()
