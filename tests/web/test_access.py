"""S3: who may do what, on every route: the same 401 for whoever is not known, the same 404 for a stranger."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from glassfolio.clock import SystemClock
from glassfolio.identity.issuer import Issuer
from glassfolio.web import errors
from glassfolio.web.access import Operator, Users, address_of
from glassfolio.wiring import assemble
from tests.contracts.running import Running, make_settings, opened, running
from tests.databases import shared_database

BOSS = "boss"
STATUS = "/api/v1/onboarding/status/{portfolio_id}"
Route = tuple[str, str]
Ids = dict[str, str]
Seen = tuple[int, list[tuple[str, str]], bytes]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("access")
    with (
        shared_database(request, folder) as url,
        running(make_settings(folder, url, admins=BOSS), worker=False) as started,
    ):
        yield started


@pytest.fixture(scope="module")
def routes(service: Running) -> list[Route]:
    """Every way of the API that names something of somebody's, what operators do apart."""
    paths = service.anonymous().get("/api/v1/openapi.json").json()["paths"]
    found = [(m, path) for path, ways in paths.items() for m in ways if "_id}" in path]
    return [(m, path) for m, path in found if not path.startswith("/api/v1/admin/")]


@pytest.fixture(scope="module")
def targets(service: Running) -> dict[str, Ids]:
    """What alice asks for: an id of nothing, her own that she deleted, and bob's."""
    absent = {"portfolio_id": str(uuid4()), "run_id": str(uuid4())}
    deleted = ids_of(opened(service.client("alice")))
    assert service.client("alice").delete(f"/api/v1/portfolios/{deleted['portfolio_id']}").status_code == 204
    return {"absent": absent, "deleted": deleted, "foreign": ids_of(opened(service.client("bob")))}


def ids_of(told: dict[str, Any]) -> Ids:
    return {"portfolio_id": told["portfolio_id"], "run_id": told["run_id"]}


def ask(service: Running, route: Route, ids: Ids, token: str | None) -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    method, path = route
    return service.anonymous().request(method, path.format(**ids), headers=headers)


def seen(reply: httpx.Response) -> Seen:
    """All that a caller can see of an answer, but for the date and the request's own id."""
    headers = sorted((k, v) for k, v in reply.headers.multi_items() if k != "date")
    body = reply.content
    if reply.status_code == 401:
        body = body.replace(reply.json()["request_id"].encode(), b"")
    return reply.status_code, headers, body


def expired(service: Running) -> str:
    return service.issuer.token("bob", SystemClock().now() - timedelta(seconds=100), 60)


def wrong_party(service: Running) -> str:
    return Issuer(service.issuer.key, "https://evil.example").token("bob", SystemClock().now())


UNKNOWN: dict[str, Callable[[Running], str | None]] = {
    "no token": lambda _service: None,
    "expired": expired,
    "wrong azp": wrong_party,
}


@pytest.mark.parametrize("who", ["alice", "mallory", BOSS])
@pytest.mark.parametrize("what", ["absent", "deleted", "foreign"])
def test_a_stranger_gets_the_same_404_on_every_route(
    service: Running, routes: list[Route], targets: dict[str, Ids], who: str, what: str
) -> None:
    """Being an operator opens nobody's portfolio."""
    token = service.token(who)
    expected = seen(ask(service, ("get", STATUS), targets["absent"], service.token("alice")))
    assert expected[0] == 404
    for route in routes:
        assert seen(ask(service, route, targets[what], token)) == expected, route


@pytest.mark.parametrize("who", UNKNOWN)
@pytest.mark.parametrize("what", ["exists", "absent", "deleted", "foreign"])
def test_who_is_not_known_gets_the_same_401_on_every_route(
    service: Running, routes: list[Route], targets: dict[str, Ids], who: str, what: str
) -> None:
    """Even bob's own is no more to be seen with his expired token than what never was."""
    ids = targets["foreign" if what == "exists" else what]
    expected = seen(ask(service, ("get", STATUS), targets["absent"], None))
    assert expected[0] == 401
    for route in routes:
        assert seen(ask(service, route, ids, UNKNOWN[who](service))) == expected, route


def test_the_owner_gets_an_answer_on_every_route(service: Running, routes: list[Route]) -> None:
    carol = service.client("carol")
    deleting = [route for route in routes if route[0] == "delete"]
    for route in [route for route in routes if route not in deleting] + deleting:
        ids = ids_of(opened(carol))
        method, path = route
        headers = {"Authorization": f"Bearer {service.token('carol')}"}
        # A stream would not end by itself: only its beginning is looked at.
        with service.anonymous().stream(method, path.format(**ids), headers=headers) as reply:
            # Retrying what is at work is refused to its owner too, in other words.
            assert reply.status_code < 300 or reply.status_code in (409, 422), route
        carol.delete(f"/api/v1/portfolios/{ids['portfolio_id']}")
    assert len(routes) >= 15


