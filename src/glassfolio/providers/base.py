"""What a source of prices is to the rest of the program: one small class that can be swapped.

Knows nothing of databases, runs or portfolios.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from glassfolio.model.market import Bars, Basis, DateArray, Failure, FailureKind
from glassfolio.providers.timing import Timeouts, Timing


@dataclass(frozen=True, slots=True)
class Terms:
    """What a provider allows and promises.

    batch: symbols a single request may name.
    requests_per_second: over all processes together; None means unlimited (a local source).
    burst: requests that may follow each other at once before that rate holds.
    seconds_per_request: typical time of one request, used to size chunks before any were measured.
    close_delay: time after a session's close before its bar can be asked for.
    """

    batch: int
    requests_per_second: float | None
    seconds_per_request: float
    basis: Basis
    needs_key: bool
    close_delay: timedelta
    burst: float = 1.0


class QuarantineReason(StrEnum):
    """Why a bar is not believed; a closed list."""

    NO_CLOSE = "no_close"
    BAD_PRICE = "bad_price"
    BAD_ACTION = "bad_action"
    NO_SESSION = "no_session"
    OUT_OF_RANGE = "out_of_range"
    CONFLICT = "conflict"
    CURRENCY = "currency"
    SPIKE = "spike"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A bar that arrived and is kept apart; its session counts as missing."""

    symbol: str
    session: date
    reason: QuarantineReason


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request or a file that brought nothing usable; fields as in Failure, not yet tied to a symbol."""

    kind: FailureKind
    retry_after: float | None = None
    detail: str = ""

    def of(self, symbol: str) -> Failure:
        """The same as the outcome of one symbol."""
        return Failure(symbol, self.kind, self.retry_after, self.detail)


@dataclass(frozen=True)
class Fetched:
    """The answer to one fetch: every symbol asked is in exactly one of bars and failures.

    quarantined: single bars that were not believed, of symbols in either of the two.
    """

    bars: tuple[Bars, ...]
    failures: tuple[Failure, ...]
    quarantined: tuple[Quarantined, ...] = ()


class PriceProvider(Protocol):
    """A source of daily bars."""

    @property
    def name(self) -> str:
        """The word used in settings and stored beside each bar."""
        ...

    @property
    def terms(self) -> Terms:
        """What it allows and promises."""
        ...

    def newest_session(self) -> date | None:
        """The last session it holds, or None for a live source."""
        ...

    def oldest_session(self) -> date | None:
        """The first session it holds, or None where that is not known."""
        ...

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Fetched:
        """Daily bars of `symbols` for the sessions from `start` to `end`, both inclusive.

        Never raises for what a provider or a network does; that is a Failure.
        """
        ...


class Throttle(Protocol):
    """A shared allowance of requests."""

    def take(self) -> float:
        """Take one request from the allowance: 0 when granted, else the seconds before asking again."""
        ...

    def pause(self, seconds: float) -> None:
        """Grant nothing for `seconds`: the provider asked everybody to wait."""
        ...


@dataclass(frozen=True, eq=False)
class ProviderSettings:
    """What a provider is told when it is made; each reads only what concerns it.

    sessions: every session of the exchange, datetime64[D], rising.
    url: replaces scheme, host and port of a provider's address; its paths stay.
    key: the operator's secret; kept out of the repr.
    prices_dir: the folder that `files` reads.
    rate: requests per second, in place of the provider's own default.
    """

    sessions: DateArray
    url: str | None = None
    key: str = field(default="", repr=False)
    prices_dir: Path | None = None
    rate: float | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    timing: Timing = field(default_factory=Timing)
