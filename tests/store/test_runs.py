"""A run's rows: one active run of a portfolio, the fence, the log, the document, attempts kept."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from glassfolio.batch.pipeline import NAMES
from glassfolio.db.engine import Database
from glassfolio.errors import Superseded
from glassfolio.model.run import Conclusion, FailureCode, Outcome, PhaseStatus, RunState, SymbolOutcome
from glassfolio.store import chunks, rows, runs
from tests.store.rows import NOW, TOTALS, add_portfolio, later, open_run


def turn(connection: sa.Connection, run_id: str, fence: int | None = 0, seconds: float = 1) -> runs.Turn:
    return runs.Turn(connection, run_id, fence, NAMES, later(seconds))


def document(connection: sa.Connection, run_id: str, owner_id: str, attempt: int | None = None) -> Any:
    shown = rows.document_of(connection, run_id, owner_id, attempt)
    assert shown is not None
    assert shown.body is not None
    return json.loads(shown.body + b"}")


def test_a_portfolio_has_one_active_run(database: Database) -> None:
    """I4; and the refused start leaves nothing behind."""
    with database.transaction() as connection:
        item = add_portfolio(connection)
        run_id = open_run(connection, item)
    with pytest.raises(IntegrityError), database.transaction() as connection:
        open_run(connection, item)
    with database.transaction() as connection:
        active = rows.active(connection, item.id)
        assert active is not None
        assert active.id == run_id
        with turn(connection, run_id) as ending:
            ending.end(Conclusion.SUCCESS)
        assert rows.active(connection, item.id) is None
        assert open_run(connection, item, 5) != run_id


def test_a_run_is_bound_and_shown_from_its_first_moment(database: Database) -> None:
    """S12, S9: four pending phases, totals known, a log line, a document."""
    with database.transaction() as connection:
        item = add_portfolio(connection)
        run_id = open_run(connection, item)
        shown = rows.shown(connection, item.id, item.owner_id)
        doc = document(connection, run_id, item.owner_id)
    assert shown is not None
    assert (shown.run_id, shown.seq, shown.state) == (run_id, 1, RunState.QUEUED)
    assert [(p["status"], p["total"]) for p in doc["phases"]] == [
        ("pending", TOTALS[name.unit]) for name in NAMES
    ]
    assert [entry["code"] for entry in doc["activity_log"]] == ["RUN_QUEUED"]


def test_a_document_is_shown_to_its_owner_only(database: Database) -> None:
    with database.transaction() as connection:
        item, other = add_portfolio(connection), add_portfolio(connection, "bob")
        run_id = open_run(connection, item)
        assert rows.shown(connection, item.id, other.owner_id) is None
        assert rows.document_of(connection, run_id, other.owner_id) is None
        assert rows.owned(connection, run_id, other.owner_id) is None


class TestFence:
    def test_an_older_hand_over_writes_nothing(self, database: Database) -> None:
        """I5: a stale worker's write is fenced; no row changes."""
        with database.transaction() as connection:
            run_id = open_run(connection, add_portfolio(connection))
            with turn(connection, run_id) as moved:
                moved.change(fence=1)
        with pytest.raises(Superseded), database.transaction() as connection:
            turn(connection, run_id, 0)
        with database.transaction() as connection, turn(connection, run_id, 1) as ours:
            assert ours.row["fence"] == 1

    def test_an_ended_run_takes_no_more(self, database: Database) -> None:
        with database.transaction() as connection:
            run_id = open_run(connection, add_portfolio(connection))
            with turn(connection, run_id) as ending:
                ending.end(Conclusion.SUCCESS)
        for fence in (0, None):
            with pytest.raises(Superseded), database.transaction() as connection:
                turn(connection, run_id, fence)

    def test_a_turn_that_raises_leaves_no_trace(self, database: Database) -> None:
        with database.transaction() as connection:
            item = add_portfolio(connection)
            run_id = open_run(connection, item)

        def fails() -> None:
            with database.transaction() as connection, turn(connection, run_id) as moving:
                moving.say("RUN_INTERRUPTED")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fails()
        with database.reading() as connection:
            assert len(rows.log(connection, run_id, None)) == 1
            assert document(connection, run_id, item.owner_id)["seq"] == 1


class TestLogAndVersion:
    def test_every_change_raises_the_version_and_every_line_has_its_own_number(
        self, database: Database
    ) -> None:
        """I2: the version strictly increases."""
        with database.transaction() as connection:
            item = add_portfolio(connection)
            run_id = open_run(connection, item)
            versions = [1]
            for lines in (0, 1, 3, 0):
                with turn(connection, run_id) as moving:
                    for _ in range(lines):
                        moving.say("RUN_INTERRUPTED")
                versions.append(document(connection, run_id, item.owner_id)["seq"])
            log = rows.log(connection, run_id, None)
        assert versions == [1, 2, 3, 6, 7]
        assert [entry.seq for entry in log] == [1, 3, 4, 5, 6]

    def test_a_clock_that_is_behind_does_not_turn_the_log_back(self, database: Database) -> None:
        with database.transaction() as connection:
            run_id = open_run(connection, add_portfolio(connection), 10)
            for seconds in (20, 5, 21):
                with turn(connection, run_id, seconds=seconds) as moving:
                    moving.say("RUN_INTERRUPTED")
            moments = [entry.at for entry in rows.log(connection, run_id, None)]
        assert moments == [later(10), later(20), later(20), later(21)]

    def test_the_feed_is_the_newest_fifty_and_says_that_there_is_more(self, database: Database) -> None:
        """S8."""
        with database.transaction() as connection:
            item = add_portfolio(connection)
            run_id = open_run(connection, item)
            with turn(connection, run_id) as moving:
                for number in range(60):
                    moving.say("DATE_PROGRESS", "snapshots", date="2022-12-28", count=number, total=70)
            doc = document(connection, run_id, item.owner_id)
            log = rows.log(connection, run_id, None)
        assert len(log) == 61
        assert [entry["seq"] for entry in doc["activity_log"]] == list(range(12, 62))
        assert doc["log"] == {"last_seq": 61, "total": 61, "truncated": True}

    def test_a_symbol_is_named_once_in_an_attempt(self, database: Database) -> None:
        with database.transaction() as connection:
            item = add_portfolio(connection)
            run_id = open_run(connection, item)
            with turn(connection, run_id) as moving:
                moving.add_outcomes([SymbolOutcome("A", "unknown", "not_found")])
                moving.add_outcomes([SymbolOutcome("A", "unknown", "not_found", 0.25)])
            assert rows.outcome_count(connection, run_id, 1) == 1
            assert rows.outcomes(connection, run_id, 1) == (SymbolOutcome("A", "unknown", "not_found", 0.25),)


