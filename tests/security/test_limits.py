"""S18: every class of route ends in a real 429, and the 429 ends when it said it would."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from glassfolio.web.app import create_app
from glassfolio.web.limits import Limits, policies
from tests.contracts.running import (
    HEADER,
    Running,
    form,
    make_settings,
    running,
    stored,
    upload,
    wait_for,
)
from tests.security.wall import Wall
from tests.web.browser import Browser

# They need no sign-in and answer from memory, or ask for one row.
FREE = {
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/api/v1/onboarding/csv-template"),
    ("get", "/.well-known/jwks.json"),
}
# Pages charge whoever is signed in; see below.
PAGES = {
    "/",
    "/sign-in",
    "/sign-in/{one_time}",
    "/sign-out",
    "/session/token",
    "/account",
    "/account/password",
    "/portfolios/new",
    "/portfolios/{portfolio_id}",
    "/portfolios/{portfolio_id}/onboarding",
}
NO_ROUTES = {"/api/v1/openapi.json", "/static"}
POLICY = re.compile(r'"([a-z-]+)";q=([0-9]+);w=([0-9]+)')
STANDING = re.compile(r'"([a-z-]+)";r=([0-9]+);t=([0-9]+)')
Ask = Callable[[httpx.Client, str], httpx.Response]


@dataclass(frozen=True)
class Case:
    """A class of route. quota, window: of the policy that is reached first; ask: one request of it."""

    policy: str
    quota: int
    window: int
    ask: Ask


def poll(client: httpx.Client, portfolio_id: str) -> httpx.Response:
    return client.get(f"/api/v1/onboarding/status/{portfolio_id}")


def poll_another(client: httpx.Client, _portfolio_id: str) -> httpx.Response:
    return client.get(f"/api/v1/onboarding/status/{uuid4()}")


CASES = [
    Case("status", 5, 5, poll),
    Case("status-all", 20, 4, poll_another),
    Case("stream", 6, 60, lambda client, id_: client.get(f"/api/v1/onboarding/status/{id_}/events")),
    Case("other", 60, 10, lambda client, _id: client.get("/api/v1/portfolios")),
    Case("rerun", 30, 3600, lambda client, _id: client.post(f"/api/v1/portfolios/{uuid4()}/runs")),
    Case("upload-minute", 30, 60, lambda client, _id: upload(client, query="start=false")),
    Case("dry-run-minute", 30, 60, lambda client, _id: upload(client, query="dry_run=true")),
]


@pytest.fixture
def subject() -> str:
    """Somebody who has asked for nothing yet."""
    return f"user-{uuid4().hex}"


@pytest.fixture(autouse=True)
def _a_window_of_its_own(wall: Wall) -> Iterator[None]:
    yield
    wall.start_anew()


def standing(reply: httpx.Response) -> tuple[str, int, int, int, int]:
    """Name, quota, window, remaining and reset, as an answer tells them."""
    policy, now = (
        POLICY.fullmatch(reply.headers["ratelimit-policy"]),
        STANDING.fullmatch(reply.headers["ratelimit"]),
    )
    assert policy
    assert now
    assert policy[1] == now[1]
    return policy[1], int(policy[2]), int(policy[3]), int(now[2]), int(now[3])


def assert_refused(reply: httpx.Response, policy: str) -> int:
    """A 429 as a problem; returns the seconds it asks to wait."""
    assert reply.status_code == 429, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.json()["code"] == "TOO_MANY_REQUESTS"
    name, _quota, _window, remaining, reset = standing(reply)
    assert (name, remaining) == (policy, 0)
    wait = int(reply.headers["retry-after"])
    assert wait == reset >= 1
    assert not [header for header in reply.headers if header.startswith("x-ratelimit")]
    return wait


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.policy)
def test_every_class_is_refused_at_its_limit_and_served_again_after_the_time_it_was_told(
    limited: Running, wall: Wall, subject: str, case: Case
) -> None:
    client = limited.client(subject)
    portfolio_id = str(uuid4())
    for count in range(1, case.quota + 1):
        reply = case.ask(client, portfolio_id)
        assert reply.status_code != 429, count
        if case.policy != "status-all":  # Each portfolio's own limit is the closer one.
            assert standing(reply)[:4] == (case.policy, case.quota, case.window, case.quota - count)
    wait = assert_refused(case.ask(client, portfolio_id), case.policy)
    # The clock stands 1.5 s into the window.
    assert wait == case.window - 1
    wall.move(wait - 1)
    with limited.again(subject) as client:
        assert assert_refused(case.ask(client, portfolio_id), case.policy) <= 2
        wall.move(1)
        assert case.ask(client, portfolio_id).status_code != 429


def test_another_portfolio_and_another_caller_are_not_held_up(limited: Running, subject: str) -> None:
    """What was refused does not count, so hammering one portfolio takes nothing from the others."""
    client, first = limited.client(subject), str(uuid4())
    replies = [poll(client, first) for _ in range(30)]
    assert [reply.status_code for reply in replies].count(429) == 25
    assert poll(client, str(uuid4())).status_code == 404
    assert poll(limited.client(subject + "-other"), first).status_code == 404


def test_a_304_is_charged_like_any_poll(limited: Running, subject: str) -> None:
    client = limited.client(subject)
    reply = upload(client)
    tag = poll(client, reply.json()["portfolio_id"]).headers["etag"]
    replies = [
        client.get(
            f"/api/v1/onboarding/status/{reply.json()['portfolio_id']}", headers={"If-None-Match": tag}
        )
        for _ in range(5)
    ]
    assert [one.status_code for one in replies] == [304] * 4 + [429]
    assert standing(replies[0])[3] == 3


def test_a_run_is_polled_under_the_same_limit(limited: Running, subject: str) -> None:
    client, run_id = limited.client(subject), str(uuid4())
    codes = [client.get(f"/api/v1/runs/{run_id}").status_code for _ in range(6)]
    assert codes == [404] * 5 + [429]


def test_uploads_and_checks_of_a_file_are_counted_apart_and_refused_ones_count(
    limited: Running, subject: str
) -> None:
    client = limited.client(subject)
    codes = [upload(client, HEADER + "AAPL,0,1,2021-03-15\n").status_code for _ in range(31)]
    assert codes == [422] * 30 + [429]
    assert upload(client, query="dry_run=true").status_code == 200


def test_the_hours_uploads_are_limited_too(limited: Running, wall: Wall, subject: str) -> None:
    """Whoever keeps to the minute's limit reaches the hour's after 200."""
    client, accepted = limited.client(subject), 0
    for _minute in range(20):
        last = upload(client, HEADER + "AAPL,0,1,2021-03-15\n")
        while last.status_code != 429:
            accepted += 1
            last = upload(client, HEADER + "AAPL,0,1,2021-03-15\n")
        if standing(last)[0] == "upload-hour":
            break
        assert_refused(last, "upload-minute")
        wall.move(120)
    assert accepted == 200
    assert assert_refused(last, "upload-hour") > 60


def test_what_is_stored_counts_for_all_processes(limited: Running, wall: Wall, subject: str) -> None:
    """A process that has counted nothing finds the rows of the others."""
    client = limited.client(subject)
    for _ in range(30):
        assert upload(client, query="start=false").status_code == 201
    with running(
        make_settings(
            limited.parts.settings.data_dir, limited.parts.settings.url, upload_rate="30/min, 200/h"
        ),
        worker=False,
        clock=wall,
    ) as other:
        fresh = other.client(subject)
        assert assert_refused(upload(fresh, query="start=false"), "upload-minute") == 59
        # Nothing is stored by a check, so no row refuses it.
        assert upload(fresh, query="dry_run=true").status_code == 200
        wall.move(58)
        assert assert_refused(upload(fresh, query="start=false"), "upload-minute") == 1
        wall.move(1)
        assert upload(fresh, query="start=false").status_code == 201


def test_a_deleted_portfolio_still_counts_as_an_upload(limited: Running, wall: Wall, subject: str) -> None:
    client = limited.client(subject)
    settings = make_settings(
        limited.parts.settings.data_dir, limited.parts.settings.url, upload_rate="2/min, 200/h"
    )
    with running(settings, worker=False, clock=wall) as other:
        fresh = other.client(subject)
        for _ in range(2):
            client.delete(f"/api/v1/portfolios/{stored(fresh)}")
        assert assert_refused(upload(fresh), "upload-minute") == 59


def test_starts_and_retries_are_counted_from_their_rows(limited: Running, wall: Wall, subject: str) -> None:
    """The first run of a portfolio belongs to its upload; every attempt after it counts, thirty an hour."""
    with running(limited.parts.settings, worker=False, clock=wall, limits=Limits.none()) as other:
        client = other.client(subject)
        told = upload(client).json()
        run_id, portfolio_id = told["run_id"], told["portfolio_id"]
        for count in range(30):
            wall.move(1)
            assert client.post(f"/api/v1/runs/{run_id}/cancel").status_code == 202
            path = f"/api/v1/runs/{run_id}/retry" if count % 2 else f"/api/v1/portfolios/{portfolio_id}/runs"
            assert client.post(path).status_code == 202, count
        client.post(f"/api/v1/runs/{run_id}/cancel")
        for path in (f"/api/v1/runs/{run_id}/retry", f"/api/v1/portfolios/{portfolio_id}/runs"):
            assert assert_refused(client.post(path), "rerun") == 3600 - 31
        # Another portfolio's first run is an upload, its next one is not.
        second = upload(client).json()
        assert second["run_id"]
        client.post(f"/api/v1/runs/{second['run_id']}/cancel")
        assert_refused(client.post(f"/api/v1/portfolios/{second['portfolio_id']}/runs"), "rerun")


def test_an_active_run_is_answered_even_at_the_limit_of_rows(
    limited: Running, wall: Wall, subject: str
) -> None:
    with running(limited.parts.settings, worker=False, clock=wall, limits=Limits.none()) as other:
        client = other.client(subject)
        portfolio_id = upload(client).json()["portfolio_id"]
        codes = {client.post(f"/api/v1/portfolios/{portfolio_id}/runs").status_code for _ in range(40)}
        assert codes == {202}


class TestFailedSignIn:
    def test_an_address_that_fails_too_often_is_refused_without_a_look_at_its_token(
        self, limited: Running, wall: Wall, subject: str
    ) -> None:
        nobody, good = limited.anonymous(), limited.client(subject)
        wrong = {"Authorization": "Bearer a.b.c"}
        for count in range(20):
            assert nobody.get("/api/v1/portfolios", headers=wrong).status_code == 401, count
        wait = assert_refused(nobody.get("/api/v1/portfolios", headers=wrong), "sign-in")
        assert assert_refused(good.get("/api/v1/portfolios"), "sign-in") == wait == 59
        wall.move(wait)
        assert good.get("/api/v1/portfolios").status_code == 200

    def test_asking_without_a_token_is_no_attempt(self, limited: Running) -> None:
        codes = {limited.anonymous().get("/api/v1/portfolios").status_code for _ in range(40)}
        assert codes == {401}

    def test_a_forwarded_address_is_believed_from_a_trusted_proxy_only(
        self, limited: Running, wall: Wall, subject: str
    ) -> None:
        def fail(service: Running, address: str) -> int:
            headers = {"Authorization": "Bearer a.b.c", "X-Forwarded-For": f"198.51.100.7, {address}"}
            return service.anonymous().get("/api/v1/portfolios", headers=headers).status_code

        base = limited.parts.settings
        for proxies, expected in (((), 429), (("127.0.0.0/8",), 401)):
            settings = make_settings(base.data_dir, base.url, trusted_proxies=",".join(proxies))
            with running(settings, worker=False, clock=wall, limits=Limits({}, clock=wall)) as service:
                for _ in range(20):
                    assert fail(service, "203.0.113.1") == 401
                assert fail(service, "203.0.113.2") == expected
                assert fail(service, "203.0.113.1") == 429


def test_a_clock_set_back_an_hour_locks_nobody_out(limited: Running, wall: Wall, subject: str) -> None:
    client = limited.client(subject)
    portfolio_id = str(uuid4())
    while poll(client, portfolio_id).status_code != 429:
        pass
    while upload(client, query="start=false").status_code != 429:
        pass
    wall.move(-3600)
    try:
        with limited.again(subject) as again:
            assert poll(again, portfolio_id).status_code == 404
            assert upload(again, query="start=false").status_code == 201
    finally:
        wall.move(3600)


def test_every_route_has_a_class_and_is_charged_once(limited: Running, subject: str) -> None:
    """A route that is new and has none fails here."""
    nobody = limited.anonymous()
    paths = nobody.get("/api/v1/openapi.json").json()["paths"]
    routes = {(method, path) for path, methods in paths.items() for method in methods}
    assert routes > FREE
    for number, (method, path) in enumerate(sorted(routes)):
        client = limited.client(f"{subject}-{number}")
        address = path.format(portfolio_id=uuid4(), run_id=uuid4())
        reply = client.request(method, address)
        if (method, path) in FREE:
            assert "ratelimit" not in reply.headers, path
            continue
        _name, quota, _window, remaining, _reset = standing(reply)
        assert remaining == quota - 1, path


def test_no_route_is_left_out_of_the_description(limited: Running) -> None:
    """What the description names is what the test above asks."""
    app = create_app(limited.parts, with_worker=False)
    described = set(app.openapi()["paths"])
    there = {context.path for context in iter_route_contexts(app.routes)}
    assert there - described == PAGES | NO_ROUTES


def test_pages_are_charged_to_whoever_is_signed_in(limited: Running, subject: str) -> None:
    with Browser(limited) as browser:
        assert "ratelimit" not in browser.get("/").headers
        browser.open_link(subject)
        for path in ("/", "/account", "/sign-in"):
            assert standing(browser.get(path))[:3] == ("other", 60, 10), path
        assert standing(browser.get("/"))[3] < 60 - 3


def test_links_and_tickets_that_open_nothing_are_failed_sign_ins(limited: Running, wall: Wall) -> None:
    client = limited.anonymous()
    for _ in range(10):
        assert client.get("/sign-in/nothing").status_code == 410
        assert client.get(f"/api/v1/onboarding/status/{uuid4()}/events?ticket=none").status_code == 401
    for path in ("/sign-in/nothing", f"/api/v1/onboarding/status/{uuid4()}/events?ticket=none"):
        assert_refused(client.get(path), "sign-in")


def test_strangers_learn_nothing_from_limits(limited: Running, subject: str) -> None:
    """S3: charged before the look-up, so an absent and a foreign portfolio stand alike, 429 included."""
    foreign = stored(limited.client(subject + "-owner"))
    client = limited.client(subject)
    for _ in range(6):
        absent, theirs = poll(client, str(uuid4())), poll(client, foreign)
        assert absent.status_code == 404
        if theirs.status_code == 429:
            break
        assert absent.content == theirs.content
    again = str(uuid4())
    told = [poll(client, again) for _ in range(6)]
    hidden = ("date",)
    seen = [(k, v) for k, v in theirs.headers.multi_items() if k not in hidden]
    assert [(k, v) for k, v in told[5].headers.multi_items() if k not in hidden] == seen
    assert {**told[5].json(), "request_id": ""} == {**theirs.json(), "request_id": ""}


def test_status_limits_can_be_switched_off_and_others_stay(
    limited: Running, wall: Wall, subject: str
) -> None:
    counters = Limits(policies(None, (30, 200)), clock=wall)
    with running(limited.parts.settings, worker=False, clock=wall, limits=counters) as service:
        client = service.client(subject)
        replies = [poll(client, str(uuid4())) for _ in range(50)]
        assert {reply.status_code for reply in replies} == {404}
        assert "ratelimit" not in replies[0].headers
        assert {client.get("/api/v1/portfolios").status_code for _ in range(61)} == {200, 429}


def test_three_streams_of_a_portfolio_are_open_at_once(limited: Running, wall: Wall, subject: str) -> None:
    """A fourth is told to wait, whichever address it asks; a place that is given back is free."""
    told = upload(limited.client(subject)).json()
    path = f"/api/v1/onboarding/status/{told['portfolio_id']}/events"
    by_run = f"/api/v1/runs/{told['run_id']}/events"
    with ExitStack() as open_streams:
        for _ in range(3):
            client = open_streams.enter_context(limited.again(subject))
            reply = open_streams.enter_context(client.stream("GET", path))
            assert reply.status_code == 200
            assert standing(reply)[:3] == ("stream", 6, 60)
        for address in (path, by_run):
            refused = limited.client(subject).get(address)
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
            assert refused.json()["code"] == "TOO_MANY_REQUESTS"

    def opens() -> bool:
        wall.move(60)
        with limited.again(subject) as client, client.stream("GET", path) as reply:
            return bool(reply.status_code == 200)

    wait_for(opens)


def test_one_upload_of_a_caller_is_read_at_a_time(limited: Running, subject: str) -> None:
    """A second one is told to wait while the first is still arriving; another caller is not."""

    def dribbling() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n'
        with limited.again(subject) as second:
            beside.append(upload(second))
        beside.append(upload(limited.client(subject + "-other")))
        yield b"x\r\n--x--\r\n"

    beside: list[httpx.Response] = []
    client = limited.client(subject)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    first = client.post("/api/v1/portfolios", content=dribbling(), headers=headers)
    assert first.status_code == 422
    assert [reply.status_code for reply in beside] == [429, 202]
    assert beside[0].headers["retry-after"] == "1"
    assert upload(client, **form()).status_code == 202
