"""A flow that counts, on any database: each step adds one, so that a step done twice would show."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from dbos import DBOS

from glassfolio.db.engine import Database
from glassfolio.engine.app import Dispatcher, Engine, Order, Queue, new_executor_id

QUEUE = Queue("counting", worker_concurrency=4, polling_seconds=0.02, partition_concurrency=4)
STEPS = 3
PATIENCE_SECONDS = 20.0

metadata = sa.MetaData()
tally = sa.Table(
    "tally", metadata, sa.Column("name", sa.String(80), primary_key=True), sa.Column("n", sa.Integer)
)


class StepFailed(Exception):
    """What a step raises on purpose; rebuilt from its arguments."""


class Counting:
    """The flow `count`: STEPS times add one under the name it was given.

    wall: every step after the first waits here, so that a test can act in the middle.
    """

    def __init__(self, engine: Engine) -> None:
        self.wall, self.reached = threading.Event(), threading.Event()
        self.calls: list[str] = []
        self.caught: list[tuple[object, ...]] = []
        self._add = engine.atomic(self.add)
        self._spoil = engine.atomic(self.spoil)

        def count(name: str, steps: int) -> str:
            for step in range(steps):
                if step:
                    self.reached.set()
                    self.wall.wait(PATIENCE_SECONDS)
                self._add(name)
            return "counted"

        def fail(name: str) -> str:
            try:
                self._spoil(name)
            except StepFailed as failed:
                self.caught.append(failed.args)
                return "failed as told"
            return "did not fail"

        engine.flow("count", count)
        engine.flow("fail", fail)

    def add(self, connection: sa.Connection, name: str) -> int:
        """Add one; the first one inserts."""
        self.calls.append(name)
        added = connection.execute(sa.update(tally).where(tally.c.name == name).values(n=tally.c.n + 1))
        if added.rowcount == 0:
            connection.execute(sa.insert(tally).values(name=name, n=1))
        return 1

    def spoil(self, connection: sa.Connection, name: str) -> int:
        """Add one, then raise."""
        self.add(connection, name)
        raise StepFailed(name)


@contextmanager
def running(database: Database, *, open_wall: bool = True) -> Iterator[tuple[Engine, Counting]]:
    """An engine with the flow, at work; taken apart at the end, its registrations too."""
    metadata.create_all(database.engine)
    engine = Engine(database, new_executor_id())
    counting = Counting(engine)
    if open_wall:
        counting.wall.set()
    engine.launch((QUEUE,))
    try:
        yield engine, counting
    finally:
        engine.stop(0)
        counting.wall.set()
        DBOS.destroy(destroy_registry=True)


def order(name: str, steps: int = STEPS, flow: str = "count") -> Order:
    """An order of the flow under its own name as workflow id."""
    arguments: tuple[str | int, ...] = (name, steps) if flow == "count" else (name,)
    return Order(flow, name, QUEUE.name, "somebody", 10, arguments)


def enqueue(database: Database, dispatcher: Dispatcher, *orders: Order) -> None:
    """Order flows in one transaction."""
    with database.transaction() as connection:
        for item in orders:
            dispatcher.enqueue(connection, item)


def counted(database: Database) -> dict[str, int]:
    """What was counted under each name."""
    with database.reading() as connection:
        return {row.name: row.n for row in connection.execute(sa.select(tally))}


def statuses(database: Database) -> dict[str, str]:
    """The engine's word for each workflow."""
    query = f"SELECT workflow_uuid, status FROM {database.dialect.schema}workflow_status"
    with database.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(sa.text(query))}


def alter(database: Database, workflow_id: str, **columns: object) -> None:
    """Change what the engine knows of a workflow, as a crash or a peer would have left it."""
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    query = f"UPDATE {database.dialect.schema}workflow_status SET {assignments} WHERE workflow_uuid = :id"
    with database.transaction() as connection:
        assert connection.execute(sa.text(query), {**columns, "id": workflow_id}).rowcount == 1


def wait_until(ready: Callable[[], bool], what: Sequence[object] = ()) -> None:
    """Wait for something that must come; raises when it does not."""
    for _ in range(int(PATIENCE_SECONDS / 0.02)):
        if ready():
            return
        time.sleep(0.02)
    raise TimeoutError(f"waited {PATIENCE_SECONDS} s: {what}")
