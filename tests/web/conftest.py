"""Services to ask: one without a worker, where every run stays queued, and one that works."""

from collections.abc import Iterator

import httpx
import pytest

from tests.contracts.running import Running, make_settings, running
from tests.databases import shared_database


@pytest.fixture(scope="session")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service without a worker on SQLite."""
    with running(make_settings(tmp_path_factory.mktemp("idle")), worker=False) as service:
        yield service


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with a worker on SQLite and the bundled prices."""
    with running(make_settings(tmp_path_factory.mktemp("working"))) as service:
        yield service


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service without a worker, once on each database."""
    folder = tmp_path_factory.mktemp("either")
    with (
        shared_database(request, folder) as url,
        running(make_settings(folder, url), worker=False) as started,
    ):
        yield started


@pytest.fixture
def alice(idle: Running) -> httpx.Client:
    return idle.client("alice")


@pytest.fixture
def mallory(idle: Running) -> httpx.Client:
    return idle.client("mallory")
