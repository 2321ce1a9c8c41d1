"""A wall clock that stands still until it is moved, shown to the service and to the library that counts."""

import time
from datetime import UTC, datetime, timedelta

import limits.storage.memory
import limits.strategies
import pytest

# A moment one and a half seconds into a window of every length that is used.
START = datetime(2026, 1, 9, 15, 0, 1, 500_000, tzinfo=UTC)


class Wall:
    """What `time` is to the library's modules, and a Clock to us."""

    def __init__(self, moment: datetime = START) -> None:
        self._moment = self._start = moment
        self.monotonic = time.monotonic

    def time(self) -> float:
        return self._moment.timestamp()

    def now(self) -> datetime:
        return self._moment

    def move(self, seconds: float) -> None:
        self._moment += timedelta(seconds=seconds)

    def start_anew(self) -> None:
        """As far into all windows as at first, when all that was counted is past."""
        while self._start <= self._moment + timedelta(hours=2):
            self._start += timedelta(hours=2)
        self._moment = self._start


def standing_still(patch: pytest.MonkeyPatch) -> Wall:
    """Stop the library's clock; it takes none from outside."""
    wall = Wall()
    for module in (limits.storage.memory, limits.strategies):
        patch.setattr(module, "time", wall)
    return wall
