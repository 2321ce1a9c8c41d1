"""From a cell's text to a date.

Year-month-day is always clear. Whether a date such as 03/04/2024 begins with its month or its day is told
by its whole column, or not at all. Knows nothing of today or of trading days.
"""

import re
from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from glassfolio.imports.cells import Fault

_YEAR_FIRST = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})|([0-9]{4})/([0-9]{2})/([0-9]{2})|([0-9]{4})([0-9]{2})([0-9]{2})",
    re.ASCII,
)
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})", re.ASCII)


class DateOrder(StrEnum):
    """What stands first in a column's dates that end with the year.

    UNPROVED: every one of them fits both orders. MIXED: no order fits them all.
    """

    MONTH_FIRST = "month first"
    DAY_FIRST = "day first"
    UNPROVED = "unproved"
    MIXED = "mixed"


def date_order(cells: Iterable[str]) -> DateOrder:
    """The one order that fits a whole column; cells that are no date in either order do not count."""
    month_first = day_first = True
    for cell in cells:
        month_reading, day_reading = _readings(cell)
        if month_reading or day_reading:
            month_first = month_first and month_reading is not None
            day_first = day_first and day_reading is not None
    if month_first and day_first:
        return DateOrder.UNPROVED
    if not month_first and not day_first:
        return DateOrder.MIXED
    return DateOrder.MONTH_FIRST if month_first else DateOrder.DAY_FIRST


def read_date(cell: str, order: DateOrder) -> date | Fault:
    """The day a cell names. Fault reasons: not_a_date, ambiguous_date, mixed_dates."""
    text = cell.strip()
    parts = _YEAR_FIRST.fullmatch(text)
    if parts:
        year, month, day = (int(part) for part in parts.groups() if part is not None)
        return calendar_date(year, month, day) or Fault("not_a_date")
    month_reading, day_reading = _readings(text)
    if month_reading is None and day_reading is None:
        return Fault("not_a_date")
    if order is DateOrder.MIXED:
        return Fault("mixed_dates")
    if order is DateOrder.UNPROVED and month_reading != day_reading:
        return Fault("ambiguous_date", {"first": str(month_reading), "second": str(day_reading)})
    chosen = day_reading if order is DateOrder.DAY_FIRST else month_reading
    return chosen or Fault("not_a_date")


def calendar_date(year: int, month: int, day: int) -> date | None:
    """The date, or None when there is no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _readings(cell: str) -> tuple[date | None, date | None]:
    """A date that ends with its year, read with the month first and with the day first."""
    parts = _YEAR_LAST.fullmatch(cell.strip())
    if parts is None:
        return None, None
    first, second, year = int(parts[1]), int(parts[3]), int(parts[4])
    return calendar_date(year, first, second), calendar_date(year, second, first)
