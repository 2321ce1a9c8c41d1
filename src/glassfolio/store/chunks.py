"""The plan of a phase as rows: which chunks there are, and which are done.

Knows nothing of what a chunk's payload means.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from glassfolio.db.tables import chunk


def _of(run_id: str, attempt: int, phase: str) -> list[sa.ColumnElement[bool]]:
    return [chunk.c.run_id == run_id, chunk.c.attempt == attempt, chunk.c.phase == phase]


def add(
    connection: sa.Connection, run_id: str, attempt: int, phase: str, planned: Sequence[tuple[int, str]]
) -> None:
    """Write a phase's plan: (units, payload) of each chunk, numbered from 0."""
    if planned:
        connection.execute(
            sa.insert(chunk),
            [
                {
                    "run_id": run_id,
                    "attempt": attempt,
                    "phase": phase,
                    "chunk": number,
                    "units": units,
                    "payload": payload,
                }
                for number, (units, payload) in enumerate(planned)
            ],
        )


def left(connection: sa.Connection, run_id: str, attempt: int, phase: str) -> list[int]:
    """The chunks of a phase that are not done, in planned order."""
    query = sa.select(chunk.c.chunk).where(*_of(run_id, attempt, phase), chunk.c.done_at.is_(None))
    return list(connection.execute(query.order_by(chunk.c.chunk)).scalars())


def planned(connection: sa.Connection, run_id: str, attempt: int, phase: str) -> dict[int, tuple[str, bool]]:
    """Each chunk's payload and whether it is done."""
    rows = connection.execute(
        sa.select(chunk.c.chunk, chunk.c.payload, chunk.c.done_at).where(*_of(run_id, attempt, phase))
    )
    return {row.chunk: (row.payload, row.done_at is not None) for row in rows}


def mark_done(
    connection: sa.Connection,
    run_id: str,
    attempt: int,
    phase: str,
    number: int,
    fence: int,
    now: datetime,
) -> bool:
    """Mark a chunk done; False when it already was, so that nothing is counted twice."""
    marked = connection.execute(
        sa.update(chunk)
        .where(*_of(run_id, attempt, phase), chunk.c.chunk == number, chunk.c.done_at.is_(None))
        .values(done_at=now, fence=fence)
    )
    return marked.rowcount == 1
