"""What got lost between our tables and the engine's is handed over once, whoever finds it (B1)."""

import threading

import pytest
import sqlalchemy as sa

from glassfolio.clock import SystemClock
from glassfolio.db.engine import Database
from glassfolio.db.tables import worker
from glassfolio.engine.app import VERSION, Dispatcher, Order
from glassfolio.engine.reconcile import Reconciler, Statements, Wanted
from tests.engine.flows import QUEUE, alter, enqueue, statuses

OLD = "flow-0"
metadata = sa.MetaData()
errand = sa.Table(
    "errand",
    metadata,
    sa.Column("key", sa.String(20), primary_key=True),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("errors", sa.Integer, nullable=False),
)


def order(key: str, fence: int) -> Order:
    return Order("count", f"{key}:{fence}", QUEUE.name, "somebody", 10, (key, fence))


def wanted(connection: sa.Connection) -> list[Wanted]:
    rows = connection.execute(sa.select(errand).order_by(errand.c.key))
    return [Wanted(row.key, row.fence, f"{row.key}:{row.fence}") for row in rows]


def hand_over(connection: sa.Connection, item: Wanted, came_to_grief: bool) -> Order | None:
    raised = connection.execute(
        sa.update(errand)
        .where(errand.c.key == item.key, errand.c.fence == item.fence)
        .values(fence=item.fence + 1, errors=errand.c.errors + int(came_to_grief))
    )
    return order(item.key, item.fence + 1) if raised.rowcount else None


def reconciler(database: Database, dispatcher: Dispatcher, *under_way: str) -> Reconciler:
    return Reconciler(
        database, dispatcher, Statements(wanted, hand_over), "me", lambda name: name in under_way
    )


@pytest.fixture
def errands(database: Database, dispatcher: Dispatcher) -> list[str]:
    """Work that has not ended, each with its flow ordered."""
    metadata.create_all(database.engine)
    keys = ["a", "b", "c"]
    with database.transaction() as connection:
        connection.execute(sa.insert(errand), [{"key": key, "fence": 0, "errors": 0} for key in keys])
    enqueue(database, dispatcher, *(order(key, 0) for key in keys))
    return keys


def test_what_waits_and_what_is_at_work_is_left_alone(
    database: Database, dispatcher: Dispatcher, errands: list[str]
) -> None:
    alter(database, "a:0", status="PENDING", executor_id="peer", application_version=VERSION)
    alter(database, "b:0", status="PENDING", executor_id="me", application_version=VERSION)
    at_work = reconciler(database, dispatcher, "b:0")
    assert [at_work.reconcile() for _ in range(3)] == [[], [], []]
    assert set(statuses(database)) == {"a:0", "b:0", "c:0"}


def test_work_that_the_engine_has_never_heard_of_is_ordered_again(
    database: Database, dispatcher: Dispatcher, errands: list[str]
) -> None:
    with database.transaction() as connection:
        connection.execute(sa.insert(errand).values(key="lost", fence=4, errors=0))
    at_work = reconciler(database, dispatcher)
    assert at_work.reconcile() == ["lost"]
    assert at_work.reconcile() == []
    assert statuses(database)["lost:5"] == "ENQUEUED"


@pytest.mark.parametrize(
    ("status", "errors"),
    [("SUCCESS", 0), ("CANCELLED", 0), ("ERROR", 1), ("MAX_RECOVERY_ATTEMPTS_EXCEEDED", 1)],
)
def test_a_flow_that_ended_without_its_work_is_followed_by_another(
    database: Database, dispatcher: Dispatcher, errands: list[str], status: str, errors: int
) -> None:
    alter(database, "b:0", status=status)
    assert reconciler(database, dispatcher).reconcile() == ["b"]
    assert statuses(database)["b:1"] == "ENQUEUED"
    with database.reading() as connection:
        counted = connection.execute(sa.select(errand.c.errors).where(errand.c.key == "b")).scalar_one()
    assert counted == errors


def test_two_that_race_hand_over_once(database: Database, dispatcher: Dispatcher, errands: list[str]) -> None:
    for key in errands:
        alter(database, f"{key}:0", status="ERROR")
    start = threading.Barrier(4)
    moved: list[str] = []

    def race() -> None:
        at_work = reconciler(database, dispatcher)
        start.wait(20)
        moved.extend(at_work.reconcile())

    racers = [threading.Thread(target=race) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert sorted(moved) == errands
    assert sorted(name for name, status in statuses(database).items() if status == "ENQUEUED") == [
        f"{key}:1" for key in errands
    ]


def test_a_crash_between_cancelling_and_handing_over_is_made_good_by_the_next_pass(
    database: Database, dispatcher: Dispatcher, errands: list[str]
) -> None:
    alter(database, "a:0", status="ERROR")

    def crash(connection: sa.Connection, item: Wanted, came_to_grief: bool) -> Order | None:
        raise ConnectionError

    dying = Reconciler(database, dispatcher, Statements(wanted, crash), "me", lambda name: False)
    with pytest.raises(ConnectionError):
        dying.reconcile()
    assert reconciler(database, dispatcher).reconcile() == ["a"]
    assert statuses(database)["a:1"] == "ENQUEUED"


def test_a_flow_that_this_process_has_dropped_is_handed_over_when_seen_twice(
    database: Database, dispatcher: Dispatcher, errands: list[str]
) -> None:
    alter(database, "c:0", status="PENDING", executor_id="me", application_version=VERSION)
    at_work = reconciler(database, dispatcher)
    assert at_work.reconcile() == []
    assert at_work.reconcile() == ["c"]
    assert statuses(database)["c:0"] == "CANCELLED"


@pytest.mark.parametrize(
    ("beat_ago", "moved"),
    [(0.0, []), (3600.0, ["a"]), (None, ["a"])],
    ids=["its worker lives", "its worker is long dead", "no such worker"],
)
def test_an_older_version_waits_for_its_own_workers_as_long_as_they_live(
    database: Database, dispatcher: Dispatcher, errands: list[str], beat_ago: float | None, moved: list[str]
) -> None:
    alter(database, "a:0", status="PENDING", executor_id="old", application_version=OLD)
    if beat_ago is not None:
        beat: sa.ColumnElement[float] = sa.literal_column(f"{database.dialect.epoch} - {beat_ago}")
        with database.transaction() as connection:
            connection.execute(
                sa.insert(worker).values(id="old", beat=beat, version=OLD, started_at=SystemClock().now())
            )
    assert reconciler(database, dispatcher).reconcile() == moved
