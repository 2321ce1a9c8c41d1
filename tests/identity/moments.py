"""A clock that stands still until it is moved."""

from datetime import UTC, datetime, timedelta


class SetClock:
    """Shows the moment it was set to."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 9, 21, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    @property
    def seconds(self) -> float:
        """Now, since 1970."""
        return self._now.timestamp()

    def move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
