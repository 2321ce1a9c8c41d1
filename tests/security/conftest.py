"""A service with the limits of its default settings, under a clock that the tests move."""

from collections.abc import Iterator

import pytest

from glassfolio.settings import Settings
from glassfolio.web.limits import Limits, policies
from tests.contracts.running import Running, make_settings, running
from tests.databases import shared_database
from tests.security.wall import Wall, standing_still

DEFAULTS = Settings.model_fields


@pytest.fixture(scope="module")
def wall() -> Iterator[Wall]:
    with pytest.MonkeyPatch.context() as patch:
        yield standing_still(patch)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def limited(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wall: Wall
) -> Iterator[Running]:
    """A service without a worker, limited as by default, once on each database."""
    folder = tmp_path_factory.mktemp("limited")
    rates = {name: DEFAULTS[name].default for name in ("status_rate", "upload_rate")}
    with shared_database(request, folder) as url:
        settings = make_settings(folder, url, **rates)
        counters = Limits(policies(settings.status_polls, settings.uploads), clock=wall)
        with running(settings, worker=False, clock=wall, limits=counters) as service:
            yield service
