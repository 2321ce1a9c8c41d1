"""The words of a run: its states, phases, activity and outcomes.

Knows nothing of engines, tables or HTTP. Phase names arrive as data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class Trigger(StrEnum):
    """What set a run going."""

    USER = "user"
    ADMIN = "admin"
    SCHEDULE = "schedule"
    CLI = "cli"


class RunState(StrEnum):
    """Where a run stands; the four words on the wire are derived from it."""

    QUEUED = "queued"
    RUNNING = "running"
    INTERRUPTED = "interrupted"
    CANCELLING = "cancelling"
    ENDED = "ended"


class Conclusion(StrEnum):
    """How an attempt ended."""

    SUCCESS = "success"
    SUCCESS_WITH_WARNINGS = "success_with_warnings"
    FAILURE = "failure"
    CANCELLED = "cancelled"


class PhaseStatus(StrEnum):
    """The status of a phase on the wire."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class Outcome(StrEnum):
    """How a phase ended."""

    OK = "ok"
    OK_WITH_WARNINGS = "ok_with_warnings"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CACHED = "cached"
    NOT_RUN = "not_run"


class Level(StrEnum):
    """How much an entry of the activity log should worry its reader."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class FailureCode(StrEnum):
    """Why an attempt failed; a closed list."""

    PROVIDER_UNAVAILABLE = "PROVIDER_UNAVAILABLE"
    PROVIDER_RATE_LIMITED = "PROVIDER_RATE_LIMITED"
    PROVIDER_KEY_REJECTED = "PROVIDER_KEY_REJECTED"
    NO_PRICES_FOUND = "NO_PRICES_FOUND"
    NOTHING_TO_VALUE = "NOTHING_TO_VALUE"
    STORAGE_FULL = "STORAGE_FULL"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    INTERRUPTED_TOO_OFTEN = "INTERRUPTED_TOO_OFTEN"
    CANCELLED_BY_OWNER = "CANCELLED_BY_OWNER"
    PORTFOLIO_DELETED = "PORTFOLIO_DELETED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


@dataclass(frozen=True, slots=True)
class PhaseName:
    """How a phase is called: in code, on the wire, to people; and what it counts."""

    key: str
    wire_id: str
    title: str
    unit: str


@dataclass(frozen=True, slots=True)
class PhaseProgress:
    """How far a phase is: counts of committed units, nothing else.

    total: None until it is known. ok + failed + skipped + cached = current.
    unit_seconds: expected seconds of one unit of its plan.
    worked_seconds: time spent on its committed chunks.
    """

    name: PhaseName
    status: PhaseStatus
    outcome: Outcome | None = None
    reason: str | None = None
    total: int | None = None
    ok: int = 0
    failed: int = 0
    skipped: int = 0
    cached: int = 0
    unit_seconds: float | None = None
    worked_seconds: float = 0.0
    at: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def current(self) -> int:
        """Units settled so far."""
        return self.ok + self.failed + self.skipped + self.cached


@dataclass(frozen=True, slots=True)
class Activity:
    """One entry of the activity log: a code of the catalogue with its typed parameters."""

    seq: int
    at: datetime
    code: str
    phase: str | None
    params: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Entry:
    """An activity that is about to be written: no number and no time yet."""

    code: str
    phase: str | None = None
    params: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SymbolOutcome:
    """What happened to a symbol that did not simply succeed.

    share_of_value: fraction of the portfolio's value it concerns; None while unknown.
    """

    symbol: str
    outcome: str
    reason: str
    share_of_value: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run in its present attempt."""

    id: str
    portfolio_id: str
    owner_id: str
    kind: str
    trigger: Trigger
    triggered_by: str
    attempt: int
    fence: int
    resumes: int
    state: RunState
    seq: int
    percent: float
    started_at: datetime
    updated_at: datetime
    conclusion: Conclusion | None = None
    worker: str | None = None
    work_started_at: datetime | None = None
    worked_seconds: float = 0.0
    last_progress_at: datetime | None = None
    ended_at: datetime | None = None
    first_session: date | None = None
    last_session: date | None = None
    completeness: float | None = None
    failure_code: FailureCode | None = None
    failure_phase: str | None = None
    error_id: str | None = None


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Everything the status document is folded from.

    feed: the newest 50 entries, oldest first; logged: how many entries there are in all.
    """

    run: Run
    phases: tuple[PhaseProgress, ...]
    feed: tuple[Activity, ...]
    logged: int
    symbols: tuple[SymbolOutcome, ...]
