"""`Idempotency-Key`: a request that is repeated does its work once and has the same answer, for a day."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from glassfolio.db.tables import idempotency_key
from glassfolio.web.limits import Limits
from tests.contracts.running import (
    AFTER_THE_LAST_SESSION,
    HEADER,
    ONE_LOT,
    Json,
    Running,
    ShiftedClock,
    form,
    make_settings,
    opened,
    running,
    stored,
    upload,
    wait_for,
)
from tests.databases import shared_database

KEY, REPLAYED = "Idempotency-Key", "idempotency-replayed"
AT_ONCE = 20


def send(
    client: httpx.Client,
    key: str | bytes | None,
    fields: dict[str, str],
    content: str = ONE_LOT,
    *,
    name: str = "holdings.csv",
    query: str = "",
    **headers: str,
) -> httpx.Response:
    """Upload a file with a key."""
    given = {name.encode(): value.encode() for name, value in headers.items()}
    if key is not None:
        given[KEY.encode()] = key if isinstance(key, bytes) else key.encode()
    file = (name, content.encode(), "text/csv")
    return client.post(f"/api/v1/portfolios?{query}", files={"file": file}, data=fields, headers=given)


def post(client: httpx.Client, path: str, key: str, body: bytes = b"") -> httpx.Response:
    headers = {KEY: key, "Content-Type": "application/json"} if body else {KEY: key}
    return client.post(f"/api/v1/{path}", headers=headers, content=body)


def new_key() -> str:
    return str(uuid4())


def portfolios(client: httpx.Client) -> list[Json]:
    found: list[Json] = client.get("/api/v1/portfolios").json()
    return found


def what_is_kept(reply: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and the headers that belong to the answer itself."""
    names = ("content-type", "location", "operation-location", "retry-after", "etag", "cache-control")
    return reply.status_code, reply.content, {name: reply.headers.get(name, "") for name in names}


def assert_replay(again: httpx.Response, first: httpx.Response) -> None:
    assert what_is_kept(again) == what_is_kept(first)
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"


def assert_refused(reply: httpx.Response, status: int, code: str) -> None:
    assert (reply.status_code, reply.json()["code"]) == (status, code), reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert REPLAYED not in reply.headers


@pytest.fixture
def client(either: Running) -> httpx.Client:
    """Somebody who has asked for nothing yet, on each database."""
    return either.client(f"user-{uuid4().hex}")


