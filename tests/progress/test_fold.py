"""From a run's rows to the document its owner reads."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from glassfolio.batch.pipeline import NAMES
from glassfolio.model.messages import FAILURES
from glassfolio.model.run import (
    Activity,
    Conclusion,
    FailureCode,
    Outcome,
    PhaseProgress,
    PhaseStatus,
    Run,
    RunState,
    RunStatus,
    SymbolOutcome,
    Trigger,
)
from glassfolio.progress import fold
from tests.contracts.plain_client import check

NOW = datetime(2022, 12, 29, 12, 0, tzinfo=UTC)
ID = "4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10"
RUN = Run(
    id=ID,
    portfolio_id=ID,
    owner_id=ID,
    kind="onboarding",
    trigger=Trigger.CLI,
    triggered_by=ID,
    attempt=1,
    fence=0,
    resumes=0,
    state=RunState.RUNNING,
    seq=7,
    percent=12.99,
    started_at=NOW,
    updated_at=NOW,
    last_session=date(2022, 12, 28),
)
PENDING = tuple(PhaseProgress(name, PhaseStatus.PENDING, total=70) for name in NAMES)
DONE = tuple(
    replace(p, status=PhaseStatus.COMPLETED, outcome=Outcome.OK, ok=70, started_at=NOW, ended_at=NOW)
    for p in PENDING
)


def document(
    run: Run = RUN,
    phases: tuple[PhaseProgress, ...] = PENDING,
    feed: tuple[Activity, ...] = (),
    symbols: tuple[SymbolOutcome, ...] = (),
) -> dict[str, Any]:
    """The whole document as it is sent."""
    body = fold.encode(fold.document(RunStatus(run, phases, feed, len(feed), symbols)))
    sent: dict[str, Any] = json.loads(fold.splice(body, elapsed_seconds=3, heartbeat_at=None, queue=None))
    return sent


def at_phase(index: int, status: PhaseStatus, outcome: Outcome | None = None) -> tuple[PhaseProgress, ...]:
    ended = None if status is PhaseStatus.RUNNING else NOW
    here = replace(
        PENDING[index], status=status, outcome=outcome, ok=5, at="AAPL", started_at=NOW, ended_at=ended
    )
    return (*DONE[:index], here, *PENDING[index + 1 :])


@pytest.mark.parametrize("state", [s for s in RunState if s is not RunState.ENDED])
def test_until_the_end_the_word_is_running(state: RunState) -> None:
    assert fold.wire_status(state, None) == "running"


@pytest.mark.parametrize(
    ("conclusion", "word"),
    [
        (Conclusion.SUCCESS, "completed"),
        (Conclusion.SUCCESS_WITH_WARNINGS, "completed"),
        (Conclusion.FAILURE, "failed"),
        (Conclusion.CANCELLED, "failed"),
        (None, "failed"),
    ],
)
def test_an_end_is_completed_only_with_a_success(conclusion: Conclusion | None, word: str) -> None:
    """An unknown truth is never "completed"."""
    assert fold.wire_status(RunState.ENDED, conclusion) == word


@pytest.mark.parametrize("index", range(4))
def test_the_current_phase_is_the_one_at_work(index: int) -> None:
    """S6, S7."""
    doc = document(phases=at_phase(index, PhaseStatus.RUNNING))
    check(doc)
    assert doc["overall_progress"]["current_phase"] == NAMES[index].wire_id
    assert doc["overall_progress"]["phases_completed"] == index
    assert doc["current_phase_progress"] == {"current": 5, "total": 70, "unit": NAMES[index].unit}
    assert doc["phases"][index]["now"] == "AAPL"


def test_while_queued_the_current_phase_is_the_first() -> None:
    doc = document(replace(RUN, state=RunState.QUEUED, percent=0.0))
    check(doc)
    assert doc["overall_progress"]["current_phase"] == "phase_1"
    assert doc["overall_progress"]["percent_basis"] == "none"


def test_after_completion_it_is_the_last_with_100_percent() -> None:
    run = replace(RUN, state=RunState.ENDED, conclusion=Conclusion.SUCCESS, ended_at=NOW)
    doc = document(run, DONE)
    check(doc)
    assert doc["overall_progress"] == {
        "current_phase": "phase_2_6",
        "current_phase_name": "Portfolio Snapshots & Analytics",
        "phases_completed": 4,
        "phases_total": 4,
        "percent_complete": 100,
        "percent": 100.0,
        "percent_basis": "none",
    }
    assert doc["poll_after_ms"] is None
    assert set(doc["links"]) == {"self", "run", "log", "download", "result"}


@pytest.mark.parametrize("index", range(4))
def test_after_a_failure_it_is_the_failing_one_with_its_percent_frozen(index: int) -> None:
    run = replace(
        RUN,
        state=RunState.ENDED,
        conclusion=Conclusion.FAILURE,
        failure_code=FailureCode.STORAGE_FULL,
        failure_phase=NAMES[index].key,
        ended_at=NOW,
    )
    doc = document(run, at_phase(index, PhaseStatus.FAILED, Outcome.FAILED))
    check(doc)
    assert doc["overall_progress"]["current_phase"] == NAMES[index].wire_id
    assert doc["overall_progress"]["percent_complete"] == 12
    assert doc["failure"]["phase_id"] == NAMES[index].wire_id
    assert "retry" in doc["links"]
    assert "cancel" not in doc["links"]


@pytest.mark.parametrize("code", FailureCode)
def test_every_failure_says_what_happened_and_what_to_do(code: FailureCode) -> None:
    text = FAILURES[code]
    assert text.reason.endswith(".")
    assert text.action.endswith(".")
    assert text.kind in {
        "retry",
        "retry_failed",
        "wait",
        "fix_rows",
        "check_key",
        "free_space",
        "contact_operator",
    }
    run = replace(
        RUN,
        state=RunState.ENDED,
        conclusion=Conclusion.FAILURE,
        failure_code=code,
        failure_phase="market_data",
        ended_at=NOW,
    )
    failure = document(run, at_phase(0, PhaseStatus.FAILED, Outcome.FAILED))["failure"]
    assert failure["code"] == code.value
    assert (failure["action"]["href"] is not None) == failure["retryable"]


def test_never_onboarded_is_whole_and_empty() -> None:
    """S4: a client that maps over the arrays never breaks."""
    doc = fold.never_onboarded(ID, NAMES)
    check(doc)
    assert doc["links"]["start"] == f"/api/v1/portfolios/{ID}/runs"


def test_never_onboarded_has_every_field_of_the_contract() -> None:
    doc = json.loads(fold.encode(fold.never_onboarded(ID, NAMES)) + b"}")
    assert {
        "portfolio_id",
        "status",
        "started_at",
        "elapsed_seconds",
        "overall_progress",
        "current_phase_progress",
        "activity_log",
        "phases",
    } <= set(doc)


def test_counts_of_a_phase_add_up_to_its_current() -> None:
    mixed = replace(
        PENDING[0], status=PhaseStatus.RUNNING, ok=3, failed=2, skipped=1, cached=4, started_at=NOW
    )
    told = document(phases=(mixed, *PENDING[1:]))["phases"][0]
    assert told["current"] == 10 == told["ok"] + told["failed"] + told["skipped"] + told["cached"]


def test_a_symbol_that_did_not_succeed_is_told_with_reason_effect_and_share() -> None:
    """Pitfall: failed symbols are never shown."""
    outcome = SymbolOutcome("ZZZQ", "unknown", "not_found", 0.0123)
    doc = document(symbols=(outcome,))
    assert doc["symbols"] == [
        {
            "symbol": "ZZZQ",
            "outcome": "unknown",
            "reason": "not_found",
            "effect": "It is left out of values and factor results.",
            "share_of_value": 0.0123,
        }
    ]
    assert doc["warnings"] == [{"code": "NOT_FOUND", "subject": "ZZZQ"}]
    assert doc["warnings_total"] == 1


def test_log_entries_carry_their_phase_by_its_wire_id() -> None:
    entry = Activity(3, NOW, "PHASE_STARTED", "symbol_metrics", {"phase": "Symbol Metrics"})
    (told,) = document(feed=(entry,))["activity_log"]
    assert told == {
        "timestamp": "2022-12-29T12:00:00.000Z",
        "message": "Symbol Metrics started.",
        "level": "info",
        "seq": 3,
        "code": "PHASE_STARTED",
        "phase_id": "phase_1_75",
    }


def test_what_moves_by_itself_is_spliced_in() -> None:
    body = fold.encode({"a": "ü"})
    whole = fold.splice(
        body, elapsed_seconds=7, heartbeat_at=NOW + timedelta(seconds=1), queue={"position": 1}
    )
    assert json.loads(whole) == {
        "a": "ü",
        "elapsed_seconds": 7,
        "heartbeat_at": "2022-12-29T12:00:01.000Z",
        "queue": {"position": 1},
    }


def test_a_number_that_is_none_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        fold.encode({"percent": float("nan")})
