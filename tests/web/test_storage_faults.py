"""A database that is full, read-only, locked or away: 503 with a clear text, nothing lost, and no restart."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from tests.contracts.running import Running, form, make_settings, opened, running, status, upload
from tests.databases import Postgres

Fault = Callable[[Running], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(make_settings(tmp_path_factory.mktemp("faults")), worker=False) as started:
        yield started


@contextmanager
def every_connection(service: Running, statement: str) -> Iterator[None]:
    """Says a statement on each connection as it is used; afterwards all connections are new."""
    engine = service.parts.database.engine

    def say(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(statement)

    sa.event.listen(engine, "checkout", say)
    try:
        yield
    finally:
        sa.event.remove(engine, "checkout", say)
        engine.dispose()


@contextmanager
def read_only(service: Running) -> Iterator[None]:
    with every_connection(service, "PRAGMA query_only=ON"):
        yield


@contextmanager
def full(service: Running) -> Iterator[None]:
    with every_connection(service, "PRAGMA max_page_count=1"):
        yield


@contextmanager
def locked(service: Running) -> Iterator[None]:
    path = service.parts.database.engine.url.database
    other = sqlite3.connect(str(path), isolation_level=None)
    with every_connection(service, "PRAGMA busy_timeout=50"):
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()


def assert_refused(reply: httpx.Response, code: str, words: str) -> None:
    assert reply.status_code == 503, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert int(reply.headers["retry-after"]) >= 1
    assert reply.json()["code"] == code
    assert words in reply.json()["detail"]
    for private in ("sqlite", "SELECT", "INSERT", "psycopg", "127.0.0.1", "Traceback"):
        assert private not in reply.text


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (read_only, "STORAGE_READ_ONLY", "cannot be written to"),
        (full, "STORAGE_FULL", "disk is full"),
        (locked, "STORAGE_UNAVAILABLE", "try again shortly"),
    ],
    ids=["read-only", "full", "locked"],
)
def test_writes_say_what_is_wrong_reads_go_on_and_nothing_is_lost(
    service: Running, fault: Fault, code: str, words: str
) -> None:
    client = service.client()
    kept = opened(client)
    before = status(client, kept["portfolio_id"])
    fields = form()
    with fault(service):
        assert_refused(upload(client, **fields), code, words)
        if fault is not full:  # A full disk may still have room for a small change.
            assert_refused(client.post(f"/api/v1/runs/{kept['run_id']}/cancel"), code, words)
            assert_refused(client.delete(f"/api/v1/portfolios/{kept['portfolio_id']}"), code, words)
        assert status(client, kept["portfolio_id"])["seq"] == before["seq"]
    assert status(client, kept["portfolio_id"])["seq"] == before["seq"]
    assert upload(client, **fields).status_code == 202


def test_a_database_that_does_not_answer_is_503_until_it_does(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.make()
    name = sa.make_url(url).database
    address = sa.make_url(url).set(drivername="postgresql+psycopg", database="postgres")
    server = sa.create_engine(address, isolation_level="AUTOCOMMIT")

    def allow(answer: str) -> None:
        with server.connect() as connection:
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS {answer}')
            connection.exec_driver_sql(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )

    with running(make_settings(tmp_path, url), worker=False) as service:
        client = service.client()
        kept = opened(client)
        fields = form()
        allow("false")
        for reply in (
            client.get(f"/api/v1/onboarding/status/{kept['portfolio_id']}"),
            client.get("/api/v1/portfolios"),
            upload(client, **fields),
        ):
            assert_refused(reply, "STORAGE_UNAVAILABLE", "does not answer")
        assert service.anonymous().get("/healthz").status_code == 200
        assert service.anonymous().get("/readyz").status_code == 503
        allow("true")
        assert status(client, kept["portfolio_id"])["run_id"] == kept["run_id"]
        assert upload(client, **fields).status_code == 202
    server.dispose()
    postgres.drop(url)


def test_a_database_that_became_read_only_says_so(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.make()
    with running(make_settings(tmp_path, url), worker=False) as service:
        client = service.client()
        kept = opened(client)
        with service.parts.database.transaction() as connection:
            name = sa.make_url(url).database
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        service.parts.database.engine.dispose()
        assert_refused(upload(client), "STORAGE_READ_ONLY", "cannot be written to")
        assert status(client, kept["portfolio_id"])["run_id"] == kept["run_id"]
    postgres.drop(url)
