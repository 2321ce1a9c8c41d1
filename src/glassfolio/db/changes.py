"""Tells when somebody has committed something, whichever process it was.

SQLite keeps a counter of other connections' commits; PostgreSQL sends a notice on a channel. Neither says
all that changed: whoever is woken looks for himself. Knows nothing of what the tables mean.
"""

import sqlite3
import time
from typing import Any, Protocol

import psycopg
import sqlalchemy as sa

from glassfolio.db.engine import SQLITE, Database

CHANNEL = "glassfolio_runs"
LOOK_SECONDS = 0.1
QUIET_SECONDS = 1.0


class Changes(Protocol):
    """Waits for the commits of others, one thread at a time."""

    def wait(self) -> bool:
        """Wait a moment; whether there may be something new."""
        ...

    def close(self) -> None:
        """Give back the connection."""
        ...


def watch(database: Database) -> Changes:
    """A way to wait for commits on `database`."""
    return _Counter(database) if database.dialect is SQLITE else _Notices(database)


def tell(connection: sa.Connection) -> None:
    """Make the commit of this transaction known to those who wait; SQLite needs no word."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"NOTIFY {CHANNEL}")


class _Counter:
    """SQLite: `PRAGMA data_version` changes with every commit of another connection."""

    def __init__(self, database: Database) -> None:
        path = str(database.engine.url.database)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._seen = self._version()

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def wait(self) -> bool:
        time.sleep(LOOK_SECONDS)
        now = self._version()
        changed, self._seen = now != self._seen, now
        return changed

    def close(self) -> None:
        self._connection.close()


class _Notices:
    """PostgreSQL: LISTEN, and a look once a second in case a notice was lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._raw: psycopg.Connection[Any] | None = None

    def wait(self) -> bool:
        began = time.monotonic()
        raw = self._raw or self._listen()
        if raw is None:
            time.sleep(QUIET_SECONDS)
            return True
        try:
            for _notice in raw.notifies(timeout=QUIET_SECONDS, stop_after=1):
                pass
        except psycopg.Error:
            self.close()
        # An unreachable server is found out by whoever looks. Notices of one burst are taken together.
        time.sleep(max(0.0, min(LOOK_SECONDS, began + LOOK_SECONDS - time.monotonic())))
        return True

    def _listen(self) -> psycopg.Connection[Any] | None:
        url = sa.make_url(self._database.url).set(drivername="postgresql")
        try:
            self._raw = psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)
            self._raw.execute(f"LISTEN {CHANNEL}")
        except psycopg.Error:
            self.close()
        return self._raw

    def close(self) -> None:
        if self._raw is not None:
            self._raw.close()
            self._raw = None
