"""What a person has set going lately, counted from the rows it left: the limits that all processes share.

Called in the transaction that adds the next one. Counted are whole minutes and hours of the clock: whoever
keeps to a sliding window of the same length never meets these limits, so the two do not contradict each
other. Knows nothing of requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

import sqlalchemy as sa

from glassfolio.clock import Clock
from glassfolio.db.tables import activity, portfolio, run, user
from glassfolio.errors import TooManyRequests

QUEUED, RETRIED = "RUN_QUEUED", "RETRY_STARTED"


@dataclass(frozen=True, slots=True)
class Quota:
    """So many in each stretch of so many seconds. name: of the limit, as the refusal tells it."""

    name: str
    most: int
    seconds: int


RERUNS = (Quota("rerun", 30, 3600),)


def uploads(per_minute: int, per_hour: int) -> tuple[Quota, ...]:
    """The quotas of stored files."""
    return Quota("upload-minute", per_minute, 60), Quota("upload-hour", per_hour, 3600)


def wait_for_turn(connection: sa.Connection, user_id: str) -> None:
    """Transactions of one person that begin with this come one after the other: the second sees what the
    first has added.
    """
    connection.execute(sa.update(user).where(user.c.id == user_id).values(subject=user.c.subject))


def take_upload(
    connection: sa.Connection, user_id: str, quotas: Sequence[Quota], created_at: datetime
) -> None:
    """The person's turn to store a portfolio made at `created_at`, deleted ones counted too.

    Raises TooManyRequests.
    """
    wait_for_turn(connection, user_id)
    stored = sa.select(portfolio.c.created_at).where(portfolio.c.owner_id == user_id)
    _refuse_over(connection, stored, portfolio.c.created_at, quotas, created_at)


def take_rerun(connection: sa.Connection, user_id: str, quotas: Sequence[Quota], clock: Clock) -> None:
    """The person's turn to begin an attempt other than a portfolio's very first. Raises TooManyRequests."""
    wait_for_turn(connection, user_id)
    # Not before: what others began while this one waited belongs to its hour.
    now = clock.now()
    oldest = min((_window_start(now, quota) for quota in quotas), default=now)
    other, queued = run.alias("other"), activity.alias("queued")
    follows_another = sa.exists(
        sa.select(queued.c.seq)
        .join(other, other.c.id == queued.c.run_id)
        .where(
            other.c.portfolio_id == run.c.portfolio_id,
            other.c.id != run.c.id,
            queued.c.code == QUEUED,
            queued.c.at < activity.c.at,
        )
    )
    begun = (
        sa.select(activity.c.at)
        .join(run, run.c.id == activity.c.run_id)
        .where(
            run.c.owner_id == user_id,
            run.c.updated_at >= oldest,
            sa.or_(
                activity.c.code == RETRIED,
                sa.and_(activity.c.code == QUEUED, run.c.batch_id.is_(None), follows_another),
            ),
        )
    )
    _refuse_over(connection, begun, activity.c.at, quotas, now)


def _refuse_over(
    connection: sa.Connection,
    rows: sa.Select[datetime],
    at: sa.Column[datetime],
    quotas: Sequence[Quota],
    now: datetime,
) -> None:
    for quota in quotas:
        start = _window_start(now, quota)
        # The whole window: others may have read their clock later, and have had their turn before.
        end = start + timedelta(seconds=quota.seconds)
        within = rows.where(at >= start, at < end).limit(quota.most)
        if len(connection.execute(within).all()) == quota.most:
            wait = ceil((start - now).total_seconds() + quota.seconds)
            raise TooManyRequests(quota.name, max(1, wait), quota.most, quota.seconds)


def _window_start(now: datetime, quota: Quota) -> datetime:
    return datetime.fromtimestamp(now.timestamp() // quota.seconds * quota.seconds, UTC)