class TestEnding:
    @pytest.mark.parametrize(
        ("conclusion", "code", "outcome"),
        [
            (Conclusion.FAILURE, FailureCode.INTERNAL_ERROR, Outcome.FAILED),
            (Conclusion.CANCELLED, FailureCode.CANCELLED_BY_OWNER, Outcome.CANCELLED),
        ],
    )
    @pytest.mark.parametrize("at", range(4))
    def test_no_phase_stays_running_whenever_it_ends(
        self, database: Database, conclusion: Conclusion, code: FailureCode, outcome: Outcome, at: int
    ) -> None:
        """S15: fail in each phase in turn."""
        with database.transaction() as connection:
            run_id = open_run(connection, add_portfolio(connection))
            with turn(connection, run_id) as moving:
                for name in NAMES[:at]:
                    moving.set_phase(name.key, status="completed", outcome="ok", ended_at=NOW)
                moving.set_phase(NAMES[at].key, status="running", started_at=NOW)
            with turn(connection, run_id) as moving:
                moving.end(conclusion, code)
            found = rows.phases(connection, run_id, 1, {name.key: name for name in NAMES})
            run = rows.get(connection, run_id)
        assert [p.status for p in found] == [
            *[PhaseStatus.COMPLETED] * at,
            PhaseStatus.FAILED,
            *[PhaseStatus.PENDING] * (3 - at),
        ]
        assert found[at].outcome is outcome
        assert all(p.outcome is Outcome.NOT_RUN for p in found[at + 1 :])
        assert run is not None
        assert run.failure_phase == NAMES[at].key
        assert run.percent < 100

    def test_percent_is_100_only_at_success(self, database: Database) -> None:
        with database.transaction() as connection:
            item = add_portfolio(connection)
            run_id = open_run(connection, item)
            with turn(connection, run_id) as moving:
                moving.end(Conclusion.SUCCESS_WITH_WARNINGS)
            assert document(connection, run_id, item.owner_id)["overall_progress"]["percent"] == 100


class TestRetrying:
    def test_the_ended_attempt_stays_as_it_was(self, database: Database) -> None:
        """S14: earlier attempts, their phases and logs are kept."""
        with database.transaction() as connection:
            item = add_portfolio(connection)
            run_id = open_run(connection, item)
            with turn(connection, run_id) as moving:
                moving.end(Conclusion.FAILURE, FailureCode.PROVIDER_UNAVAILABLE)
                moving.say("RUN_FAILED", reason="r.", action="a.")
            before = document(connection, run_id, item.owner_id)
            begun = runs.retry(connection, run_id, NAMES, NOW.date(), TOTALS, later(9))
            assert begun == (2, 1)
            assert document(connection, run_id, item.owner_id, 1) == before
            doc = document(connection, run_id, item.owner_id)
        assert (doc["attempt"], doc["status"], doc["failure"]) == (2, "running", None)
        assert doc["overall_progress"]["percent_complete"] == 0
        assert doc["seq"] > before["seq"]
        assert [entry["code"] for entry in doc["activity_log"]] == ["RETRY_STARTED"]

    def test_a_run_at_work_cannot_be_retried(self, database: Database) -> None:
        with database.transaction() as connection:
            run_id = open_run(connection, add_portfolio(connection))
            assert runs.retry(connection, run_id, NAMES, NOW.date(), TOTALS, NOW) is None


def test_a_chunk_is_done_once(database: Database) -> None:
    """Nothing is counted twice after a take-over."""
    with database.transaction() as connection:
        run_id = open_run(connection, add_portfolio(connection))
        chunks.add(connection, run_id, 1, "snapshots", [(64, '{"dates":[]}'), (6, "{}")])
        assert chunks.left(connection, run_id, 1, "snapshots") == [0, 1]
        assert chunks.mark_done(connection, run_id, 1, "snapshots", 0, 0, NOW) is True
        assert chunks.mark_done(connection, run_id, 1, "snapshots", 0, 1, NOW) is False
        assert chunks.left(connection, run_id, 1, "snapshots") == [1]
        assert chunks.planned(connection, run_id, 1, "snapshots") == {
            0: ('{"dates":[]}', True),
            1: ("{}", False),
        }
        assert chunks.left(connection, run_id, 2, "snapshots") == []