class TestUploads:
    @pytest.mark.parametrize(("query", "status"), [("", 202), ("start=false", 201)])
    def test_an_upload_that_is_repeated_is_the_same_portfolio_and_the_same_bytes(
        self, client: httpx.Client, query: str, status: int
    ) -> None:
        key, fields = new_key(), form()
        first, again, third = (send(client, key, fields, query=query) for _ in range(3))
        assert first.status_code == status
        assert_replay(again, first)
        assert_replay(third, first)
        assert [one["portfolio_id"] for one in portfolios(client)] == [first.json()["portfolio_id"]]

    def test_the_same_form_with_another_boundary_is_the_same_request(self, client: httpx.Client) -> None:
        key, fields = new_key(), form()
        one, other = (
            send(client, key, fields, **{"Content-Type": f"multipart/form-data; boundary={boundary}"})
            for boundary in ("one", "another")
        )
        assert one.status_code == 202
        assert_replay(other, one)

    def test_fields_in_another_order_are_the_same_request(self, client: httpx.Client) -> None:
        key, fields = new_key(), form()
        first = send(client, key, fields)
        assert_replay(send(client, key, dict(reversed(fields.items()))), first)

    @pytest.mark.parametrize(
        "change",
        [
            {"content": ONE_LOT.replace("126.00", "126.01")},
            {"content": HEADER + "AAPL,0,126.00,2021-03-15\n"},
            {"name": "other.csv"},
            {"query": "start=false"},
            {"fields": {"equity": "100001"}},
            {"fields": {"description": "more"}},
        ],
        ids=["file", "bad-file", "file-name", "query", "field", "another-field"],
    )
    def test_another_request_with_the_same_key_is_refused(
        self, client: httpx.Client, change: dict[str, str | dict[str, str]]
    ) -> None:
        """Before the file is read: a file that is wrong is another file all the same."""
        key, fields = new_key(), form()
        first = send(client, key, fields)
        more = {name: value for name, value in change.items() if isinstance(value, str)}
        changed = change.get("fields", {})
        assert isinstance(changed, dict)
        assert_refused(send(client, key, fields | changed, **more), 422, "IDEMPOTENCY_KEY_REUSED")
        assert len(portfolios(client)) == 1
        assert_replay(send(client, key, fields), first)

    def test_a_refused_file_does_not_use_its_key_up(self, client: httpx.Client) -> None:
        key, fields = new_key(), form()
        for _ in range(2):
            refused = send(client, key, fields, HEADER + "AAPL,0,126.00,2021-03-15\n")
            assert_refused(refused, 422, "ERR_POS_006")
        assert send(client, key, fields).status_code == 202

    def test_a_taken_account_name_stays_the_answer(self, client: httpx.Client) -> None:
        fields, key = form(), new_key()
        taken_by = stored(client, **fields)
        first = send(client, key, fields)
        assert (first.status_code, first.json()["code"]) == (409, "ERR_PORT_001")
        client.delete(f"/api/v1/portfolios/{taken_by}")
        assert_replay(send(client, key, fields), first)
        assert send(client, new_key(), fields).status_code == 202

    def test_a_portfolio_that_was_deleted_meanwhile_is_not_made_again(self, client: httpx.Client) -> None:
        key, fields = new_key(), form()
        first = send(client, key, fields)
        client.delete(f"/api/v1/portfolios/{first.json()['portfolio_id']}")
        assert_replay(send(client, key, fields), first)
        assert portfolios(client) == []

    def test_a_dry_run_neither_uses_a_key_nor_minds_it(self, client: httpx.Client) -> None:
        key, fields = new_key(), form()
        for _ in range(2):
            dry = send(client, key, fields, query="dry_run=true")
            assert (dry.status_code, REPLAYED in dry.headers) == (200, False)
        assert send(client, key, fields).status_code == 202
        assert send(client, key, form(), query="dry_run=true").status_code == 200

    def test_without_a_key_nothing_is_remembered(self, client: httpx.Client) -> None:
        fields = form()
        assert send(client, None, fields).status_code == 202
        assert_refused(send(client, None, fields), 409, "ERR_PORT_001")


class TestRuns:
    def test_a_start_that_is_repeated_is_not_the_next_attempt(self, client: httpx.Client) -> None:
        """The answer stays that of the moment, whatever has become of the run."""
        path, key = f"portfolios/{stored(client)}/runs", new_key()
        first = post(client, path, key)
        assert (first.status_code, first.json()["status"]) == (202, "running")
        run_id = first.json()["run_id"]
        client.post(f"/api/v1/runs/{run_id}/cancel")
        assert_replay(post(client, path, key), first)
        assert client.get(f"/api/v1/runs/{run_id}").json()["attempt"] == 1
        assert post(client, path, new_key()).json()["attempt"] == 2

    def test_a_retry_that_is_repeated_is_one_attempt(self, client: httpx.Client) -> None:
        run_id, key = opened(client)["run_id"], new_key()
        client.post(f"/api/v1/runs/{run_id}/cancel")
        first = post(client, f"runs/{run_id}/retry", key)
        assert (first.status_code, first.json()["attempt"]) == (202, 2)
        client.post(f"/api/v1/runs/{run_id}/cancel")
        assert_replay(post(client, f"runs/{run_id}/retry", key), first)
        assert client.get(f"/api/v1/runs/{run_id}").json()["attempt"] == 2

    def test_a_retry_refused_while_the_run_is_active_stays_refused(self, client: httpx.Client) -> None:
        run_id, key = opened(client)["run_id"], new_key()
        first = post(client, f"runs/{run_id}/retry", key)
        assert (first.status_code, first.json()["code"]) == (409, "RUN_ACTIVE")
        client.post(f"/api/v1/runs/{run_id}/cancel")
        assert_replay(post(client, f"runs/{run_id}/retry", key), first)
        assert post(client, f"runs/{run_id}/retry", new_key()).status_code == 202

    def test_another_body_or_query_is_another_request(self, client: httpx.Client) -> None:
        path, key = f"portfolios/{stored(client)}/runs", new_key()
        first = post(client, path, key, b"{}")
        assert_replay(post(client, path, key, b"{}"), first)
        for other in (post(client, path, key), post(client, f"{path}?a=1", key, b"{}")):
            assert_refused(other, 422, "IDEMPOTENCY_KEY_REUSED")

    def test_a_key_belongs_to_one_route(self, client: httpx.Client) -> None:
        key, one, other = new_key(), stored(client), stored(client)
        replies = [post(client, f"portfolios/{name}/runs", key) for name in (one, other)]
        assert [reply.json()["portfolio_id"] for reply in replies] == [one, other]
        assert send(client, key, form()).status_code == 202

    def test_of_a_deleted_portfolio_nothing_is_told(self, client: httpx.Client) -> None:
        portfolio_id, key = stored(client), new_key()
        path = f"portfolios/{portfolio_id}/runs"
        run_id = post(client, path, key).json()["run_id"]
        client.post(f"/api/v1/runs/{run_id}/cancel")
        assert post(client, f"runs/{run_id}/retry", key).status_code == 202
        client.delete(f"/api/v1/portfolios/{portfolio_id}")
        for gone in (path, f"runs/{run_id}/retry"):
            assert_refused(post(client, gone, key), 404, "NOT_FOUND")
            assert_refused(post(client, gone, key, b"{}"), 404, "NOT_FOUND")


