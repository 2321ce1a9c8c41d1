"""What was committed and told, step by step, and what finished attempts teach later ones.

Knows nothing of how numbers are made of it.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa

from glassfolio.db.tables import experience, trail
from glassfolio.model.run import Mark, Trail
from glassfolio.progress.learning import Experience, Lesson

# Runs that are looked at to find the last twenty lessons of each phase.
LOOKED_AT = 60
_NUMBERS = (
    "units",
    "cached",
    "failed",
    "free",
    "runs",
    "at_once",
    "seconds",
    "fixed",
    "pace",
    "percent",
    "remaining",
    "eta",
    "low",
    "high",
)


def add(connection: sa.Connection, run_id: str, attempt: int, seq: int, steps: Iterable[Trail]) -> None:
    """Keep the steps of one change."""
    rows = [
        {
            **asdict(step),
            "mark": step.mark.value,
            "run_id": run_id,
            "attempt": attempt,
            "seq": seq,
            "ordinal": i,
        }
        for i, step in enumerate(steps)
    ]
    if rows:
        connection.execute(sa.insert(trail), rows)


def of(connection: sa.Connection, run_id: str, attempt: int) -> tuple[Trail, ...]:
    """The steps of an attempt, in order."""
    rows = connection.execute(
        sa.select(trail)
        .where(trail.c.run_id == run_id, trail.c.attempt == attempt)
        .order_by(trail.c.seq, trail.c.ordinal)
    )
    return tuple(
        Trail(Mark(row["mark"]), row["t"], row["phase"], **{name: row[name] for name in _NUMBERS})
        for row in rows.mappings()
    )


def learn(
    connection: sa.Connection,
    run_id: str,
    attempt: int,
    machine: str,
    provider: str,
    ended_at: datetime,
    taught: Experience,
) -> None:
    """Keep what a successful attempt teaches."""
    lessons = {key: [one.units, one.seconds, one.fixed] for key, one in taught.lessons.items()}
    connection.execute(
        sa.insert(experience).values(
            run_id=run_id,
            attempt=attempt,
            machine=machine,
            provider=provider,
            ended_at=ended_at,
            lessons=json.dumps(lessons),
            ratios=json.dumps(taught.ratios),
        )
    )


def experiences(connection: sa.Connection, machine: str) -> list[tuple[str, Experience]]:
    """What the last successful attempts on a machine teach, newest first, each with its provider."""
    rows = connection.execute(
        sa.select(experience.c.provider, experience.c.lessons, experience.c.ratios)
        .where(experience.c.machine == machine)
        .order_by(experience.c.ended_at.desc())
        .limit(LOOKED_AT)
    )
    return [
        (
            row.provider,
            Experience(
                {key: Lesson(*numbers) for key, numbers in json.loads(row.lessons).items()},
                tuple(json.loads(row.ratios)),
            ),
        )
        for row in rows
    ]
