"""Who is alive: a worker's heartbeat, the reaper of dead workers' flows, and the level-triggered watch.

All moments are the database's own clock. Knows nothing of runs: what else is to be watched is handed in.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from glassfolio.db.engine import Database
from glassfolio.db.tables import worker

log = logging.getLogger(__name__)
BEATS_PER_LEASE = 6
FORGET_SECONDS = 86_400


class Liveness(threading.Thread):
    """Beats for one worker process and takes over from those that stopped beating.

    lease: seconds without a beat after which a worker counts as dead.
    take_over: called with the executor ids found dead.
    A worker that itself was stopped does not judge others for one lease.
    """

    def __init__(
        self,
        database: Database,
        executor_id: str,
        lease: float,
        take_over: Callable[[list[str]], None],
        started_at: datetime,
        version: str,
    ) -> None:
        super().__init__(name="liveness", daemon=True)
        self._database, self._me, self._lease, self._take_over = database, executor_id, lease, take_over
        self._started_at, self._version = started_at, version
        self._stopping = threading.Event()
        self.beat()

    def run(self) -> None:
        """Beat and watch until told to stop."""
        last = quiet_since = time.monotonic()
        while not self._stopping.wait(self._lease / BEATS_PER_LEASE):
            try:
                self.beat()
                now = time.monotonic()
                if now - last > self._lease / 2:
                    quiet_since = now
                last = now
                if now - quiet_since > self._lease and (dead := self._dead()):
                    self._take_over(dead)
            except Exception:
                log.warning("liveness", exc_info=True)

    def beat(self) -> None:
        """Say that this worker lives."""
        epoch: sa.ColumnElement[float] = sa.literal_column(self._database.dialect.epoch)
        with self._database.transaction() as connection:
            beaten = connection.execute(sa.update(worker).where(worker.c.id == self._me).values(beat=epoch))
            if beaten.rowcount == 0:
                connection.execute(
                    sa.insert(worker).values(
                        id=self._me, beat=epoch, version=self._version, started_at=self._started_at
                    )
                )

    def stop(self) -> None:
        """Stop beating and leave: others may take over at once."""
        self._stopping.set()
        self.join(timeout=5)
        epoch: sa.ColumnElement[float] = sa.literal_column(self._database.dialect.epoch)
        with self._database.transaction() as connection:
            connection.execute(
                sa.delete(worker).where(
                    sa.or_(worker.c.id == self._me, worker.c.beat < epoch - FORGET_SECONDS)
                )
            )

    def _dead(self) -> list[str]:
        dialect = self._database.dialect
        query = sa.text(
            f"SELECT DISTINCT s.executor_id FROM {dialect.schema}workflow_status s"  # noqa: S608
            " LEFT JOIN worker w ON w.id = s.executor_id"
            " WHERE s.status = 'PENDING' AND s.executor_id IS NOT NULL AND s.executor_id <> :me"
            f" AND (w.id IS NULL OR w.beat < {dialect.epoch} - :lease)"
        )
        with self._database.reading() as connection:
            return sorted(connection.execute(query, {"me": self._me, "lease": self._lease}).scalars())


class Watch(threading.Thread):
    """Calls `look` every `seconds` until stopped; a look that fails is logged and tried again."""

    def __init__(self, name: str, seconds: float, look: Callable[[], object]) -> None:
        super().__init__(name=name, daemon=True)
        self._seconds, self._look = seconds, look
        self._stopping = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self._stopping.wait(self._seconds):
            try:
                self._look()
            except Exception:
                log.warning(self.name, exc_info=True)

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self.join(timeout=5)