@pytest.mark.parametrize(
    "header",
    [
        "Bearer {token} {token}",
        "Bearer{token}",
        "Basic {token}",
        "{token}",
        "Bearer {token}, Bearer {token}",
        "Bearer " + "x" * 4096,
    ],
)
def test_a_header_that_is_no_single_bearer_token_is_refused(service: Running, header: str) -> None:
    given = {"Authorization": header.format(token=service.token("alice"))}
    assert service.anonymous().get("/api/v1/portfolios", headers=given).status_code == 401


def test_two_headers_are_refused(service: Running) -> None:
    bearer = f"Bearer {service.token('alice')}"
    given = [("Authorization", bearer), ("Authorization", bearer)]
    assert service.anonymous().get("/api/v1/portfolios", headers=given).status_code == 401


@pytest.mark.parametrize("query", ["token={}", "access_token={}", "x=1&jwt={}", "{}"])
def test_a_token_in_the_address_is_refused_even_beside_a_good_header(service: Running, query: str) -> None:
    """It would end in logs, histories and referrers."""
    path = f"/api/v1/portfolios?{query.format(service.token('alice'))}"
    assert service.client("alice").get("/api/v1/portfolios").status_code == 200
    assert service.client("alice").get(path).status_code == 401


@dataclass
class Asked:
    """An application with one route for operators."""

    app: FastAPI
    token: Callable[[str], str]

    def post(self, subject: str | None, run_id: str) -> httpx.Response:
        headers = {} if subject is None else {"Authorization": f"Bearer {self.token(subject)}"}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.post(f"/operate/{run_id}", headers=headers)

        return asyncio.run(send())


@pytest.fixture
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    parts = assemble(make_settings(tmp_path_factory.mktemp("operators"), admins=f"{BOSS},second"))
    app = FastAPI()
    app.state.parts, app.state.users = parts, Users(parts)
    errors.install(app)

    @app.post("/operate/{run_id}")
    def operate(run_id: str, caller: Operator) -> dict[str, str]:
        return {"trigger": caller.trigger.value, "user": caller.user_id}

    assert parts.issuer is not None
    issuer = parts.issuer
    yield Asked(app, lambda subject: issuer.token(subject, parts.clock.now()))
    parts.close()


class TestOperators:
    def test_those_of_the_settings_are_let_in_as_operators(self, asked: Asked) -> None:
        """S21: the run keeps the internal id, and that it was an operator."""
        for subject in (BOSS, "second"):
            reply = asked.post(subject, str(uuid4()))
            assert reply.status_code == 200
            assert reply.json()["trigger"] == "admin"
            assert subject not in reply.json()["user"]

    @pytest.mark.parametrize("subject", ["alice", "Boss", "boss2", "bos", f"{BOSS},second"])
    def test_others_are_told_that_they_may_not(self, asked: Asked, subject: str) -> None:
        reply = asked.post(subject, str(uuid4()))
        assert (reply.status_code, reply.json()["code"]) == (403, "OPERATORS_ONLY")
        assert reply.headers["content-type"] == "application/problem+json"

    def test_who_is_not_known_is_told_to_sign_in(self, asked: Asked) -> None:
        assert asked.post(None, str(uuid4())).status_code == 401

    def test_a_malformed_id_is_the_same_404(self, asked: Asked) -> None:
        assert asked.post(BOSS, "x").json()["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address"),
    [
        ("203.0.113.9", [], "", "203.0.113.9"),
        ("203.0.113.9", ["1.1.1.1"], "", "203.0.113.9"),
        ("203.0.113.9", ["1.1.1.1"], "10.0.0.0/8", "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1"], "10.0.0.0/8", "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6, 1.1.1.1"], "10.0.0.0/8", "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6, 1.1.1.1, 10.0.0.2"], "10.0.0.0/8", "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6", "1.1.1.1"], "10.0.0.0/8", "1.1.1.1"),
        ("10.0.0.1", [], "10.0.0.0/8", "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.0/8", "10.0.0.2"),
        ("10.0.0.1", ["1.1.1.1"], "10.0.0.1", "1.1.1.1"),
        ("10.0.0.3", ["1.1.1.1"], "10.0.0.1,10.0.0.3", "1.1.1.1"),
        ("::1", ["2001:db8::7"], "::1", "2001:db8::7"),
        ("::ffff:10.0.0.1", ["1.1.1.1"], "10.0.0.0/8", "1.1.1.1"),
        ("10.0.0.1", ["nonsense"], "10.0.0.0/8", "nonsense"),
        ("", ["1.1.1.1"], "10.0.0.0/8", ""),
    ],
)
def test_an_address_is_believed_only_from_trusted_proxies(
    tmp_path_factory: pytest.TempPathFactory,
    peer: str,
    forwarded: list[str],
    trusted: str,
    address: str,
) -> None:
    @dataclass
    class Only:
        settings: object

    app = FastAPI()
    app.state.parts = Only(make_settings(tmp_path_factory.getbasetemp(), trusted_proxies=trusted))
    scope = {
        "type": "http",
        "app": app,
        "client": (peer, 1) if peer else None,
        "headers": [(b"x-forwarded-for", line.encode()) for line in forwarded],
    }
    assert address_of(Request(scope)) == address