class TestKeys:
    @pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "ключ".encode(), b"caf\xe9"], ids=ascii)
    def test_a_key_that_cannot_be_is_refused_and_nothing_is_done(
        self, client: httpx.Client, key: str | bytes
    ) -> None:
        assert_refused(send(client, key, form()), 422, "BAD_IDEMPOTENCY_KEY")
        assert portfolios(client) == []

    def test_two_keys_are_none(self, client: httpx.Client) -> None:
        portfolio_id = stored(client)
        twice = [(KEY, "one"), (KEY, "other")]
        reply = client.post(f"/api/v1/portfolios/{portfolio_id}/runs", headers=twice)
        assert_refused(reply, 422, "BAD_IDEMPOTENCY_KEY")

    @pytest.mark.parametrize("key", ["x", "x" * 255, "~ !", '"quoted"'])
    def test_every_other_key_is_taken(self, client: httpx.Client, key: str) -> None:
        fields = form()
        first = send(client, key, fields)
        assert first.status_code == 202
        assert_replay(send(client, key, fields), first)
        assert_refused(send(client, key, form()), 422, "IDEMPOTENCY_KEY_REUSED")

    def test_somebody_elses_key_is_nobodys(self, either: Running, client: httpx.Client) -> None:
        """S3: neither the key nor its route tells a stranger anything."""
        stranger, key, fields = either.client(f"stranger-{uuid4().hex}"), new_key(), form()
        mine = send(client, key, fields)
        theirs = send(stranger, key, fields)
        assert (theirs.status_code, REPLAYED in theirs.headers) == (202, False)
        assert theirs.json()["portfolio_id"] != mine.json()["portfolio_id"]
        for name in ("portfolio_id", "run_id"):
            path = "portfolios/{}/runs" if name == "portfolio_id" else "runs/{}/retry"
            post(client, path.format(mine.json()[name]), key)
            there, absent = (post(stranger, path.format(one), key) for one in (mine.json()[name], uuid4()))
            assert there.status_code == 404
            assert there.content == absent.content

    def test_the_description_shows_the_header(self, either: Running) -> None:
        paths = either.anonymous().get("/api/v1/openapi.json").json()["paths"]
        taking = {
            path
            for path, methods in paths.items()
            for parameter in methods.get("post", {}).get("parameters", [])
            if parameter["name"] == KEY and parameter["schema"]["example"] and not parameter["required"]
        }
        assert taking == {
            "/api/v1/admin/batch/runs",
            "/api/v1/portfolios",
            "/api/v1/portfolios/{portfolio_id}/runs",
            "/api/v1/runs/{run_id}/retry",
        }


