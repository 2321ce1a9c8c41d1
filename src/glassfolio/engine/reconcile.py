"""Takes over what got lost between our tables and the engine's.

A piece of work that wants an execution while the engine has none for it (lost, ended without us, or of
an older flow version that nobody alive runs any more) is handed over under a new workflow id. Its SQL
arrives from outside: this module knows nothing of runs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from glassfolio.db.engine import Database
from glassfolio.engine.app import VERSION, Dispatcher, Order

ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
CAME_TO_GRIEF = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


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


def reconcile(database: Database, dispatcher: Dispatcher, statements: Statements) -> list[str]:
    """Hand over everything that drifted; returns the keys. Racing peers are harmless."""
    with database.reading() as connection:
        wanted = statements.wanted(connection)
        status = _status(connection, database.dialect.schema, [item.workflow_id for item in wanted])
    moved = []
    for item in wanted:
        state, version = status.get(item.workflow_id, (None, None))
        drifted = state is None or state in ENDED or (version is not None and version != VERSION)
        if not drifted:
            continue
        if state is not None:
            dispatcher.cancel(item.workflow_id)
        with database.transaction() as connection:
            order = statements.hand_over(connection, item, state in CAME_TO_GRIEF)
            if order is not None:
                dispatcher.enqueue(connection, order)
                moved.append(item.key)
    return moved


def _status(
    connection: sa.Connection, schema: str, workflow_ids: list[str]
) -> dict[str, tuple[str | None, str | None]]:
    if not workflow_ids:
        return {}
    query = sa.text(
        f"SELECT workflow_uuid, status, application_version FROM {schema}workflow_status"  # noqa: S608
        " WHERE workflow_uuid IN :ids"
    ).bindparams(sa.bindparam("ids", expanding=True))
    rows = connection.execute(query, {"ids": workflow_ids})
    return {row[0]: (row[1], row[2]) for row in rows}
