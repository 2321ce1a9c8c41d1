"""Migrated databases for tests, one of each kind: a SQLite file, and a PostgreSQL database of its own.

GLASSFOLIO_TEST_POSTGRES is the address of a server where databases may be made, such as
postgresql://postgres@127.0.0.1:5432/postgres. Without it the PostgreSQL variants are skipped.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from glassfolio.clock import SystemClock
from glassfolio.db.engine import Database, connect
from glassfolio.operations import migrate_all

SERVER = "GLASSFOLIO_TEST_POSTGRES"
MISSING = f"{SERVER} is not set: no PostgreSQL to test on"
UNREACHABLE = f"{SERVER} names a server that does not answer"
NAME = "glassfolio_test_"


def open_database(url: str) -> Database:
    """A database as a process would open it."""
    return connect(url, lambda: SystemClock().now().timestamp())


def make_sqlite(folder: Path) -> str:
    """The address of a migrated SQLite file of its own."""
    url = f"sqlite:///{folder / f'{uuid4().hex[:8]}.db'}"
    _migrate(url)
    return url


class Postgres:
    """A server where databases are made, each a copy of one that was migrated, and dropped at the end."""

    def __init__(self, address: str) -> None:
        self._address = sa.make_url(address).set(drivername="postgresql+psycopg")
        self._server = sa.create_engine(
            self._address, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3}
        )
        self._made: list[str] = []
        self._template: str | None = None

    def reachable(self) -> bool:
        """Whether the server answers."""
        try:
            self._server.connect().close()
        except sa.exc.OperationalError:
            return False
        return True

    def make(self) -> str:
        """The address of a migrated database of its own."""
        if self._template is None:
            self._template = self._create("")
            _migrate(self._url(self._template))
        return self._url(self._create(f' TEMPLATE "{self._template}"'))

    def _create(self, more: str) -> str:
        name = NAME + uuid4().hex
        with self._server.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"{more}')
        self._made.append(name)
        return name

    def _url(self, name: str) -> str:
        url = self._address.set(drivername="postgresql", database=name)
        return url.render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Drop a database that `make` made, whoever is still connected."""
        self._drop(str(sa.make_url(url).database))

    def _drop(self, name: str) -> None:
        self._made.remove(name)
        with self._server.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def close(self) -> None:
        """Drop what is left."""
        for name in list(self._made):
            self._drop(name)
        self._server.dispose()


def _migrate(url: str) -> None:
    database = open_database(url)
    migrate_all(database)
    database.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    address = os.environ.get(SERVER, "")
    if not address:
        pytest.skip(MISSING)
    server = Postgres(address)
    if not server.reachable():
        pytest.skip(UNREACHABLE)
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which of the two databases a test is on."""
    kind: str = request.param
    return kind


@pytest.fixture
def new_database(
    request: pytest.FixtureRequest, database_kind: str, tmp_path: Path
) -> Iterator[Callable[[], str]]:
    """Makes migrated databases of one kind; gives their addresses."""
    if database_kind == "sqlite":
        yield lambda: make_sqlite(tmp_path)
        return
    server: Postgres = request.getfixturevalue("postgres")
    made: list[str] = []

    def make() -> str:
        made.append(server.make())
        return made[-1]

    yield make
    for url in made:
        server.drop(url)


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    """The address of a migrated database, once of each kind."""
    return new_database()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database, once of each kind."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@contextmanager
def shared_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The address of a migrated database of the kind `request.param`, for a fixture that many tests share."""
    if request.param == "sqlite":
        yield make_sqlite(folder)
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.make()
    try:
        yield url
    finally:
        server.drop(url)
