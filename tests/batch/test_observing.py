"""The truth about death and silence: interrupted, stalled, given up; each as the tables have it (B1, S15)."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from glassfolio.batch.observing import DEADLINE_SECONDS, STALL_SECONDS, observe
from glassfolio.batch.pipeline import NAMES, PHASES
from glassfolio.batch.waiting import begin_wait
from glassfolio.db.tables import run, worker
from glassfolio.model.run import RunState
from glassfolio.store import chunks, runs
from tests.batch.workshop import START, Workshop, lot

LEASE = 12.0


@pytest.fixture
def at_work(workshop: Workshop) -> str:
    """A run that a living worker has begun."""
    run_id = workshop.open(lot("AAPL"), lot("KO", 1))[1]
    assert workshop.pipeline.claim(run_id, 0)
    with workshop.database.transaction() as connection:
        workshop.pipeline.enter(connection, run_id, 0, 0)
    beat(workshop, 0)
    return run_id


def beat(workshop: Workshop, seconds_ago: float) -> None:
    """The worker's last sign of life, by the database's clock."""
    epoch: sa.ColumnElement[float] = sa.literal_column(workshop.database.dialect.epoch)
    with workshop.database.transaction() as connection:
        connection.execute(sa.delete(worker))
        connection.execute(
            sa.insert(worker).values(id="here", beat=epoch - seconds_ago, version="v", started_at=START)
        )


def look(workshop: Workshop) -> None:
    with workshop.database.transaction() as connection:
        observe(connection, workshop.clock, LEASE, workshop.database.dialect.epoch)


def commit_one(workshop: Workshop, run_id: str) -> dict[str, Any]:
    task = workshop.pipeline.workplace.task(run_id)
    with workshop.database.reading() as connection:
        todo = chunks.left(connection, run_id, 1, "market_data")
    number, result = next(iter(workshop.pipeline.results(task, 0, PHASES[0], todo)))
    with workshop.database.transaction() as connection:
        assert workshop.pipeline.settle(connection, run_id, 0, 0, number, result)
    return workshop.document(run_id)


def wait_an_hour(workshop: Workshop, run_id: str) -> None:
    with (
        workshop.database.transaction() as connection,
        runs.Turn(connection, run_id, 0, NAMES, workshop.clock.now()) as turn,
    ):
        begin_wait(turn, workshop.clock.moment + timedelta(hours=1))


def pass_time(workshop: Workshop, seconds: float) -> None:
    workshop.clock.moment += timedelta(seconds=seconds)


class TestStalled:
    def test_alive_and_for_a_minute_no_unit_is_stalled_and_says_why(
        self, workshop: Workshop, at_work: str
    ) -> None:
        pass_time(workshop, STALL_SECONDS - 1)
        look(workshop)
        assert workshop.document(at_work)["stalled"] is False
        pass_time(workshop, 2)
        look(workshop)
        doc = workshop.document(at_work)
        assert (doc["status"], doc["state"], doc["stalled"]) == ("running", "running", True)
        assert doc["stalled_reason"] == "provider_silent"
        assert doc["stalled_since"] is not None
        assert workshop.messages(at_work, "RUN_STALLED") == ["No progress for 60 s; still alive."]

    def test_it_is_said_once(self, workshop: Workshop, at_work: str) -> None:
        pass_time(workshop, STALL_SECONDS + 1)
        for _ in range(3):
            look(workshop)
        assert workshop.codes(at_work).count("RUN_STALLED") == 1
        seq = workshop.document(at_work)["seq"]
        look(workshop)
        assert workshop.document(at_work)["seq"] == seq

    def test_the_next_unit_ends_it(self, workshop: Workshop, at_work: str) -> None:
        pass_time(workshop, STALL_SECONDS + 1)
        look(workshop)
        doc = commit_one(workshop, at_work)
        assert (doc["stalled"], doc["stalled_since"], doc["stalled_reason"]) == (False, None, None)

    def test_a_named_wait_is_no_stall(self, workshop: Workshop, at_work: str) -> None:
        wait_an_hour(workshop, at_work)
        pass_time(workshop, STALL_SECONDS * 5)
        look(workshop)
        doc = workshop.document(at_work)
        assert (doc["state"], doc["stalled"]) == ("waiting", False)

    def test_without_a_unit_for_hours_the_attempt_has_failed(self, workshop: Workshop, at_work: str) -> None:
        """S15: DEADLINE_EXCEEDED; no phase stays running."""
        pass_time(workshop, STALL_SECONDS + 1)
        look(workshop)
        pass_time(workshop, DEADLINE_SECONDS)
        look(workshop)
        doc = workshop.document(at_work)
        assert (doc["status"], doc["failure"]["code"]) == ("failed", "DEADLINE_EXCEEDED")
        assert [phase["status"] for phase in doc["phases"]] == ["failed", "pending", "pending", "pending"]
        assert workshop.pipeline.carry(at_work, 0) == "not ours"


class TestInterrupted:
    def test_missed_beats_are_told_with_the_percent_kept(self, workshop: Workshop, at_work: str) -> None:
        before = commit_one(workshop, at_work)
        beat(workshop, LEASE + 5)
        look(workshop)
        doc = workshop.document(at_work)
        assert (doc["status"], doc["state"]) == ("running", "interrupted")
        assert doc["overall_progress"] == before["overall_progress"]
        told = workshop.messages(at_work, "RUN_INTERRUPTED")
        assert told == ["The worker stopped; another one takes over."]

    def test_a_living_worker_is_left_alone(self, workshop: Workshop, at_work: str) -> None:
        beat(workshop, LEASE - 5)
        look(workshop)
        assert workshop.document(at_work)["state"] == "running"

    def test_a_worker_that_dies_while_its_run_waits_is_noticed(
        self, workshop: Workshop, at_work: str
    ) -> None:
        wait_an_hour(workshop, at_work)
        beat(workshop, LEASE + 1)
        look(workshop)
        doc = workshop.document(at_work)
        assert doc["state"] == "interrupted"
        assert doc["phases"][0]["waiting"] is None

    def test_how_old_the_last_beat_was_when_it_was_told_is_kept(
        self, workshop: Workshop, at_work: str
    ) -> None:
        """M10: at most 35 s with a lease of 12 s."""
        beat(workshop, LEASE + 5)
        look(workshop)
        workshop.pipeline.me = "another"
        assert workshop.carry(at_work)["status"] == "completed"
        told = workshop.document(at_work)["honesty"]["m10_interrupted"]
        assert LEASE + 5 <= told <= 35

    def test_a_take_over_says_where_it_goes_on_and_is_no_attempt(
        self, workshop: Workshop, at_work: str
    ) -> None:
        commit_one(workshop, at_work)
        workshop.pipeline.me = "another"
        doc = workshop.carry(at_work)
        assert (doc["attempt"], doc["resumes"], doc["conclusion"]) == (1, 1, "success")
        [said] = workshop.messages(at_work, "RUN_RESUMED")
        assert said.startswith("Continuing at ")

    def test_the_fourth_take_over_without_a_unit_is_the_last(self, workshop: Workshop, at_work: str) -> None:
        """INTERRUPTED_TOO_OFTEN."""
        claims = []
        for number in range(4):
            workshop.pipeline.me = f"worker-{number}"
            claims.append(workshop.pipeline.claim(at_work, 0))
        doc = workshop.document(at_work)
        assert claims == [True, True, True, False]
        assert (doc["status"], doc["failure"]["code"]) == ("failed", "INTERRUPTED_TOO_OFTEN")
        assert doc["resumes"] == 4

    def test_a_cancelled_run_whose_worker_is_gone_ends(self, workshop: Workshop, at_work: str) -> None:
        with workshop.database.transaction() as connection:
            connection.execute(sa.update(run).values(state=RunState.CANCELLING.value))
        beat(workshop, LEASE + 5)
        look(workshop)
        assert workshop.document(at_work)["conclusion"] == "cancelled"
