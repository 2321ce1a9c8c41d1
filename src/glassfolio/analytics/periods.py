"""The calendar periods that returns are stated over, and the session each of them is counted from.

Knows nothing of prices.
"""

from collections.abc import Mapping

import numpy as np

from glassfolio.model.market import DateArray, IntArray

# Name -> what the period is counted from, in words.
PERIODS: Mapping[str, str] = {
    "1d": "the session before",
    "mtd": "last session of the previous month",
    "1m": "same day one month back",
    "3m": "same day three months back",
    "ytd": "last session of the previous year",
    "1y": "same day one year back",
}
# A close may stand for the reference date if it is at most this many sessions older.
OLDEST_BASE = 5
_MONTHS_BACK = {"1m": 1, "3m": 3, "1y": 12}


def base_sessions(sessions: DateArray) -> Mapping[str, IntArray]:
    """For each period, the row of the last session on or before its reference date; -1 before the first row.

    sessions: (T,) datetime64[D], rising. The same day of an earlier month is clamped to that month's last
    day.
    """
    month = sessions.astype("datetime64[M]")
    day = (sessions - month.astype("datetime64[D]")).astype(np.int64)
    references = {
        "1d": sessions - np.timedelta64(1, "D"),
        "mtd": month.astype("datetime64[D]") - np.timedelta64(1, "D"),
        "ytd": sessions.astype("datetime64[Y]").astype("datetime64[D]") - np.timedelta64(1, "D"),
    }
    for name, back in _MONTHS_BACK.items():
        earlier = month - np.timedelta64(back, "M")
        last = (earlier + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
        references[name] = np.minimum(earlier.astype("datetime64[D]") + day, last)
    return {name: np.searchsorted(sessions, day, side="right") - 1 for name, day in references.items()}
