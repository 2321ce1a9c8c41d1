"""Batches, the portfolios they may take, and their runs, whoever owns them: for operators and schedules.

Nothing here may answer an owner's request. Knows nothing of how runs are carried.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from glassfolio.db.tables import (
    activity,
    batch,
    lot,
    phase,
    portfolio,
    run,
    snapshot,
    status_document,
    worker,
)
from glassfolio.model.run import Activity, Conclusion, Run, Trigger
from glassfolio.model.scope import Scope
from glassfolio.store import rows

ENDED_WELL = (Conclusion.SUCCESS.value, Conclusion.SUCCESS_WITH_WARNINGS.value)
IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it was started. key: under which it is started once. scope: as a record."""

    id: str
    key: str | None
    scope: Mapping[str, Any]
    trigger: Trigger
    triggered_by: str
    created_at: datetime


def create(
    connection: sa.Connection,
    batch_id: str,
    scope: Scope,
    trigger: Trigger,
    triggered_by: str,
    now: datetime,
    key: str | None = None,
) -> None:
    """Store a batch. Raises IntegrityError when there is one with this key."""
    connection.execute(
        sa.insert(batch).values(
            id=batch_id,
            key=key,
            scope=json.dumps(scope.as_record()),
            trigger=trigger.value,
            triggered_by=triggered_by,
            created_at=now,
        )
    )


def get(connection: sa.Connection, batch_id: str) -> Batch | None:
    """One batch."""
    return _one(connection, batch.c.id == batch_id)


def of_key(connection: sa.Connection, key: str) -> Batch | None:
    """The batch that was started under a key."""
    return _one(connection, batch.c.key == key)


def _one(connection: sa.Connection, where: sa.ColumnElement[bool]) -> Batch | None:
    row = connection.execute(sa.select(batch).where(where)).one_or_none()
    if row is None:
        return None
    return Batch(
        row.id, row.key, json.loads(row.scope), Trigger(row.trigger), row.triggered_by, row.created_at
    )


def active_portfolios(connection: sa.Connection) -> list[str]:
    """The portfolios that are not deleted and have a lot, oldest first."""
    return _portfolios(connection, sa.exists().where(lot.c.portfolio_id == portfolio.c.id))


def onboarded_portfolios(connection: sa.Connection) -> list[str]:
    """Those of them with a run that completed, oldest first."""
    completed = sa.exists().where(run.c.portfolio_id == portfolio.c.id, run.c.conclusion.in_(ENDED_WELL))
    return _portfolios(connection, completed)


