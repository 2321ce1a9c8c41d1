"""What must be true after every scene, read from the tables; returns the sentences that are not."""

import json
from collections import Counter
from datetime import datetime
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from glassfolio.batch.pipeline import NAMES
from glassfolio.db.tables import activity, chunk, phase, portfolio, run, snapshot, symbol, worker
from glassfolio.model.run import Run, RunState
from glassfolio.store import rows
from tests.crash.scene import EQUITY, Scene

# What may be said again after a death; everything else is said once.
REPEATED = ("RUN_INTERRUPTED", "RUN_RESUMED")


def violations(scene: Scene) -> list[str]:
    """Everything that was lost, doubled or told wrongly in a finished scene."""
    with scene.parts.database.reading() as connection:
        runs = connection.execute(sa.select(run)).all()
        wrong = [f"{len(runs)} runs of {len(scene.portfolios)}"] if len(runs) != len(scene.portfolios) else []
        for one in runs:
            found = (
                *_ending(one),
                *_chunks(connection, one),
                *_phases(connection, one),
                *_log(connection, one),
                *_snapshots(scene, connection, one),
            )
            wrong += [f"run {one.id[:8]}: {what}" for what in found]
        wrong += _prices(scene, connection)
        wrong += _engine(scene, connection)
    return wrong + scene.watcher.wrong + unexplained_deaths(scene)


def run_of(scene: Scene) -> Run:
    """The run of a scene with one portfolio."""
    with scene.parts.database.reading() as connection:
        [found] = rows.of_portfolio(connection, scene.portfolios[0])
    return found


def phases_of(scene: Scene) -> list[str]:
    """The statuses of that run's phases, in order."""
    names = {name.key: name for name in NAMES}
    one = run_of(scene)
    with scene.parts.database.reading() as connection:
        return [item.status.value for item in rows.phases(connection, one.id, one.attempt, names)]


def unexplained_deaths(scene: Scene) -> list[str]:
    """Deaths that nobody brought about."""
    ours = scene.kills + (len(scene.marks) if scene.orders.how == "kill" else 0)
    return [] if scene.deaths <= ours else [f"{scene.deaths} workers died, {ours} were killed"]


def _ending(one: Any) -> list[str]:
    if one.state == RunState.ENDED.value and one.conclusion == "success" and one.percent == 100:
        return []
    return [f"{one.state}, {one.conclusion}, {one.failure_code} at {one.percent} %"]


def _chunks(connection: sa.Connection, one: Any) -> list[str]:
    planned = connection.execute(
        sa.select(chunk).where(chunk.c.run_id == one.id, chunk.c.attempt == one.attempt)
    ).all()
    wrong = [f"chunk {row.phase} {row.chunk} is not done" for row in planned if row.done_at is None]
    wrong += [
        f"chunk {row.phase} {row.chunk} was done by {row.fence}" for row in planned if row.fence != one.fence
    ]
    if {row.phase for row in planned} != {name.key for name in NAMES}:
        wrong.append("a phase without chunks")
    return wrong


def _phases(connection: sa.Connection, one: Any) -> list[str]:
    found = connection.execute(
        sa.select(phase).where(phase.c.run_id == one.id, phase.c.attempt == one.attempt)
    ).all()
    wrong = [f"{len(found)} phases"] if len(found) != len(NAMES) else []
    for row in found:
        planned = connection.execute(
            sa.select(sa.func.sum(chunk.c.units)).where(
                chunk.c.run_id == one.id, chunk.c.attempt == one.attempt, chunk.c.phase == row.phase
            )
        ).scalar()
        if row.status != "completed" or row.outcome != "ok":
            wrong.append(f"{row.phase} is {row.status}, {row.outcome}")
        if row.ok != planned or row.failed or row.skipped or row.ok + row.cached != row.total:
            wrong.append(
                f"{row.phase} counts {row.ok} + {row.cached} of {row.total},"
                f" {planned} planned, {row.failed} failed"
            )
        if row.started_at is None or row.ended_at is None or row.ended_at < row.started_at:
            wrong.append(f"{row.phase} lasts from {row.started_at} to {row.ended_at}")
    return wrong


