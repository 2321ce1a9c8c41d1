"""Every error is a problem (RFC 9457) with a code, and nothing that was sent comes back in it."""

import httpx
import pytest

from glassfolio import errors
from glassfolio.web.errors import CODES, STATUS
from tests.contracts.running import HEADER, Running, stored, upload

CANARY = "canary-7f3a"


def leaves(kind: type[errors.GlassfolioError]) -> list[type[errors.GlassfolioError]]:
    below = [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)]
    return below or [kind]


@pytest.mark.parametrize("kind", leaves(errors.GlassfolioError), ids=lambda kind: kind.__name__)
def test_every_exception_we_raise_has_an_answer(kind: type[errors.GlassfolioError]) -> None:
    assert kind in STATUS
    assert (kind.__doc__ or "").strip()
    if STATUS[kind] < 500:
        assert kind in CODES or kind is errors.Superseded


def assert_problem(reply: httpx.Response, status: int, code: str) -> None:
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["cache-control"] == "no-store"
    body = reply.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["title"]
    assert body["detail"]
    assert body["type"].startswith("https://")
    assert body["request_id"]


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing", "/api/v2/portfolios", "/docs", "/redoc"])
def test_an_unknown_address_is_a_problem(idle: Running, path: str) -> None:
    assert_problem(idle.anonymous().get(path), 404, "NO_SUCH_ADDRESS")


def test_a_wrong_method_is_a_problem_that_says_which_are_allowed(idle: Running) -> None:
    reply = idle.anonymous().put("/healthz")
    assert_problem(reply, 405, "METHOD_NOT_ALLOWED")
    assert reply.headers["allow"] == "GET"


def test_a_parameter_that_cannot_be_is_a_problem_without_echo(alice: httpx.Client) -> None:
    """Pitfall: the framework's own answer returns the input."""
    reply = alice.get(f"/api/v1/runs/{CANARY}/log", params={"limit": CANARY, "after": CANARY})
    assert reply.status_code in (404, 422)
    assert CANARY not in reply.text
    portfolio_id = stored(alice)
    reply = alice.get(f"/api/v1/portfolios/{portfolio_id}/snapshots", params={"from": CANARY})
    assert_problem(reply, 422, "INVALID_REQUEST")
    assert CANARY not in reply.text
    assert reply.json()["errors"][0]["pointer"] == "/query/from"


def test_a_query_that_cannot_be_is_refused_on_upload(alice: httpx.Client) -> None:
    reply = upload(alice, query=f"dry_run={CANARY}")
    assert_problem(reply, 422, "INVALID_REQUEST")
    assert CANARY not in reply.text


def test_only_the_faulty_cell_of_an_owners_own_file_is_shown(alice: httpx.Client) -> None:
    """Of a file, at most 64 printable characters of the cell at fault; of the rest of the row, nothing."""
    row = f"AAPL,{CANARY}{'x' * 100},126.00,2021-03-15\nMSFT,5,1.00,2021-03-15\n"
    reply = upload(alice, HEADER + row, name="secret-name")
    assert reply.status_code == 422
    (found,) = reply.json()["errors"]
    assert found["value"].startswith(CANARY)
    assert len(found["value"]) <= 64
    assert "secret-name" not in reply.text
    assert "MSFT" not in reply.text


def test_an_unknown_address_does_not_come_back(idle: Running) -> None:
    reply = idle.anonymous().get(f"/{CANARY}", params={"x": CANARY}, headers={"X-Request-Id": CANARY})
    assert CANARY not in reply.text + str(reply.headers)


def test_two_requests_have_two_ids(idle: Running) -> None:
    one, other = (idle.anonymous().get("/nothing").json()["request_id"] for _ in range(2))
    assert one != other


def test_alive_and_ready_are_two_questions(idle: Running) -> None:
    """Without a worker a service is alive and not ready."""
    assert idle.anonymous().get("/healthz").json() == {"status": "alive"}
    ready = idle.anonymous().get("/readyz")
    assert ready.status_code == 503
    assert ready.json() == {
        "ready": False,
        "database": True,
        "migrations": True,
        "worker": False,
        "keys": True,
    }


def test_a_service_with_a_worker_is_ready(working: Running) -> None:
    ready = working.anonymous().get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["ready"] is True