def _portfolios(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[str]:
    query = (
        sa.select(portfolio.c.id)
        .where(portfolio.c.deleted_at.is_(None), which)
        .order_by(portfolio.c.created_at, portfolio.c.id)
    )
    return list(connection.execute(query).scalars())


def known_portfolios(connection: sa.Connection, portfolio_ids: Sequence[str]) -> list[str]:
    """Those of the ids that a portfolio has which is not deleted."""
    found: list[str] = []
    for start in range(0, len(portfolio_ids), IDS_AT_ONCE):
        piece = portfolio_ids[start : start + IDS_AT_ONCE]
        query = sa.select(portfolio.c.id).where(portfolio.c.id.in_(piece), portfolio.c.deleted_at.is_(None))
        found += connection.execute(query).scalars()
    return found


def was_onboarded(connection: sa.Connection, portfolio_id: str) -> bool:
    """Whether a run of the portfolio has ever begun."""
    query = sa.select(run.c.id).where(run.c.portfolio_id == portfolio_id).limit(1)
    return connection.execute(query).one_or_none() is not None


def history_begins(connection: sa.Connection, portfolio_id: str) -> date | None:
    """The first session of the newest run that ended well, on which its snapshots rest; of the newest run
    where none ended well; None without any.
    """
    query = (
        sa.select(run.c.first_session)
        .where(run.c.portfolio_id == portfolio_id, run.c.first_session.is_not(None))
        .order_by(sa.case((run.c.conclusion.in_(ENDED_WELL), 0), else_=1), run.c.started_at.desc(), run.c.id)
        .limit(1)
    )
    found: date | None = connection.execute(query).scalar_one_or_none()
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs are listed: all that have each of these that is given."""

    state: str | None = None
    kind: str | None = None
    trigger: str | None = None
    portfolio_id: str | None = None
    batch_id: str | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """The same for a query."""
        names = ("state", "kind", "trigger", "portfolio_id", "batch_id")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return [run.c[name] == value for name, value in given.items()]


def list_runs(connection: sa.Connection, wanted: Wanted, limit: int, after: str | None = None) -> list[Run]:
    """Runs of anybody, newest first. after: the id of the run that was listed last."""
    query = sa.select(run).where(*wanted.conditions())
    if after is not None:
        last = sa.select(run.c.created_at, run.c.id).where(run.c.id == after).subquery()
        older = sa.or_(
            run.c.created_at < last.c.created_at,
            sa.and_(run.c.created_at == last.c.created_at, run.c.id < last.c.id),
        )
        query = query.join(last, sa.true()).where(older)
    query = query.order_by(run.c.created_at.desc(), run.c.id.desc()).limit(limit)
    return [rows.of_row(dict(row._mapping)) for row in connection.execute(query)]


def document_of(connection: sa.Connection, run_id: str) -> rows.Shown | None:
    """The document of one run in its present attempt."""
    row = connection.execute(
        sa.select(*rows.DOCUMENT)
        .select_from(
            run.join(
                status_document,
                sa.and_(status_document.c.run_id == run.c.id, status_document.c.attempt == run.c.attempt),
            ).outerjoin(worker, worker.c.id == run.c.worker)
        )
        .where(run.c.id == run_id)
    ).one_or_none()
    return rows.shown_of(row) if row else None


def unended_runs(connection: sa.Connection, batch_id: str) -> list[Run]:
    """The batch's runs that have not ended."""
    query = sa.select(run).where(run.c.batch_id == batch_id, run.c.state != "ended").order_by(run.c.id)
    return [rows.of_row(dict(row._mapping)) for row in connection.execute(query)]


def conclusions(connection: sa.Connection, batch_id: str) -> dict[str, int]:
    """How many of the batch's runs ended how; those that have not ended by their state."""
    word = sa.func.coalesce(run.c.conclusion, run.c.state)
    query = sa.select(word, sa.func.count()).where(run.c.batch_id == batch_id).group_by(word)
    return {row[0]: row[1] for row in connection.execute(query)}


def filled(connection: sa.Connection, batch_id: str, key: str) -> int:
    """How many (portfolio, session) pairs the batch's runs have made snapshots of. key: of the phase."""
    query = (
        sa.select(sa.func.coalesce(sa.func.sum(phase.c.ok), 0))
        .join(run, run.c.id == phase.c.run_id)
        .where(run.c.batch_id == batch_id, phase.c.phase == key)
    )
    return int(connection.execute(query).scalar_one())


def asked_and_built(connection: sa.Connection, batch_id: str) -> list[tuple[date, date, int]]:
    """For each run of the batch: the first and last session it asks for, and how many have a snapshot now."""
    within = sa.and_(
        snapshot.c.portfolio_id == run.c.portfolio_id,
        snapshot.c.session.between(run.c.asked_first, run.c.asked_last),
    )
    query = (
        sa.select(run.c.asked_first, run.c.asked_last, sa.func.count(snapshot.c.session))
        .select_from(run.outerjoin(snapshot, within))
        .where(run.c.batch_id == batch_id)
        .group_by(run.c.id, run.c.asked_first, run.c.asked_last)
    )
    return [(first, last, count) for first, last, count in connection.execute(query)]


def log(connection: sa.Connection, batch_id: str, after: int, limit: int) -> list[tuple[str, Activity]]:
    """What the batch's runs say, by time, each entry with its run. after: how many of them are left out."""
    query = (
        sa.select(activity)
        .join(run, run.c.id == activity.c.run_id)
        .where(run.c.batch_id == batch_id)
        .order_by(activity.c.at, activity.c.run_id, activity.c.seq)
        .offset(after)
        .limit(limit)
    )
    return [(row.run_id, rows.activity_of(row)) for row in connection.execute(query)]
