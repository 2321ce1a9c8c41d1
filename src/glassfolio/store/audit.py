"""What operators did and looked at: a row and a line of the log for each act, kept for good.

Knows nothing of what an act brings about.
"""

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from glassfolio.db.tables import audit

log = logging.getLogger("glassfolio.audit")


class Act(StrEnum):
    """What was done; a closed list."""

    START_BATCH = "start_batch"
    DRY_RUN = "dry_run"
    CANCEL = "cancel"
    LIST_RUNS = "list_runs"
    LOOK = "look"
    READ_LOG = "read_log"


@dataclass(frozen=True, slots=True)
class Noted:
    """One act. who: an internal id. thing: the batch or run, if it was about one."""

    at: datetime
    who: str
    act: Act
    thing: str | None
    details: dict[str, Any]


def note(
    connection: sa.Connection, who: str, act: Act, thing: str | None, now: datetime, **details: Any
) -> None:
    """Note an act, in the transaction that carries it out."""
    text = json.dumps(details)
    connection.execute(
        sa.insert(audit).values(id=str(uuid4()), at=now, who=who, act=act.value, thing=thing, details=text)
    )
    log.info("%s: %s %s %s", who, act.value, thing or "", text)


def acts(connection: sa.Connection, thing: str | None = None) -> list[Noted]:
    """What was noted, in order of time; of one batch or run, or all."""
    query = sa.select(audit).order_by(audit.c.at, audit.c.id)
    if thing is not None:
        query = query.where(audit.c.thing == thing)
    return [
        Noted(row.at, row.who, Act(row.act), row.thing, json.loads(row.details))
        for row in connection.execute(query)
    ]
