"""A working service on each database, its prices from a server whose behaviour a test can change."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.contracts.running import AFTER_THE_LAST_SESSION, Running, ShiftedClock, make_settings, running
from tests.databases import shared_database
from tests.fakes.tiingo import FakeTiingo

Serve = Callable[..., AbstractContextManager[Running]]


@pytest.fixture
def fake() -> Iterator[FakeTiingo]:
    with FakeTiingo() as server:
        yield server


@pytest.fixture
def serve(fake: FakeTiingo, database_url: str, tmp_path: Path) -> Serve:
    """Starts a service on the test's database; stop it before starting the next one."""
    return serving(fake, database_url, tmp_path)


@pytest.fixture(scope="module")
def shared_fake() -> Iterator[FakeTiingo]:
    with FakeTiingo() as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(
    request: pytest.FixtureRequest, shared_fake: FakeTiingo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A working service that the tests of a module share, once on each database."""
    folder = tmp_path_factory.mktemp("service")
    with shared_database(request, folder) as url, serving(shared_fake, url, folder)() as started:
        yield started


@pytest.fixture
def provider(shared_fake: FakeTiingo) -> Iterator[FakeTiingo]:
    """The shared price server; what a test does to it is undone."""
    yield shared_fake
    shared_fake.delay = 0.0
    shared_fake.release()
    shared_fake.set_faults({hit.symbol: None for hit in shared_fake.hits} | {"*": None})


def serving(fake: FakeTiingo, url: str, folder: Path) -> Serve:
    """A maker of services on one database and one price server; all share a clock."""
    clock = ShiftedClock(AFTER_THE_LAST_SESSION)

    def start(*, worker: bool = True) -> AbstractContextManager[Running]:
        settings = make_settings(
            folder,
            url,
            provider="tiingo",
            provider_url=fake.url,
            provider_key="key",
            provider_rate=1000.0,
            factor_set="demo",
        )
        return running(settings, worker=worker, clock=clock)

    return start
