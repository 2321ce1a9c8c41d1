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
    Eta,
    EtaBasis,
    FailureCode,
    Outcome,
    PhaseProgress,
    PhaseStatus,
    Run,
    RunState,
    RunStatus,
    StallReason,
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


def never() -> dict[str, Any]:
    """The whole document of a portfolio without a run, as it is sent."""
    body = fold.encode(fold.never_onboarded(ID, NAMES))
    sent: dict[str, Any] = json.loads(fold.splice(body, elapsed_seconds=0, heartbeat_at=None, queue=None))
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
    assert set(doc["links"]) == {"self", "run", "events", "log", "download", "result"}


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
    assert failure["retry_at"] is None


def test_never_onboarded_is_whole_and_empty() -> None:
    """S4: a client that maps over the arrays never breaks."""
    doc = never()
    check(doc)
    assert doc["links"]["start"] == f"/api/v1/portfolios/{ID}/runs"


def test_never_onboarded_has_every_field_that_a_run_has() -> None:
    assert set(never()) == set(document())
    assert set(never()["phases"][0]) == set(document()["phases"][0])


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
            "retry_at": None,
            "action": {"kind": "fix_rows", "label": "Check the symbol in your file.", "href": None},
        }
    ]
    assert doc["warnings"] == [
        {
            "code": "NOT_FOUND",
            "subject": "ZZZQ",
            "detail": "ZZZQ: the price source does not know it. It is left out of values and factor results.",
            "retryable": False,
            "action": {"kind": "fix_rows", "label": "Check the symbol in your file.", "href": None},
        }
    ]
    assert doc["symbol_counts"] == {"ok": 0, "cached": 0, "unknown": 1}
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


class TestWhatIsTrueBesideTheFourWords:
    """S4, B4: the whole truth stands beside the word."""

    def test_a_wait_for_the_provider_is_told_with_its_end(self) -> None:
        until = NOW + timedelta(seconds=34)
        doc = document(
            replace(RUN, state=RunState.WAITING, waiting_until=until), at_phase(0, PhaseStatus.RUNNING)
        )
        assert (doc["status"], doc["state"]) == ("running", "waiting")
        assert doc["phases"][0]["waiting"] == {"for": "provider", "until": "2022-12-29T12:00:34.000Z"}
        assert [phase["waiting"] for phase in doc["phases"][1:]] == [None] * 3

    @pytest.mark.parametrize(
        ("state", "left", "hint"),
        [
            (RunState.RUNNING, None, 2000),
            (RunState.QUEUED, None, 4000),
            (RunState.WAITING, 1, 2000),
            (RunState.WAITING, 7, 7000),
            (RunState.WAITING, 3000, 10000),
            (RunState.ENDED, None, None),
        ],
    )
    def test_the_polling_hint_follows_the_wait(
        self, state: RunState, left: float | None, hint: int | None
    ) -> None:
        """S19: never below two seconds, up to ten while waiting."""
        until = None if left is None else NOW + timedelta(seconds=left)
        assert fold.poll_after_ms(state, NOW, until) == hint

    def test_a_stalled_run_says_since_when_and_at_what(self) -> None:
        doc = document(replace(RUN, stalled_since=NOW, stalled_reason=StallReason.COMPUTING))
        assert (doc["status"], doc["stalled"]) == ("running", True)
        assert (doc["stalled_since"], doc["stalled_reason"]) == ("2022-12-29T12:00:00.000Z", "computing")

    @pytest.mark.parametrize("state", [RunState.INTERRUPTED, RunState.CANCELLING, RunState.ENDED])
    def test_no_remaining_time_is_told_while_nobody_works_towards_the_end(self, state: RunState) -> None:
        told = Eta(30, 20, 40, EtaBasis.HISTORY, 3, NOW)
        conclusion = Conclusion.SUCCESS if state is RunState.ENDED else None
        assert document(replace(RUN, eta=told))["eta"]["seconds"] == 30
        assert document(replace(RUN, eta=told, state=state, conclusion=conclusion))["eta"] is None

    def test_a_run_that_is_being_cancelled_cannot_be_cancelled_again(self) -> None:
        assert "cancel" in document()["links"]
        assert "cancel" not in document(replace(RUN, state=RunState.CANCELLING))["links"]

    def test_a_failure_that_no_retry_can_mend_offers_none(self) -> None:
        run = replace(
            RUN,
            state=RunState.ENDED,
            conclusion=Conclusion.FAILURE,
            failure_code=FailureCode.PORTFOLIO_DELETED,
            failure_phase="market_data",
            ended_at=NOW,
        )
        assert "retry" not in document(run, at_phase(0, PhaseStatus.FAILED, Outcome.FAILED))["links"]

    def test_symbols_that_may_come_another_time_can_be_asked_for_again(self) -> None:
        run = replace(RUN, state=RunState.ENDED, conclusion=Conclusion.SUCCESS_WITH_WARNINGS, ended_at=NOW)
        later = NOW + timedelta(hours=1)
        limited = SymbolOutcome("ABC", "rate_limited", "rate_limited", 0.1, later)
        doc = document(run, DONE, symbols=(limited,))
        assert doc["links"]["retry_failed"] == f"/api/v1/runs/{ID}/retry"
        assert doc["symbols"][0]["retry_at"] == "2022-12-29T13:00:00.000Z"
        assert doc["symbols"][0]["action"]["href"] == doc["links"]["retry_failed"]
        unknown = SymbolOutcome("ZZZQ", "unknown", "not_found", 0.1)
        assert "retry_failed" not in document(run, DONE, symbols=(unknown,))["links"]

    def test_what_the_results_can_show_is_named_before_it_is_there(self) -> None:
        assert document()["usable"]["now"] == []
        assert document(replace(RUN, results_before=True))["usable"]["later"] == []
        run = replace(RUN, state=RunState.ENDED, conclusion=Conclusion.SUCCESS, ended_at=NOW)
        assert "value" in document(run, DONE)["usable"]["now"]

    def test_a_settled_phase_is_summed_up(self) -> None:
        done = replace(DONE[0], cached=26, ok=44)
        assert document(phases=(done, *PENDING[1:]))["phases"][0]["summary"] == (
            "70 of 70 symbols, 26 of them stored before, 0.0 s"
        )
        assert document()["phases"][0]["summary"] is None


@pytest.mark.parametrize(
    ("began", "end", "now", "shown"),
    [
        (0.0, None, 2.4, 2),
        (0.9, None, 2.4, 1),
        (0.0, 2.4, 9.0, 3),
        (0.0, 2.0, 9.0, 2),
        (0.0, 0.0, 9.0, 0),
    ],
)
def test_elapsed_counts_full_seconds_and_at_the_end_the_one_begun(
    began: float, end: float | None, now: float, shown: int
) -> None:
    """S5: a look between the stamp of the end and its commit never shows more than the end does."""
    moments = [None if t is None else NOW + timedelta(seconds=t) for t in (began, end, now)]
    assert moments[0] is not None
    assert moments[2] is not None
    assert fold.elapsed_seconds(moments[0], moments[1], moments[2]) == shown
