"""Requests that their senders may repeat, and the answers they had, as rows that are kept for a day.

A row is written whole, in the transaction of the work that its answer tells of: key and effect are there
together or not at all, so a death at any moment neither blocks a key nor repeats the work. Knows nothing of
what a request asks for.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from glassfolio.db.tables import idempotency_key
from glassfolio.errors import IdempotencyKeyReused
from glassfolio.store import recent

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request with an idempotency key. route: method and path. digest: of all else that was sent."""

    user_id: str
    route: str
    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is sent. replayed: whether an earlier request had it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    replayed: bool = False


def find(connection: sa.Connection, request: Repeatable, now: datetime) -> Answer | None:
    """The answer that a request with this key had within a day.

    Raises IdempotencyKeyReused when that was another request.
    """
    row = connection.execute(
        sa.select(idempotency_key).where(
            idempotency_key.c.user_id == request.user_id,
            idempotency_key.c.route == request.route,
            idempotency_key.c.key == request.key,
            idempotency_key.c.created_at > now - KEPT,
        )
    ).one_or_none()
    if row is None:
        return None
    if row.digest != request.digest:
        raise IdempotencyKeyReused
    return Answer(row.status, json.loads(row.headers), row.body, replayed=True)


def answer_once(
    connection: sa.Connection, request: Repeatable, answer: Callable[[], Answer], now: datetime
) -> Answer:
    """The answer that a request with this key had; else the one it has now, which is kept.

    answer: does the work on this connection. Transactions of one person come here one after the other, so
    whoever repeats a request meanwhile waits for the first one's end, in whichever process it is: then the
    answer is there, or the work was undone and is theirs to do. Raises IdempotencyKeyReused.
    """
    recent.wait_for_turn(connection, request.user_id)
    found = find(connection, request, now)
    if found is None:
        found = answer()
        _keep(connection, request, found, now)
    return found


def _keep(connection: sa.Connection, request: Repeatable, answer: Answer, now: datetime) -> None:
    """Keep an answer; of the same person, those that are older than a day go."""
    connection.execute(
        sa.delete(idempotency_key).where(
            idempotency_key.c.user_id == request.user_id, idempotency_key.c.created_at <= now - KEPT
        )
    )
    connection.execute(
        sa.insert(idempotency_key).values(
            user_id=request.user_id,
            route=request.route,
            key=request.key,
            digest=request.digest,
            status=answer.status,
            headers=json.dumps(dict(answer.headers)),
            body=answer.body,
            created_at=now,
        )
    )
