"""The durable engine of one process: flows, their atomic steps, queues, and hand-over.

A *flow* is a function whose progress survives its process. An *atomic* step commits its caller's rows
and the engine's checkpoint in one transaction. Only ids and small scalars pass through the engine.
Knows nothing of what flows do.
"""

import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import uuid4

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, EnqueueOptions
from dbos._datasource import SQLAlchemyDatasource

from glassfolio.db.engine import SQLITE, Database, translated

NAME = "glassfolio"
# Raised only when the sequence of engine calls inside a flow changes: it strands what is in flight
# until it is handed over.
VERSION = "flow-1"
# Every dispatch counts; our own tables decide when a run has been interrupted too often.
MAX_RECOVERY_ATTEMPTS = 1000
THREADS = 64

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of flows; its polling interval is the latency of a start.

    partition_concurrency: flows of one partition at a time; None for a queue without partitions.
    """

    name: str
    worker_concurrency: int
    polling_seconds: float
    partition_concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A flow to be started: small scalars only. priority: 1 comes first.

    partition: None for a queue without partitions.
    """

    flow: str
    workflow_id: str
    queue: str
    partition: str | None
    priority: int
    arguments: tuple[str | int, ...]


def new_executor_id() -> str:
    """A name for this process, new at every start: a reused one strands work."""
    return f"{socket.gethostname()[:60]}-{uuid4().hex[:8]}"


class Dispatcher:
    """Starts and cancels flows from any process, whether or not it runs any itself."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._client = DBOSClient(
            system_database_url=database.url,
            system_database_engine=database.engine,
            application_name=NAME,
            lazy=True,
        )

    def enqueue(self, connection: sa.Connection, order: Order) -> None:
        """Order a flow inside the caller's transaction: both are there, or neither."""
        options: EnqueueOptions = {
            "workflow_name": order.flow,
            "queue_name": order.queue,
            "workflow_id": order.workflow_id,
            "priority": order.priority,
        }
        if order.partition is not None:
            options["queue_partition_key"] = order.partition
        self._client.enqueue_in_transaction(connection, options, *order.arguments)

    def cancel(self, workflow_id: str) -> None:
        """Stop a flow at its next step."""
        with self._database.writing(), translated():
            self._client.cancel_workflow(workflow_id, cancel_children=True)

    def close(self) -> None:
        """Give back its connections."""
        self._client.destroy()


class Engine:
    """Runs flows in this process. One instance a process; register flows before `launch`."""

    def __init__(self, database: Database, executor_id: str) -> None:
        self.executor_id = executor_id
        self._database = database
        self._under_way: set[str] = set()
        _quiet()
        DBOS(
            config={
                "name": NAME,
                "application_version": VERSION,
                "executor_id": executor_id,
                "log_level": "ERROR",
                "system_database_url": database.url,
                "system_database_engine": database.engine,
                "max_executor_threads": THREADS,
                "notification_listener_polling_interval_sec": 0.1,
            }
        )
        self._datasource = SQLAlchemyDatasource.create(database.url, engine=database.engine)

    def flow(self, name: str, function: Callable[P, R]) -> Callable[P, R]:
        """Make `function` durable under `name`; its engine calls depend on its arguments only."""

        @wraps(function)
        def tracked(*args: P.args, **kwargs: P.kwargs) -> R:
            workflow_id = str(DBOS.workflow_id)
            self._under_way.add(workflow_id)
            try:
                return function(*args, **kwargs)
            finally:
                self._under_way.discard(workflow_id)

        return DBOS.workflow(name=name, max_recovery_attempts=MAX_RECOVERY_ATTEMPTS)(tracked)

    def is_under_way(self, workflow_id: str) -> bool:
        """Whether a flow is being run by this process at this moment."""
        return workflow_id in self._under_way

    def atomic(self, function: Callable[Concatenate[sa.Connection, P], R]) -> Callable[P, R]:
        """Make `function` a step that commits its rows and the checkpoint together, exactly once.

        It may be run again on lock errors, so it does no I/O beside its connection. Its result is
        recorded: return small scalars.
        """

        @wraps(function)
        def step(*args: P.args, **kwargs: P.kwargs) -> R:
            def body() -> R:
                return function(self._datasource.sql_session().connection(), *args, **kwargs)

            options: Any = {
                "name": function.__name__,
                "isolation_level": self._database.dialect.isolation,
            }
            with self._database.writing():
                return self._datasource.run_tx_step(options, body)

        return step

    def launch(self, queues: Sequence[Queue]) -> None:
        """Begin to take flows from `queues`."""
        DBOS.listen_queues([queue.name for queue in queues])
        DBOS.launch()
        for queue in queues:
            DBOS.register_queue(
                queue.name,
                worker_concurrency=queue.worker_concurrency,
                partition_concurrency=queue.partition_concurrency,
                polling_interval_sec=queue.polling_seconds,
            )

    def take_over(self, executors: Sequence[str]) -> None:
        """Put back into their queues the flows that dead executors were running."""
        DBOS._recover_pending_workflows(list(executors))

    def stop(self, seconds: int) -> None:
        """Take no more flows, wait up to `seconds` for those under way, and let go of the rest."""
        DBOS.destroy(workflow_completion_timeout_sec=seconds)


def migrate(database: Database) -> None:
    """Create or update the engine's own tables."""
    _quiet()
    if database.dialect is SQLITE:
        DBOS.migrate(database.url)
        SQLAlchemyDatasource.migrate(database.url)
        return
    url = sa.make_url(database.url).set(drivername="postgresql").render_as_string(hide_password=False)
    DBOS.migrate(url)
    SQLAlchemyDatasource.migrate(url)


def _quiet() -> None:
    logging.getLogger("dbos").setLevel(logging.ERROR)