def _log(connection: sa.Connection, one: Any) -> list[str]:
    entries = connection.execute(
        sa.select(activity)
        .where(activity.c.run_id == one.id, activity.c.attempt == one.attempt)
        .order_by(activity.c.seq)
    ).all()
    told = Counter((e.code, e.phase, e.params) for e in entries if e.code not in REPEATED)
    wrong = [f"told {count} times: {entry}" for entry, count in told.items() if count > 1]
    codes = Counter((e.code, e.phase) for e in entries)
    for name in NAMES:
        wrong += [
            f"{codes[code, name.key]} times {code} of {name.key}"
            for code in ("PHASE_STARTED", "PHASE_COMPLETED")
            if codes[code, name.key] != 1
        ]
        progress = [json.loads(e.params)["count"] for e in entries if _is_progress(e, name.key)]
        if progress != sorted(set(progress)):
            wrong.append(f"progress of {name.key} is told as {progress}")
    once = ("RUN_QUEUED" if one.attempt == 1 else "RETRY_STARTED", "RUN_STARTED", "RUN_COMPLETED")
    wrong += [f"{codes[code, None]} times {code}" for code in once if codes[code, None] != 1]
    if entries[-1].code != "RUN_COMPLETED":
        wrong.append(f"{entries[-1].code} after the end")
    if any(later.at < earlier.at for earlier, later in pairwise(entries)):
        wrong.append("the log goes back in time")
    return wrong


def _is_progress(entry: Any, key: str) -> bool:
    return entry.code in ("SYMBOL_PROGRESS", "DATE_PROGRESS") and entry.phase == key


def _snapshots(scene: Scene, connection: sa.Connection, one: Any) -> list[str]:
    days = connection.execute(
        sa.select(snapshot.c.session, snapshot.c.nav)
        .where(snapshot.c.portfolio_id == one.portfolio_id)
        .order_by(snapshot.c.session)
    ).all()
    window = scene.parts.sessions.between(one.first_session, one.last_session).tolist()
    wrong = [] if [day.session for day in days] == window else [f"{len(days)} snapshots of {len(window)}"]
    anchor = connection.execute(
        sa.select(portfolio.c.anchor).where(portfolio.c.id == one.portfolio_id)
    ).scalar_one()
    nav = {day.session: day.nav for day in days}.get(anchor)
    return wrong if nav == float(EQUITY) else [*wrong, f"NAV is {nav} on {anchor}"]


def _prices(scene: Scene, connection: sa.Connection) -> list[str]:
    """Every symbol was stored once, and none was asked for again after its chunk was committed."""
    wrong = [
        f"{row.symbol} was stored {row.revision} times"
        for row in connection.execute(sa.select(symbol).where(symbol.c.revision != 1))
    ]
    asked: dict[str, list[datetime]] = {}
    for hit in scene.prices.asked:
        asked.setdefault(hit.symbol, []).append(hit.at)
    deaths = scene.kills + len(scene.marks)
    for row in connection.execute(
        sa.select(chunk, run.c.resumes, run.c.attempt.label("attempts"))
        .join(run, run.c.id == chunk.c.run_id)
        .where(chunk.c.phase == NAMES[0].key, chunk.c.done_at.is_not(None))
    ):
        for name, *_interval in json.loads(row.payload)["fetch"]:
            moments = asked.get(name, [])
            if not 1 <= len(moments) <= row.attempts + deaths:
                wrong.append(f"{name} was asked for {len(moments)} times with {deaths} deaths")
            # A worker that was stopped, or taken for dead, may ask late; a dead one cannot.
            if scene.orders.how == "kill" and row.resumes <= deaths and max(moments) > row.done_at:
                wrong.append(f"{name} was asked for again after it was stored")
    return wrong


def _engine(scene: Scene, connection: sa.Connection) -> list[str]:
    schema = scene.parts.database.dialect.schema
    known = set(connection.execute(sa.select(worker.c.id)).scalars())
    held = connection.execute(
        sa.text(f"SELECT workflow_uuid, status, executor_id FROM {schema}workflow_status")
    )
    return [
        f"the engine holds {row.workflow_uuid} as {row.status} of"
        f" {'a known' if row.executor_id in known else 'no'} worker"
        for row in held
        if row.status != "SUCCESS"
    ]
