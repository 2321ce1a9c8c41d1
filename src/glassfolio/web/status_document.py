"""The shape of the status document as the API publishes it; the document itself is sent as it lies encoded.

Knows nothing of how it is made.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from glassfolio.model.run import (
    Conclusion,
    EtaBasis,
    EtaReason,
    FailureCode,
    Outcome,
    RunState,
    StallReason,
    Trigger,
)

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
PhaseId = Literal["phase_1", "phase_1_5", "phase_1_75", "phase_2_6"]
Unit = Literal["symbols", "dates"]
ActionKind = Literal[
    "retry", "retry_failed", "wait", "fix_rows", "check_key", "free_space", "contact_operator"
]


class Record(BaseModel):
    """A part of a document: these fields, and no others."""

    model_config = ConfigDict(extra="forbid")


class OverallProgress(Record):
    """How far the whole run is."""

    current_phase: PhaseId | None
    current_phase_name: str | None
    phases_completed: Annotated[int, Field(ge=0, le=4)]
    phases_total: Literal[4]
    percent_complete: Annotated[int, Field(ge=0, le=100)]
    percent: Percent
    percent_basis: Literal["none", "plan", "plan+history"]


class CurrentPhaseProgress(Record):
    """How far the phase at work is: committed units."""

    current: Count
    total: Count
    unit: Unit


class LogEntry(Record):
    """One entry of the activity log."""

    timestamp: datetime
    message: str
    level: Literal["info", "warning", "error"]
    seq: Count
    code: str
    phase_id: PhaseId | None


class Waiting(Record):
    """What a phase waits for, and until when."""

    for_: Annotated[Literal["provider"], Field(alias="for")]
    until: datetime


class PhaseRecord(Record):
    """One of the four phases."""

    phase_id: PhaseId
    phase_name: str
    status: Literal["pending", "running", "completed", "failed"]
    current: Count
    total: Count | None
    unit: Unit
    duration_seconds: Annotated[float, Field(ge=0)] | None
    ok: Count
    failed: Count
    skipped: Count
    cached: Count
    weight: Share | None
    outcome: Outcome | None
    reason: str | None
    started_at: datetime | None
    ended_at: datetime | None
    now: str | None
    waiting: Waiting | None
    summary: str | None


class EtaRecord(Record):
    """The remaining time: seconds from `as_of` on, with an 80 % range."""

    seconds: Count
    low: Count
    high: Count
    basis: EtaBasis
    runs: Count
    reason: EtaReason | None
    text: str
    as_of: datetime


class Action(Record):
    """What can be done. href: where to POST for it, null where nothing is to be sent."""

    kind: ActionKind
    label: str
    href: str | None


class SymbolRecord(Record):
    """A symbol that did not simply succeed."""

    symbol: str
    outcome: Literal["partial", "renamed", "delisted", "unknown", "rate_limited", "unsupported", "manual"]
    reason: str
    effect: str
    share_of_value: float | None
    retry_at: datetime | None
    action: Action | None


class WarningRecord(Record):
    """What is missing, in a sentence."""

    code: str
    subject: str
    detail: str
    retryable: bool
    action: Action | None


class FailureRecord(Record):
    """Why an attempt failed."""

    code: FailureCode
    title: str
    detail: str
    phase_id: PhaseId
    retryable: bool
    retry_at: datetime | None
    action: Action
    error_id: UUID | None


class Usable(Record):
    """What the results can show now, and what will come."""

    now: list[str]
    later: list[str]


class LogState(Record):
    """Where the log's cursor stands."""

    last_seq: Count
    total: Count
    truncated: bool


class StartsIn(Record):
    """Seconds until a waiting run begins."""

    low: Count
    high: Count


class Queue(Record):
    """A waiting run among its owner's own."""

    position: Annotated[int, Field(ge=1)]
    starts_in: StartsIn | None
    reason: Literal["workers_busy", "own_limit", "no_worker"]


class HonestyRecord(Record):
    """How far what was shown lay from what came true: M1 to M10 of docs/honesty.md."""

    seconds: float
    m1: float
    m2: float
    m3: Count
    m4: float
    m5: float
    m6: float
    m7: float | None
    m7_p90: float | None
    m8: float | None
    m9: float | None
    m10_stalled: float | None
    m10_interrupted: float | None
    text: str


