"""S3: what is foreign, deleted, absent or malformed is the same 404, byte for byte, on every route."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.contracts.running import Running, opened, stored

IDS = ("portfolio_id", "run_id")
MALFORMED = ("x", "0", "../etc", "%00", "a" * 3000, "4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a1", "é", "'--")
Route = tuple[str, str]


def routes(client: httpx.Client) -> list[Route]:
    """Every method and path of the API that names a portfolio or a run; what operators do is apart."""
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    return [
        (method, path)
        for path, methods in paths.items()
        for method in methods
        if any(f"{{{name}}}" in path for name in IDS) and not path.startswith("/api/v1/admin/")
    ]


def answer(client: httpx.Client, route: Route, **ids: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Everything a caller can see of an answer, except when it was given."""
    method, path = route
    reply = client.request(method, path.format(**ids))
    headers = sorted((k, v) for k, v in reply.headers.multi_items() if k != "date")
    return reply.status_code, headers, reply.content


@pytest.fixture(scope="module")
def bob_ids(either: Running) -> dict[str, str]:
    told = opened(either.client("bob"))
    return {"portfolio_id": told["portfolio_id"], "run_id": told["run_id"]}


@pytest.fixture(scope="module")
def deleted_ids(either: Running) -> dict[str, str]:
    """Ids of a portfolio that alice had and deleted."""
    told = opened(either.client("alice"))
    assert either.client("alice").delete(f"/api/v1/portfolios/{told['portfolio_id']}").status_code == 204
    return {"portfolio_id": told["portfolio_id"], "run_id": told["run_id"]}


def test_the_routes_are_found_in_the_published_schema(either: Running) -> None:
    found = routes(either.anonymous())
    assert ("get", "/api/v1/onboarding/status/{portfolio_id}") in found
    assert ("delete", "/api/v1/portfolios/{portfolio_id}") in found
    assert ("post", "/api/v1/runs/{run_id}/cancel") in found
    assert len(found) >= 14


def test_the_same_404_on_every_route(
    either: Running, bob_ids: dict[str, str], deleted_ids: dict[str, str]
) -> None:
    """Pitfall: any caller may read any run id. A new route is covered by being in the schema."""
    alice = either.client("alice")
    absent = {name: str(uuid4()) for name in IDS}
    expected = answer(alice, ("get", "/api/v1/onboarding/status/{portfolio_id}"), **absent)
    assert expected[0] == 404
    assert ("content-type", "application/problem+json") in expected[1]
    assert ("cache-control", "no-store") in expected[1]
    for route in routes(either.anonymous()):
        for ids in (absent, bob_ids, deleted_ids):
            assert answer(alice, route, **ids) == expected, route
    for name, owned in bob_ids.items():
        assert owned not in str(expected), name


@pytest.mark.parametrize("malformed", MALFORMED, ids=ascii)
def test_a_malformed_id_is_the_same_404(either: Running, malformed: str) -> None:
    if malformed == "../etc":
        malformed = "..%2Fetc"
    alice = either.client("alice")
    expected = answer(alice, ("get", "/api/v1/runs/{run_id}"), run_id=str(uuid4()))
    for route in routes(either.anonymous()):
        got = answer(alice, route, portfolio_id=malformed, run_id=malformed)
        # A slash inside an id makes it another address, which is a 404 of its own.
        assert got == expected or (malformed == "..%2Fetc" and got[0] in (404, 405)), route


def test_a_version_known_from_elsewhere_earns_a_stranger_no_304(
    either: Running, bob_ids: dict[str, str]
) -> None:
    path = f"/api/v1/onboarding/status/{bob_ids['portfolio_id']}"
    tag = either.client("bob").get(path).headers["etag"]
    assert either.client("bob").get(path, headers={"If-None-Match": tag}).status_code == 304
    assert either.client("alice").get(path, headers={"If-None-Match": tag}).status_code == 404


def test_a_stranger_changes_nothing(either: Running, bob_ids: dict[str, str]) -> None:
    alice, bob = either.client("alice"), either.client("bob")
    before = bob.get(f"/api/v1/runs/{bob_ids['run_id']}").json()
    for method, path in routes(either.anonymous()):
        if method != "get":
            alice.request(method, path.format(**bob_ids))
    after = bob.get(f"/api/v1/runs/{bob_ids['run_id']}").json()
    assert after["seq"] == before["seq"]
    assert bob.get(f"/api/v1/portfolios/{bob_ids['portfolio_id']}").status_code == 200


def test_lists_hold_only_what_is_ones_own(either: Running) -> None:
    mine = stored(either.client("carol"))
    stored(either.client("dave"))
    assert [p["portfolio_id"] for p in either.client("carol").get("/api/v1/portfolios").json()] == [mine]


@pytest.fixture(scope="module", autouse=True)
def _free_names(either: Running) -> Iterator[None]:
    yield
    for subject in ("alice", "bob", "carol", "dave"):
        client = either.client(subject)
        for item in client.get("/api/v1/portfolios").json():
            client.delete(f"/api/v1/portfolios/{item['portfolio_id']}")
