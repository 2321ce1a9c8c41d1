"""The one place that asks what time it is. Everything else is handed a Clock."""

from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

EXCHANGE_ZONE = ZoneInfo("America/New_York")


class Clock(Protocol):
    """A source of the current time; tests pass their own."""

    def now(self) -> datetime:
        """The current moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> datetime:
        """The current moment, aware, in UTC."""
        return datetime.now(UTC)


def exchange_date(moment: datetime) -> date:
    """The calendar date in New York at `moment` (aware)."""
    return moment.astimezone(EXCHANGE_ZONE).date()


def iso(moment: datetime) -> str:
    """`moment` (aware) as ISO 8601 in UTC with milliseconds: 2026-01-09T21:00:00.000Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """The aware UTC moment that `iso` wrote."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