class StatusDocument(Record):
    """The status resource of a portfolio's onboarding, or of one run."""

    portfolio_id: UUID
    status: Literal["running", "completed", "failed", "not_found"]
    started_at: datetime | None
    elapsed_seconds: Count
    overall_progress: OverallProgress
    current_phase_progress: CurrentPhaseProgress | None
    activity_log: Annotated[list[LogEntry], Field(max_length=50)]
    phases: Annotated[list[PhaseRecord], Field(min_length=4, max_length=4)]
    run_id: UUID | None
    kind: Literal["onboarding", "repair", "nightly"] | None
    attempt: Annotated[int, Field(ge=1)] | None
    resumes: Count | None
    trigger: Trigger | None
    state: RunState | None
    conclusion: Conclusion | None
    created_at: datetime | None
    work_started_at: datetime | None
    updated_at: datetime | None
    last_progress_at: datetime | None
    finished_at: datetime | None
    heartbeat_at: datetime | None
    seq: Count
    eta: EtaRecord | None
    symbols: list[SymbolRecord]
    symbol_counts: dict[str, Count]
    warnings: list[WarningRecord]
    warnings_total: Count
    failure: FailureRecord | None
    queue: Queue | None
    stalled: bool
    stalled_since: datetime | None
    stalled_reason: StallReason | None
    data_as_of: date | None
    completeness: Share | None
    usable: Usable
    log: LogState
    poll_after_ms: Annotated[int, Field(ge=2000, le=10000)] | None
    honesty: HonestyRecord | None
    links: dict[str, str]


_MOMENT = "2026-01-09T21:00:00.000Z"
_RUN = "/api/v1/runs/0c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f"


def _phase(number: str, name: str, unit: str, **changes: Any) -> dict[str, Any]:
    return {
        "phase_id": number,
        "phase_name": name,
        "status": "pending",
        "current": 0,
        "total": 254 if unit == "dates" else 30,
        "unit": unit,
        "duration_seconds": None,
        "ok": 0,
        "failed": 0,
        "skipped": 0,
        "cached": 0,
        "weight": 0.01,
        "outcome": None,
        "reason": None,
        "started_at": None,
        "ended_at": None,
        "now": None,
        "waiting": None,
        "summary": None,
    } | changes


# A run at work, as it is sent; a test sends it through the model above.
EXAMPLE: dict[str, Any] = {
    "portfolio_id": "4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10",
    "status": "running",
    "started_at": _MOMENT,
    "elapsed_seconds": 14,
    "overall_progress": {
        "current_phase": "phase_1",
        "current_phase_name": "Market Data Collection",
        "phases_completed": 0,
        "phases_total": 4,
        "percent_complete": 31,
        "percent": 31.42,
        "percent_basis": "plan+history",
    },
    "current_phase_progress": {"current": 12, "total": 30, "unit": "symbols"},
    "activity_log": [
        {
            "timestamp": _MOMENT,
            "message": "Fetched prices for 10 of 30 symbols.",
            "level": "info",
            "seq": 9,
            "code": "SYMBOL_PROGRESS",
            "phase_id": "phase_1",
        }
    ],
    "phases": [
        _phase(
            "phase_1",
            "Market Data Collection",
            "symbols",
            status="running",
            current=12,
            ok=8,
            cached=4,
            weight=0.97,
            started_at=_MOMENT,
            now="KO",
        ),
        _phase("phase_1_5", "Factor Analysis", "symbols"),
        _phase("phase_1_75", "Symbol Metrics", "symbols"),
        _phase("phase_2_6", "Portfolio Snapshots & Analytics", "dates"),
    ],
    "run_id": _RUN.rpartition("/")[2],
    "kind": "onboarding",
    "attempt": 1,
    "resumes": 0,
    "trigger": "user",
    "state": "running",
    "conclusion": None,
    "created_at": _MOMENT,
    "work_started_at": _MOMENT,
    "updated_at": _MOMENT,
    "last_progress_at": _MOMENT,
    "finished_at": None,
    "heartbeat_at": _MOMENT,
    "seq": 9,
    "eta": {
        "seconds": 31,
        "low": 24,
        "high": 44,
        "basis": "history",
        "runs": 5,
        "reason": None,
        "text": "about 30 s, from the last 5 runs",
        "as_of": _MOMENT,
    },
    "symbols": [],
    "symbol_counts": {"ok": 8, "cached": 4},
    "warnings": [],
    "warnings_total": 0,
    "failure": None,
    "queue": None,
    "stalled": False,
    "stalled_since": None,
    "stalled_reason": None,
    "data_as_of": None,
    "completeness": None,
    "usable": {"now": [], "later": ["value", "allocation", "history", "risk", "factors", "metrics"]},
    "log": {"last_seq": 9, "total": 9, "truncated": False},
    "poll_after_ms": 2000,
    "honesty": None,
    "links": {
        "self": "/api/v1/onboarding/status/4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10",
        "run": _RUN,
        "events": "/api/v1/onboarding/status/4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10/events",
        "log": f"{_RUN}/log",
        "download": "/api/v1/onboarding/status/4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10/logs",
        "cancel": f"{_RUN}/cancel",
    },
}


def components() -> dict[str, Any]:
    """The document and its parts as components of the published description, with the example."""
    made = StatusDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: dict[str, Any] = made.pop("$defs")
    return {**parts, StatusDocument.__name__: {**made, "example": EXAMPLE}}
