"""Takes over what got lost between our tables and the engine's.

A piece of work that wants an execution while the engine has none for it (lost, ended without us, or of
an older flow version that nobody alive runs any more) is handed over under a new workflow id. Its SQL
arrives from outside: this module knows nothing of runs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from glassfolio.db.engine import Database
from glassfolio.db.tables import worker
from glassfolio.engine.app import VERSION, Dispatcher, Order

ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
CAME_TO_GRIEF = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
# A worker that died keeps its row for a day; its flow version counts as gone this long after its last beat.
GRACE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """A piece of work that has not ended: its key and the workflow id it should have."""

    key: str
    fence: int
    workflow_id: str


@dataclass(frozen=True, slots=True)
class Statements:
    """What the owner of the work hands in.

    wanted: all work that has not ended.
    hand_over: raises the fence of (key, fence) if it still stands there, counting an error when
    told so; returns the order to enqueue, or None when a peer was faster or the work was given up.
    """

    wanted: Callable[[sa.Connection], list[Wanted]]
    hand_over: Callable[[sa.Connection, Wanted, bool], Order | None]


class Reconciler:
    """Hands over what drifted, again and again; racing peers are harmless.

    me: this process's executor id. is_under_way: whether it is running a workflow at this moment.
    """

    def __init__(
        self,
        database: Database,
        dispatcher: Dispatcher,
        statements: Statements,
        me: str,
        is_under_way: Callable[[str], bool],
    ) -> None:
        self._database, self._dispatcher, self._statements = database, dispatcher, statements
        self._me, self._is_under_way = me, is_under_way
        self._suspects: set[str] = set()

    def reconcile(self) -> list[str]:
        """One pass; returns the keys of what was handed over."""
        with self._database.reading() as connection:
            wanted = self._statements.wanted(connection)
            executions = self._executions(connection, [item.workflow_id for item in wanted])
            versions = self._living_versions(connection)
        mine = {
            item.workflow_id
            for item in wanted
            if (found := executions.get(item.workflow_id))
            and found.status == "PENDING"
            and found.executor == self._me
            and not self._is_under_way(item.workflow_id)
        }
        # Seen twice: between the two a flow just taken from its queue has begun.
        fallen, self._suspects = mine & self._suspects, mine
        moved: list[str] = []
        for item in wanted:
            found = executions.get(item.workflow_id)
            if found is None or found.has_drifted(versions) or item.workflow_id in fallen:
                self._hand_over(item, found, moved)
        return moved

    def _hand_over(self, item: Wanted, found: "Execution | None", moved: list[str]) -> None:
        if found is not None:
            # First: a crash after it leaves a cancelled execution, which the next pass finds.
            self._dispatcher.cancel(item.workflow_id)
        with self._database.transaction() as connection:
            came_to_grief = found is not None and found.status in CAME_TO_GRIEF
            order = self._statements.hand_over(connection, item, came_to_grief)
            if order is not None:
                self._dispatcher.enqueue(connection, order)
                moved.append(item.key)

    def _executions(self, connection: sa.Connection, workflow_ids: list[str]) -> dict[str, "Execution"]:
        if not workflow_ids:
            return {}
        schema = self._database.dialect.schema
        query = sa.text(
            "SELECT workflow_uuid, status, application_version, executor_id"  # noqa: S608
            f" FROM {schema}workflow_status WHERE workflow_uuid IN :ids"
        ).bindparams(sa.bindparam("ids", expanding=True))
        rows = connection.execute(query, {"ids": workflow_ids})
        return {row[0]: Execution(row[1], row[2], row[3]) for row in rows}

    def _living_versions(self, connection: sa.Connection) -> set[str]:
        now: sa.ColumnElement[float] = sa.literal_column(self._database.dialect.epoch)
        query = sa.select(worker.c.version).where(worker.c.beat >= now - GRACE_SECONDS)
        return set(connection.execute(query).scalars())


@dataclass(frozen=True, slots=True)
class Execution:
    """What the engine says of a workflow. version: None until it has started."""

    status: str
    version: str | None
    executor: str | None

    def has_drifted(self, living_versions: set[str]) -> bool:
        """Whether it ended without us, or is of a flow version that no worker can run."""
        foreign = self.version not in (None, VERSION) and self.version not in living_versions
        return self.status in ENDED or foreign
