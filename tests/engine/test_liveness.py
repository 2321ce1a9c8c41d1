"""Who is taken for dead, and by whom: the heartbeat, the reaper, and the rule for one's own gaps."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from glassfolio.clock import SystemClock
from glassfolio.db.engine import Database
from glassfolio.db.tables import worker
from glassfolio.engine.app import VERSION, Dispatcher
from glassfolio.engine.liveness import BEATS_PER_LEASE, Liveness, Watch
from tests.engine.flows import alter, enqueue, order, wait_until

LEASE = 0.6


class Reaper(Liveness):
    """A worker's heartbeat that notes whom it would take over, and can be made slow."""

    def __init__(self, database: Database, lease: float = LEASE) -> None:
        self.taken: list[list[str]] = []
        self.beats = 0
        self.gap = 0.0
        self._pause = threading.Event()
        super().__init__(database, "me", lease, self.taken.append, SystemClock().now(), VERSION)

    def beat(self) -> None:
        """Beat, late when told so: as if the process had been stopped meanwhile."""
        if self.gap:
            self._pause.wait(self.gap)
        super().beat()
        self.beats += 1


@contextmanager
def beating(reaper: Reaper) -> Iterator[Reaper]:
    reaper.start()
    try:
        yield reaper
    finally:
        reaper.stop()


def leave_pending(database: Database, dispatcher: Dispatcher, name: str, executor: str) -> None:
    """A flow that an executor was running."""
    enqueue(database, dispatcher, order(name))
    alter(database, name, status="PENDING", executor_id=executor, application_version=VERSION)


def set_beat(database: Database, executor: str, seconds_ago: float) -> None:
    """A peer that beat some time ago, by the database's clock."""
    beat: sa.ColumnElement[float] = sa.literal_column(f"{database.dialect.epoch} - {seconds_ago}")
    with database.transaction() as connection:
        values = {"id": executor, "beat": beat, "version": VERSION, "started_at": SystemClock().now()}
        connection.execute(sa.insert(worker).values(**values))


def workers(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(connection.execute(sa.select(worker.c.id)).scalars())


def test_those_who_stopped_beating_are_taken_over_and_nobody_else(
    database: Database, dispatcher: Dispatcher
) -> None:
    set_beat(database, "late", LEASE * 10)
    set_beat(database, "alive", -3600.0)
    set_beat(database, "idle", LEASE * 10)
    for executor in ("late", "alive", "never seen", "me"):
        leave_pending(database, dispatcher, f"of {executor}", executor)
    with beating(Reaper(database)) as reaper:
        wait_until(lambda: len(reaper.taken) >= 2)
    assert reaper.taken[:2] == [["late", "never seen"]] * 2


def test_a_worker_that_was_itself_stopped_does_not_judge_others_for_a_lease(
    database: Database, dispatcher: Dispatcher
) -> None:
    leave_pending(database, dispatcher, "left", "gone")
    reaper = Reaper(database)
    reaper.gap = LEASE * 0.75
    with beating(reaper):
        wait_until(lambda: reaper.beats > 4)
        assert reaper.taken == []
        reaper.gap = 0.0
        wait_until(lambda: reaper.taken != [])
    assert reaper.taken[0] == ["gone"]


def test_a_newcomer_watches_for_a_lease_before_it_judges(database: Database, dispatcher: Dispatcher) -> None:
    leave_pending(database, dispatcher, "left", "gone")
    beats_at_first: list[int] = []
    reaper = Reaper(database)
    with beating(reaper):
        wait_until(lambda: reaper.taken != [])
        beats_at_first.append(reaper.beats)
    assert beats_at_first[0] >= BEATS_PER_LEASE


def test_a_worker_is_there_from_its_making_until_it_leaves(database: Database) -> None:
    """Its first beat comes before it takes any flow, and who leaves may be followed at once."""
    reaper = Reaper(database)
    assert workers(database) == {"me"}
    set_beat(database, "of last week", 7 * 86_400.0)
    set_beat(database, "of this minute", 60.0)
    with beating(reaper):
        pass
    assert workers(database) == {"of this minute"}


def test_a_heartbeat_survives_a_failing_take_over(
    database: Database, dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    leave_pending(database, dispatcher, "left", "gone")
    tried: list[list[str]] = []

    def fail(dead: list[str]) -> None:
        tried.append(dead)
        raise ConnectionError

    liveness = Liveness(database, "me", LEASE, fail, SystemClock().now(), VERSION)
    liveness.start()
    try:
        wait_until(lambda: len(tried) >= 3)
    finally:
        liveness.stop()
    assert "liveness" in caplog.text


def test_a_watch_looks_again_after_a_look_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    looks: list[int] = []

    def look() -> None:
        looks.append(len(looks))
        if len(looks) == 1:
            raise ConnectionError

    watch = Watch("observer", 0.01, look)
    watch.start()
    try:
        wait_until(lambda: len(looks) >= 3)
    finally:
        watch.stop()
    assert "observer" in caplog.text
