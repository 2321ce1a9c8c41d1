"""Trading sessions of the New York Stock Exchange as arrays.

The source is exchange_calendars (XNYS); because loading it takes a second, its sessions are kept
in the data folder, keyed by the library's version. Knows nothing of prices or portfolios.
"""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import numpy as np

from glassfolio.model.market import DateArray, IntArray

FIRST = "1990-01-01"
LAST = "2030-12-31"


@dataclass(frozen=True)
class Sessions:
    """Every session from 1990 to 2030, in order.

    dates: (n,) datetime64[D].
    closes: (n,) seconds since 1970 UTC of each session's close; early closes are honoured.
    A session's *ordinal* is its position in these arrays.
    """

    dates: DateArray
    closes: IntArray

    @property
    def ordinals(self) -> IntArray:
        """(n,) 0, 1, 2 … beside `dates`."""
        return np.arange(len(self.dates))

    def ordinal(self, day: date) -> int:
        """The ordinal of the last session on or before `day`; -1 before the first one."""
        return int(np.searchsorted(self.dates, np.datetime64(day, "D"), side="right")) - 1

    def ordinal_from(self, day: date) -> int:
        """The ordinal of the first session on or after `day`; len(dates) after the last one."""
        return int(np.searchsorted(self.dates, np.datetime64(day, "D"), side="left"))

    def is_session(self, day: date) -> bool:
        """Whether the exchange is open on `day`."""
        i = self.ordinal(day)
        return i >= 0 and bool(self.dates[i] == np.datetime64(day, "D"))

    def day(self, ordinal: int) -> date:
        """The calendar date of a session."""
        day: date = self.dates[ordinal].item()
        return day

    def between(self, start: date, end: date) -> DateArray:
        """The sessions of a range, both ends inclusive; empty when start is after end."""
        return self.dates[self.ordinal_from(start) : self.ordinal(end) + 1]

    def last_completed(self, moment: datetime, delay: timedelta = timedelta(0)) -> date:
        """The newest session whose close plus `delay` lies at or before `moment` (aware)."""
        i = int(np.searchsorted(self.closes, moment.timestamp() - delay.total_seconds(), side="right")) - 1
        return self.day(max(i, 0))


def load(folder: Path, extra_closures: Iterable[date] = ()) -> Sessions:
    """The exchange's sessions, read from `folder` or computed once and kept there.

    extra_closures: days closed by an announcement later than the library's release.
    """
    kept = folder / f"sessions-{version('exchange_calendars')}.npz"
    if not kept.exists():
        # In a process of its own: the library brings 60 MB that nothing here needs again.
        command = [sys.executable, "-c", "from glassfolio import sessions; sessions.compute()", str(kept)]
        subprocess.run(command, check=True)
    with np.load(kept) as arrays:
        dates, closes = arrays["dates"].astype("datetime64[D]"), arrays["closes"].astype(np.int64)
    closed = np.array(sorted(extra_closures), dtype="datetime64[D]")
    stays = ~np.isin(dates, closed)
    return Sessions(dates[stays], closes[stays])


def compute() -> None:
    """Write the sessions from 1990 to 2030 to the file named as the process's first argument."""
    import exchange_calendars

    kept = Path(sys.argv[1])
    with warnings.catch_warnings():
        # The library's own use of pandas; nothing here can change it.
        warnings.simplefilter("ignore")
        calendar = exchange_calendars.get_calendar("XNYS", start=FIRST, end=LAST)
        closes = calendar.closes.dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
    dates = calendar.sessions.to_numpy().astype("datetime64[D]")
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(f".{os.getpid()}.tmp")
    with partial.open("wb") as out:
        np.savez(out, dates=dates.astype(np.int64), closes=closes)
    partial.replace(kept)