def at_once(services: list[Running], subject: str, ask: Callable[[httpx.Client], httpx.Response]) -> None:
    """Send one request many times at once to all services; each answer is the one answer, or `in use`."""
    with ExitStack() as leaving, ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [services[number % len(services)] for number in range(AT_ONCE)]
        clients = [leaving.enter_context(service.again(subject)) for service in asked]
        replies = list(pool.map(ask, clients))
        replies.append(ask(clients[0]))
    in_use = [reply for reply in replies if reply.status_code == 409]
    for reply in in_use:
        assert_refused(reply, 409, "IDEMPOTENCY_KEY_IN_USE")
        assert reply.headers["retry-after"] == "1"
    answered = [reply for reply in replies if reply not in in_use]
    assert {reply.status_code for reply in answered} == {202}
    [first] = [reply for reply in answered if REPLAYED not in reply.headers]
    for reply in answered:
        if reply is not first:
            assert_replay(reply, first)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def several(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Running]]:
    """Two services over one database, once on each kind; a person may upload once."""
    folder = tmp_path_factory.mktemp("several")
    with shared_database(request, folder) as url, ExitStack() as leaving:
        settings = make_settings(folder, url, upload_rate="1/min, 1/h")
        yield [leaving.enter_context(running(settings, worker=False)) for _ in range(2)]


@pytest.fixture
def racer() -> str:
    return f"racer-{uuid4().hex}"


class TestAtOnce:
    @pytest.mark.parametrize("services", [1, 2])
    def test_uploads_at_the_same_moment_are_one_portfolio(
        self, several: list[Running], racer: str, services: int
    ) -> None:
        """Pitfall: a second click starts a second backfill. Nor does it meet the quota of the first."""
        key, fields, client = new_key(), form(), several[0].client(racer)
        at_once(several[:services], racer, lambda client: send(client, key, fields))
        [only] = portfolios(client)
        assert len(client.get(f"/api/v1/portfolios/{only['portfolio_id']}/runs").json()) == 1

    @pytest.mark.parametrize("services", [1, 2])
    def test_retries_at_the_same_moment_are_one_attempt(
        self, several: list[Running], racer: str, services: int
    ) -> None:
        """With a key, those that come second are not told that the run is active."""
        client, key = several[0].client(racer), new_key()
        run_id = opened(client)["run_id"]
        client.post(f"/api/v1/runs/{run_id}/cancel")
        at_once(several[:services], racer, lambda client: post(client, f"runs/{run_id}/retry", key))
        assert client.get(f"/api/v1/runs/{run_id}").json()["attempt"] == 2

    def test_requests_with_keys_of_their_own_do_not_mind_each_other(
        self, several: list[Running], racer: str
    ) -> None:
        client = several[0].client(racer)
        portfolio_id = stored(client)
        path = f"portfolios/{portfolio_id}/runs"
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _i: post(client, path, new_key()), range(8)))
        assert {reply.status_code for reply in replies} == {202}
        assert len({reply.json()["run_id"] for reply in replies}) == 1


