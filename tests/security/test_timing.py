"""S3: the time of an answer says no more than its bytes. Noise only hides a difference, so a busy machine can
make these tests too mild, never too strict; the last one shows that they see a difference that is there.
"""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.contracts.running import Running, make_settings, opened, running, stored
from tests.security.timing import Address, advantage

MANY = 40
SEED = 3
LIKELY = "/api/v1/onboarding/status/{portfolio_id}"
Ids = list[dict[str, str]]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(make_settings(tmp_path_factory.mktemp("timing")), worker=False) as started:
        yield started


@pytest.fixture(scope="module")
def foreign(service: Running) -> Ids:
    told = [opened(service.client("bob")) for _ in range(MANY)]
    return [{"portfolio_id": one["portfolio_id"], "run_id": one["run_id"]} for one in told]


@pytest.fixture(scope="module")
def absent() -> Ids:
    return [{"portfolio_id": str(uuid4()), "run_id": str(uuid4())} for _ in range(MANY)]


def addresses(method: str, path: str, ids: Ids) -> list[Address]:
    return [(method.upper(), path.format(**one)) for one in ids]


@pytest.mark.slow
def test_a_foreign_portfolio_takes_as_long_as_an_absent_one(
    service: Running, foreign: Ids, absent: Ids
) -> None:
    theirs, nobodys = (addresses("get", LIKELY, ids) for ids in (foreign, absent))
    assert 0.45 <= advantage(service.url, service.token(), theirs, nobodys, 5000, SEED) <= 0.55


@pytest.mark.slow
def test_so_it_is_on_every_route(service: Running, foreign: Ids, absent: Ids) -> None:
    """A new route is covered by being in the schema."""
    paths = service.anonymous().get("/api/v1/openapi.json").json()["paths"]
    routes = [(m, path) for path, methods in paths.items() for m in methods if "{" in path and path != LIKELY]
    assert len(routes) >= 13
    for method, path in routes:
        theirs, nobodys = (addresses(method, path, ids) for ids in (foreign, absent))
        guess = advantage(service.url, service.token(), theirs, nobodys, 1000, SEED)
        assert 0.45 <= guess <= 0.55, (method, path)


def test_a_difference_that_is_there_is_seen(service: Running) -> None:
    for _ in range(100):
        stored(service.client("hoarder"))
    long, short = [("GET", "/api/v1/portfolios")], [("GET", "/api/v1/onboarding/csv-template")]
    assert advantage(service.url, service.token("hoarder"), long, short, 200, SEED) > 0.8
