"""The nightly catch-up: when it is due, and its start, once for each session over any number of processes.

What is missing is looked up anew each time, so one catch-up makes up for all nights that were missed. Knows
nothing of threads or of how a batch is carried.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from glassfolio.batches import Batches, StartedBatch
from glassfolio.clock import Clock
from glassfolio.model.run import Trigger
from glassfolio.onboarding import Caller
from glassfolio.sessions import Sessions

# Stands in place of an internal id where nobody set a batch going.
SCHEDULE = Caller("schedule", Trigger.SCHEDULE)


def due(sessions: Sessions, at: time, zone: ZoneInfo, now: datetime) -> date:
    """The newest session on whose day the hour has come, by the clocks of the zone."""
    place = sessions.ordinal(now.astimezone(zone).date())
    if datetime.combine(sessions.day(place), at, zone) > now:
        place -= 1
    return sessions.day(max(place, 0))


@dataclass(frozen=True)
class Nightly:
    """Starts the catch-up at an hour of the zone, on days with a session, once their prices can be had."""

    batches: Batches
    clock: Clock
    at: time
    zone: ZoneInfo

    def look(self) -> StartedBatch | None:
        """Start the catch-up if it is due and nobody has; None when there is nothing to do."""
        session = due(self.batches.setup.sessions, self.at, self.zone, self.clock.now())
        key = f"nightly:{min(session, self.batches.starter.newest_session())}"
        if self.batches.was_fired(key):
            return None
        started = self.batches.fire(SCHEDULE, key=key)
        return started if started.fired else None