@contextmanager
def begun(service: Running, subject: str, path: str, key: str) -> Iterator[socket.socket]:
    """A request whose handling has begun, and whose body `{}` is still to come."""
    head = (
        f"POST /api/v1/{path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {service.token(subject)}\r\n"
        f"{KEY}: {key}\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(service.url.rsplit(":", 1)[1])), timeout=30) as raw:
        raw.sendall(head.encode())
        assert raw.recv(64).startswith(b"HTTP/1.1 100 ")
        yield raw


class TestBeingHandled:
    def test_the_second_is_told_to_wait_and_then_has_the_answer_of_the_first(
        self, either: Running, racer: str
    ) -> None:
        client, key = either.client(racer), new_key()
        path = f"portfolios/{stored(client)}/runs"
        with begun(either, racer, path, key) as first:
            second = post(client, path, key, b"{}")
            assert_refused(second, 409, "IDEMPOTENCY_KEY_IN_USE")
            assert second.headers["retry-after"] == "1"
            assert post(client, path, new_key()).status_code == 202
            first.sendall(b"{}")
            assert first.recv(64).startswith(b"HTTP/1.1 202 ")
        again = post(client, path, key, b"{}")
        assert (again.status_code, again.headers[REPLAYED]) == (202, "true")

    def test_a_request_that_breaks_off_leaves_its_key_free(self, either: Running, racer: str) -> None:
        client, key = either.client(racer), new_key()
        path = f"portfolios/{stored(client)}/runs"
        with begun(either, racer, path, key):
            assert_refused(post(client, path, key), 409, "IDEMPOTENCY_KEY_IN_USE")
        wait_for(lambda: post(client, path, key).status_code == 202)


class TestTime:
    def test_the_answer_outlives_the_process(self, database_url: str, tmp_path: Path) -> None:
        key, fields, replies = new_key(), form(), []
        for _ in range(2):
            with running(make_settings(tmp_path, database_url), worker=False) as service:
                uploaded = send(service.client(), key, fields)
                path = f"portfolios/{uploaded.json()['portfolio_id']}/runs"
                replies.append((uploaded, post(service.client(), path, key)))
        for again, first in zip(replies[1], replies[0], strict=True):
            assert_replay(again, first)

    def test_after_a_day_a_key_is_free_and_its_answer_forgotten(
        self, database_url: str, tmp_path: Path
    ) -> None:
        clock = ShiftedClock(AFTER_THE_LAST_SESSION)
        with running(make_settings(tmp_path, database_url), worker=False, clock=clock) as service:
            key, other, fields = new_key(), new_key(), form()
            first = send(service.client(), key, fields)
            assert send(service.client(), other, form()).status_code == 202
            assert send(service.client("bob"), key, form()).status_code == 202
            clock.move(timedelta(hours=23, minutes=59))
            with service.again() as later:
                assert_replay(send(later, key, fields), first)
                assert_refused(send(later, key, form()), 422, "IDEMPOTENCY_KEY_REUSED")
            clock.move(timedelta(minutes=1))
            with service.again() as later:
                fresh = form()
                second = send(later, key, fresh)
                assert (second.status_code, REPLAYED in second.headers) == (202, False)
                assert_replay(send(later, key, fresh), second)
            with service.parts.database.reading() as connection:
                keys = connection.execute(sa.select(idempotency_key.c.key)).scalars().all()
            assert keys == [key, key]  # alice's new one and bob's old one


class TestRefusals:
    def test_an_upload_over_its_quota_is_not_kept_and_a_replay_uses_none(
        self, database_url: str, tmp_path: Path
    ) -> None:
        clock = ShiftedClock(AFTER_THE_LAST_SESSION)
        settings = make_settings(tmp_path, database_url, upload_rate="2/min, 2/h")
        with running(settings, worker=False, clock=clock, limits=Limits.none()) as service:
            client, key, refused, fields = service.client(), new_key(), new_key(), form()
            first = send(client, key, fields)
            for _ in range(3):
                assert_replay(send(client, key, fields), first)
            assert upload(client).status_code == 202
            later = form()
            assert_refused(send(client, refused, later), 429, "TOO_MANY_REQUESTS")
            assert_replay(send(client, key, fields), first)
            clock.move(timedelta(hours=1))
            with service.again() as again:
                assert send(again, refused, later).status_code == 202

    def test_an_attempt_over_its_quota_is_not_kept_and_a_replay_uses_none(
        self, database_url: str, tmp_path: Path
    ) -> None:
        clock = ShiftedClock(AFTER_THE_LAST_SESSION)
        settings = make_settings(tmp_path, database_url)
        with running(settings, worker=False, clock=clock, limits=Limits.none()) as service:
            client, refused = service.client(), new_key()
            told, keys = opened(client), [new_key() for _ in range(30)]
            path = f"portfolios/{told['portfolio_id']}/runs"
            for key in keys:
                client.post(f"/api/v1/runs/{told['run_id']}/cancel")
                for _ in range(2):
                    assert post(client, path, key).status_code == 202
            client.post(f"/api/v1/runs/{told['run_id']}/cancel")
            assert_refused(post(client, path, refused), 429, "TOO_MANY_REQUESTS")
            assert post(client, path, keys[0]).headers[REPLAYED] == "true"
            clock.move(timedelta(hours=1))
            with service.again() as again:
                assert post(again, path, refused).json()["attempt"] == 32

    def test_a_database_that_cannot_write_is_not_remembered(
        self, database_url: str, tmp_path: Path, database_kind: str
    ) -> None:
        """A full disk must not stay full for a day."""
        statement = {
            "sqlite": "PRAGMA query_only=ON",
            "postgresql": "SET default_transaction_read_only = on",
        }
        with running(make_settings(tmp_path, database_url), worker=False) as service:
            client, key, fields = service.client(), new_key(), form()
            portfolios(client)
            engine = service.parts.database.engine

            def say(connection: sa.PoolProxiedConnection, *_: object) -> None:
                connection.cursor().execute(statement[database_kind])
                if database_kind == "postgresql":
                    connection.commit()

            sa.event.listen(engine, "checkout", say)
            try:
                assert_refused(send(client, key, fields), 503, "STORAGE_READ_ONLY")
            finally:
                sa.event.remove(engine, "checkout", say)
                engine.dispose()
            assert send(client, key, fields).status_code == 202
