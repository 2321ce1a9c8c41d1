"""What is missing, and how it is cut into chunks; pure.

Knows nothing of databases: what was asked before arrives as values.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from glassfolio.model.market import FailureKind, Interval
from glassfolio.sessions import Sessions
from glassfolio.store.market import OK, Asked

DATES_PER_CHUNK = 64
SYMBOLS_PER_CHUNK = 512
SYMBOLS_PER_FETCH = 25
SECONDS_PER_FETCH = 1.0
ASK_AGAIN_AFTER = timedelta(days=7)
UNKNOWN = (FailureKind.NOT_FOUND.value, FailureKind.EMPTY.value)

T = TypeVar("T")


def missing_range(sessions: Sessions, first: int, last: int, answers: Sequence[Asked]) -> Interval | None:
    """The one range that covers every session from ordinal `first` to `last` not yet answered with bars.

    None when nothing is missing.
    """
    wanted = set(range(first, last + 1))
    for answer in answers:
        if answer.outcome == OK:
            wanted -= set(
                range(sessions.ordinal_from(answer.interval.start), sessions.ordinal(answer.interval.end) + 1)
            )
    if not wanted:
        return None
    return Interval(sessions.day(min(wanted)), sessions.day(max(wanted)))


def known_unknown(answers: Sequence[Asked], now: datetime, since: datetime | None = None) -> str | None:
    """Why a symbol is not asked again: the provider said lately that it has nothing; None to ask.

    since: what was said before counts no more.
    """
    since = since or now - ASK_AGAIN_AFTER
    lately = [a for a in answers if a.outcome in UNKNOWN and a.asked_at > since]
    return lately[-1].outcome if lately and not any(a.outcome == OK for a in answers) else None


def fetch_size(seconds_per_request: float, requests_per_second: float | None) -> int:
    """Symbols in a chunk of about a second, so that a slow provider shows each as it lands; 1 to 25."""
    each = max(seconds_per_request, 1 / requests_per_second if requests_per_second else 0.0)
    return max(1, min(SYMBOLS_PER_FETCH, int(SECONDS_PER_FETCH / each) if each > 0 else SYMBOLS_PER_FETCH))


def pieces(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into pieces of `size`, the last one shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def window(
    sessions: Sessions,
    entries: Sequence[date | None],
    newest: date,
    anchor: date,
    history: int | None,
) -> tuple[date, date]:
    """The sessions a run values, first and last.

    From the later of the first lot's entry and the `history`th session before the end, to `newest`; never
    beginning after `anchor`, whose NAV is the stated equity. history: None means from the first lot; lots
    without a date count as held for 254 sessions.
    """
    last = sessions.ordinal(newest)
    limit = last - (history or 254) + 1
    dated = [sessions.ordinal_from(day) for day in entries if day is not None]
    if history is None:
        first = min([*dated, limit] if len(dated) < len(entries) else dated)
    else:
        first = limit if len(dated) < len(entries) else max(min(dated), limit)
    first = max(0, min(first, sessions.ordinal(anchor), last))
    return sessions.day(first), sessions.day(last)


def by_interval(missing: Mapping[str, Interval]) -> list[tuple[str, Interval]]:
    """Symbols to fetch, those of one range together, otherwise in the given order."""
    order = {interval: i for i, interval in enumerate(dict.fromkeys(missing.values()))}
    return sorted(missing.items(), key=lambda item: order[item[1]])
