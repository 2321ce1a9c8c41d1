"""Time and allowance that a test moves by hand, and the settings that use them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from glassfolio.providers.base import ProviderSettings
from glassfolio.providers.timing import Timeouts, Timing
from glassfolio.sessions import Sessions

START = datetime(2023, 1, 3, 12, 0, tzinfo=UTC)
KEY = "s3cret-key/with+signs"


class FakeTime:
    """A clock that only moves when somebody sleeps; remembers the naps."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.naps: list[float] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.elapsed += seconds

    def timing(self) -> Timing:
        return Timing(self, self.monotonic, self.sleep, lambda _low, high: high)


class FakeThrottle:
    """Grants everything except while paused, on the time it is given."""

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self._free_at = 0.0
        self.taken = 0
        self.pauses: list[float] = []

    def take(self) -> float:
        wait = max(self._free_at - self._time.elapsed, 0.0)
        self.taken += wait == 0
        return wait

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._free_at = self._time.elapsed + seconds


def make_settings(
    calendar: Sessions, time: FakeTime, url: str | None = None, key: str = KEY, **limits: float
) -> ProviderSettings:
    timeouts: Mapping[str, float] = {"connect": 5.0, "read": 5.0, "total": 30.0, "patience": 10.0} | limits
    return ProviderSettings(
        calendar.dates, url=url, key=key, timeouts=Timeouts(**timeouts), timing=time.timing()
    )
