"""The words of a run: its states, phases, activity and outcomes.

Knows nothing of engines, tables or HTTP. Phase names arrive as data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any


class Trigger(StrEnum):
    """What set a run going."""

    USER = "user"
    ADMIN = "admin"
    SCHEDULE = "schedule"
    CLI = "cli"


class RunKind(StrEnum):
    """What a run is for; a nightly one shows on no status address."""

    ONBOARDING = "onboarding"
    REPAIR = "repair"
    NIGHTLY = "nightly"


class RunState(StrEnum):
    """Where a run stands; the four words on the wire are derived from it."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
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
    SKIPPED = "skipped"
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
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED_BY_OWNER = "CANCELLED_BY_OWNER"
    CANCELLED_BY_OPERATOR = "CANCELLED_BY_OPERATOR"
    PORTFOLIO_DELETED = "PORTFOLIO_DELETED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class StallReason(StrEnum):
    """What a run that lives and does not get on is at; a closed list."""

    PROVIDER_SILENT = "provider_silent"
    COMPUTING = "computing"


class EtaBasis(StrEnum):
    """What a remaining time rests on."""

    HISTORY = "history"
    THIS_RUN = "this_run"
    SHIPPED = "shipped"
    PROVIDER_WAIT = "provider_wait"


class EtaReason(StrEnum):
    """Why a remaining time went up."""

    PROVIDER_WAIT = "provider_wait"
    RESUMED = "resumed"
    SLOWER = "slower"


class Mark(StrEnum):
    """What one row of a run's trail tells: the events of a trace."""

    FORECAST = "forecast"
    PLAN = "plan"
    UNIT = "unit"
    PHASE_END = "phase_end"
    WAIT_START = "wait_start"
    WAIT_END = "wait_end"
    STALLED = "stalled"
    INTERRUPTED = "interrupted"
    RESUME = "resume"
    END = "end"


@dataclass(frozen=True, slots=True)
class Eta:
    """A remaining time, counted from `as_of`.

    seconds, low, high: the likely one and an 80 % range. runs: how many earlier runs it rests on.
    reason: why it is longer than the one told before; None when it is not.
    """

    seconds: int
    low: int
    high: int
    basis: EtaBasis
    runs: int
    as_of: datetime
    reason: EtaReason | None = None


@dataclass(frozen=True, slots=True)
class Trail:
    """One step of an attempt as it was committed and told; what its honesty is measured by.

    t: seconds worked so far, queue and downtime left out. phase: its key.
    units: all of a plan, or those committed by a unit; cached, failed: of them, settled before and without a
    result. seconds: of a plan, expected for one unit; of a wait, its length; of a stall or an interruption,
    the age of the last sign of life when it was told. fixed, pace, free, runs, at_once: of a plan.
    remaining: seconds the estimate expected; eta, low, high: what was shown, counted from t.
    """

    mark: Mark
    t: float
    phase: str | None = None
    units: int | None = None
    cached: int | None = None
    failed: int | None = None
    seconds: float | None = None
    fixed: float | None = None
    pace: float | None = None
    free: int | None = None
    runs: int | None = None
    at_once: int | None = None
    percent: float | None = None
    remaining: float | None = None
    eta: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """How far real remaining times lay from predicted ones: factors for each tenth of the percent.

    low, high: ten factors each, the ends of an 80 % range. runs: how many earlier runs they rest on.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    runs: int


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
    planned: units that are to be worked, those settled by the plan left out; None until that is known.
    unit_seconds, expected_fixed: expected seconds of one unit, and of the phase beside its units; None for
    the shipped ones. learned_runs: how many earlier runs they rest on.
    worked_seconds: time spent on its committed chunks; fixed_seconds: beside them; waited_seconds: time of
    named waits.
    pace_seconds: least time between two units that the provider allows, after `free_units` at once.
    at_once: units that are in work at the same time.
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
    planned: int | None = None
    unit_seconds: float | None = None
    expected_fixed: float | None = None
    learned_runs: int = 0
    worked_seconds: float = 0.0
    fixed_seconds: float = 0.0
    waited_seconds: float = 0.0
    pace_seconds: float | None = None
    free_units: int = 0
    at_once: int = 1
    at: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def current(self) -> int:
        """Units settled so far."""
        return self.ok + self.failed + self.skipped + self.cached

    @property
    def left(self) -> int | None:
        """Units that are still to be worked; None while the total is unknown."""
        if self.total is None:
            return None
        expected = self.planned if self.status is PhaseStatus.PENDING else None
        return self.total - self.current if expected is None else expected

    @property
    def worked_units(self) -> int:
        """Units that were worked in this attempt, those settled by the plan left out."""
        if self.planned is None or self.status is PhaseStatus.PENDING:
            return self.current - self.cached
        return self.planned - ((self.total or 0) - self.current)


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
    retry_at: when asking again may help; None where that is not known.
    """

    symbol: str
    outcome: str
    reason: str
    share_of_value: float | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run in its present attempt.

    results_before: whether its portfolio had results when the attempt began.
    redo: whether every session asked for is computed anew. asked_first, asked_last: those sessions; None for
    the whole window, first_session to last_session.
    spread: None for the shipped one. honesty: how far what was shown lay from what came true, once known.
    """

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
    created_at: datetime | None = None
    data_as_of: date | None = None
    results_before: bool = False
    waiting_until: datetime | None = None
    stalled_since: datetime | None = None
    stalled_reason: StallReason | None = None
    retry_at: datetime | None = None
    eta: Eta | None = None
    spread: Spread | None = None
    honesty: Mapping[str, Any] | None = None
    batch_id: str | None = None
    redo: bool = False
    asked_first: date | None = None
    asked_last: date | None = None


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
