"""A real browser before a real service; without Chromium these tests are skipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.screen import Person, find_chromium, launched
from tests.contracts.conftest import serving
from tests.contracts.running import Running
from tests.databases import make_sqlite
from tests.fakes.tiingo import FakeTiingo


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One Chromium for all of these tests; closed before others run an event loop of their own."""
    if find_chromium() is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with launched() as browser:
        yield browser


@pytest.fixture
def provider() -> Iterator[FakeTiingo]:
    """The price server, whose behaviour a test can change."""
    with FakeTiingo() as server:
        yield server


@pytest.fixture
def service(provider: FakeTiingo, tmp_path: Path) -> Iterator[Running]:
    """A working service that has no prices yet."""
    with serving(provider, make_sqlite(tmp_path), tmp_path)() as started:
        yield started


@pytest.fixture
def alice(chromium: Browser, service: Running) -> Iterator[Person]:
    """Somebody signed in, with a browser of their own."""
    with Person(chromium, service, "alice") as person:
        yield person
