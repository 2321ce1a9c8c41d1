"""What is told of a run after a change: percent, remaining time, and the encoded status document.

Knows nothing of why a run changes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from glassfolio.db.tables import activity, status_document
from glassfolio.model.run import EtaReason, PhaseProgress, Run, RunStatus
from glassfolio.progress import fold
from glassfolio.progress.publish import Told
from glassfolio.progress.publish import publish as estimate
from glassfolio.store import encoded, rows


def tell(
    row: Mapping[str, Any], listed: Sequence[PhaseProgress], now: datetime, reason: EtaReason | None
) -> Told:
    """Percent and remaining time of a run's row as it will be. reason: why the time may go up."""
    until = row["waiting_until"]
    return estimate(
        listed,
        row["worked_seconds"],
        now,
        Told(row["percent"], encoded.read_eta(row["eta"]), None),
        spread=encoded.read_spread(row["spread"]),
        wait_left=max(0.0, (until - now).total_seconds()) if until else 0.0,
        reason=reason,
    )


def publish(connection: sa.Connection, current: Run, listed: tuple[PhaseProgress, ...]) -> None:
    """Encode the status document of the present attempt."""
    mine = [activity.c.run_id == current.id, activity.c.attempt == current.attempt]
    newest = sa.select(activity).where(*mine).order_by(activity.c.seq.desc()).limit(fold.FEED)
    feed = tuple(rows.activity_of(row) for row in reversed(connection.execute(newest).all()))
    logged = connection.execute(sa.select(sa.func.count()).where(*mine)).scalar_one()
    status = RunStatus(current, listed, feed, logged, rows.outcomes(connection, current.id, current.attempt))
    body = fold.encode(fold.document(status))
    key = [status_document.c.run_id == current.id, status_document.c.attempt == current.attempt]
    changed = connection.execute(sa.update(status_document).where(*key).values(seq=current.seq, body=body))
    if changed.rowcount == 0:
        connection.execute(
            sa.insert(status_document).values(
                run_id=current.id, attempt=current.attempt, seq=current.seq, body=body
            )
        )
