"""Connections and transactions, and the one place that tells SQLite from PostgreSQL.

Knows nothing of what the tables mean.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, OperationalError

from glassfolio.errors import StorageFull, StorageReadOnly, StorageUnavailable

BUSY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the two databases.

    isolation: the level every transaction of the engine runs at.
    epoch: SQL for the database's own clock, seconds since 1970 with fractions.
    schema: prefix of the engine's tables.
    reads_wait: whether a read waits on a network; SQLite reads a file, and never waits for a writer.
    """

    name: Literal["sqlite", "postgresql"]
    isolation: Literal["SERIALIZABLE", "READ COMMITTED"]
    epoch: str
    schema: str
    reads_wait: bool


SQLITE = Dialect("sqlite", "SERIALIZABLE", "((julianday('now')-2440587.5)*86400.0)", "", reads_wait=False)
POSTGRESQL = Dialect(
    "postgresql",
    "READ COMMITTED",
    "cast(extract(epoch from clock_timestamp()) as double precision)",
    "dbos.",
    reads_wait=True,
)


class Database:
    """One database: its engine, its dialect, and how to open a transaction on it."""

    def __init__(self, engine: sa.Engine, dialect: Dialect) -> None:
        self.engine = engine
        self.dialect = dialect
        # One writer at a time inside a process: waiting for SQLite's own lock sleeps in steps.
        self._writer = threading.RLock() if dialect is SQLITE else None

    @property
    def url(self) -> str:
        """The address with its password, as the engine needs it; never to be logged."""
        return self.engine.url.render_as_string(hide_password=False)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for reading; nothing done on it is kept."""
        with translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A connection whose work is kept together at the end, or not at all.

        Begin with a write: on SQLite, what is read before the first write is outside the transaction.
        """
        with translated(), self.writing(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The process's turn to write; entered again freely by the thread that has it."""
        with self._writer or nullcontext():
            yield

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


def connect(url: str, now: Callable[[], float]) -> Database:
    """The database at `url`, `sqlite:///path` or `postgresql://…`.

    now: wall clock in seconds since 1970; the durable engine's SQL clock on SQLite.
    """
    if url.startswith("sqlite"):
        return Database(_sqlite_engine(url, now), SQLITE)
    parsed = sa.make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(
        parsed,
        pool_size=20,
        max_overflow=20,
        pool_pre_ping=True,
        hide_parameters=True,
        isolation_level=POSTGRESQL.isolation,
        connect_args={
            "connect_timeout": 10,
            "application_name": "glassfolio",
            # A host that vanishes inside a transaction must not keep its run's row locked for ever.
            "options": "-c idle_in_transaction_session_timeout=60000",
        },
    )
    return Database(engine, POSTGRESQL)


def _sqlite_engine(url: str, now: Callable[[], float]) -> sa.Engine:
    path = sa.make_url(url).database
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, pool_size=20, max_overflow=20, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        # The engine's clock: missing before SQLite 3.42 on newer Pythons, whole seconds on older ones.
        connection.create_function("unixepoch", 1, lambda _modifier: round(now(), 3))
        connection.create_function(
            "strftime", 2, lambda form, moment: round(now(), 3) if (form, moment) == ("%s", "now") else None
        )
        for pragma in (
            f"busy_timeout={BUSY_SECONDS * 1000}",
            "foreign_keys=ON",
            "journal_mode=WAL",
            "synchronous=FULL",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


@contextmanager
def translated() -> Iterator[None]:
    """Turns what a driver says of a full, read-only or unreachable database into our errors."""
    try:
        yield
    except DBAPIError as error:
        fault = storage_fault(error)
        if fault is None:
            raise
        raise fault from error


def storage_fault(
    error: BaseException,
) -> StorageFull | StorageReadOnly | StorageUnavailable | None:
    """Our word for a driver's error about the storage itself; None when it is about something else."""
    if not isinstance(error, DBAPIError):
        return None
    text = str(error.orig).lower()
    sqlstate = getattr(error.orig, "sqlstate", None)
    if "disk is full" in text or "disk i/o error" in text or sqlstate == "53100":
        return StorageFull()
    if "readonly" in text or sqlstate == "25006":
        return StorageReadOnly()
    if isinstance(error, OperationalError) and (
        error.connection_invalidated
        or sqlstate is None
        or sqlstate.startswith(("08", "57P", "53"))
        or "locked" in text
    ):
        return StorageUnavailable()
    return None
