"""B9: what a request may carry, how deep, how slowly; tried on sockets, as somebody hostile would."""

import asyncio
import gzip
import io
import json
import logging
import socket
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
from fastapi import Body, FastAPI
from hypothesis import given
from hypothesis import strategies as st

from glassfolio.web import errors
from glassfolio.web.bounds import HEADER_BYTES, JSON_BYTES, JSON_DEPTH, Bounds, Nesting
from tests.contracts.running import (
    HEADER,
    ONE_LOT,
    Running,
    form,
    make_settings,
    running,
    upload,
    wait_for,
)
from tests.security.process import Process, served


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(make_settings(tmp_path_factory.mktemp("bounds")), worker=False) as started:
        yield started


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with served(tmp_path_factory.mktemp("process")) as started:
        yield started


def port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def assert_problem(reply: httpx.Response, status: int, code: str) -> None:
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.json()["detail"]


class TestHeaders:
    def test_sixty_megabytes_of_token_are_refused_and_not_kept(self, process: Process) -> None:
        """The server stops reading long before; nothing of it stays in memory."""
        with process.client() as client:
            assert client.get("/api/v1/portfolios").status_code == 200
            before, answer = process.peak_mib(), b""
            with socket.create_connection(("127.0.0.1", port(process.url)), timeout=30) as raw:
                raw.sendall(b"GET /api/v1/portfolios HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer ")
                try:
                    for _ in range(60):
                        raw.sendall(b"x" * 2**20)
                    answer = raw.recv(64)
                except OSError:
                    pass
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
            assert process.peak_mib() - before < 10
            assert client.get("/api/v1/portfolios").status_code == 200

    def test_headers_that_are_too_large_together_are_a_problem(self, service: Running) -> None:
        client = service.client()
        fine = {"X-Note": "x" * (HEADER_BYTES - 3000)}
        assert client.get("/api/v1/portfolios", headers=fine).status_code == 200
        reply = client.get("/api/v1/portfolios", headers={"X-Note": "x" * HEADER_BYTES})
        assert_problem(reply, 431, "HEADERS_TOO_LARGE")
        assert reply.headers["connection"] == "close"
        many = [("X-Note", "x" * 30)] * 600
        assert_problem(client.get("/api/v1/portfolios", headers=many), 431, "HEADERS_TOO_LARGE")

    def test_a_token_over_four_kilobytes_is_the_same_401(self, service: Running) -> None:
        long = {"Authorization": f"Bearer {'x' * 2000}.{'y' * 2000}.{'z' * 97}"}
        reply = service.anonymous().get("/api/v1/portfolios", headers=long)
        assert_problem(reply, 401, "NOT_SIGNED_IN")


@contextmanager
def taking_json(body_seconds: float = 30.0) -> Iterator[str]:
    """A route that reads JSON behind the bounds, as the service's routes that do."""
    app = FastAPI()
    errors.install(app)

    @app.post("/")
    def echo(value: Annotated[Any, Body()]) -> dict[str, Any]:
        return {"value": value}

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Bounds(app, body_seconds), http="h11", log_config=None))
    serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    serving.start()
    wait_for(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        serving.join(30)
        listening.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with taking_json() as url:
        yield url


class TestJson:
    def test_it_is_read_up_to_its_limits(self, address: str) -> None:
        value: Any = "deep"
        for _ in range(JSON_DEPTH):
            value = [value]
        assert httpx.post(address, json=value).json() == {"value": value}
        text = "x" * (JSON_BYTES - 2)
        assert httpx.post(address, json=text).json() == {"value": text}

    def test_it_is_refused_when_it_is_too_deep(self, address: str) -> None:
        reply = httpx.post(
            address, content=b'{"a":' * (JSON_DEPTH + 1), headers={"Content-Type": "application/json"}
        )
        assert_problem(reply, 400, "MALFORMED_REQUEST")

    def test_it_is_refused_when_it_is_too_large_whatever_its_header_says(self, address: str) -> None:
        json_type = {"Content-Type": "application/json"}
        said = httpx.post(address, content=b" " * (JSON_BYTES + 1), headers=json_type)
        assert_problem(said, 413, "BODY_TOO_LARGE")
        unsaid = httpx.post(address, content=iter([b" " * JSON_BYTES, b" "]), headers=json_type)
        assert_problem(unsaid, 413, "BODY_TOO_LARGE")
        assert unsaid.headers["connection"] == "close"

    def test_it_is_refused_when_it_is_compressed(self, address: str) -> None:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        assert_problem(httpx.post(address, content=b"1", headers=headers), 415, "COMPRESSED_REQUEST")
        headers["Content-Encoding"] = "identity"
        assert httpx.post(address, content=b"1", headers=headers).json() == {"value": 1}

    def test_it_is_refused_when_it_is_no_json(self, address: str) -> None:
        for body in (b"{", b"\xff", b"[NaN"):
            reply = httpx.post(address, content=body, headers={"Content-Type": "application/json"})
            assert reply.status_code in (400, 422)
            assert reply.headers["content-type"] == "application/problem+json"

    @given(
        value=st.recursive(
            st.none() | st.text(st.sampled_from('[]{}"\\a')) | st.integers(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(st.sampled_from('[{"\\')), inner),
        ),
        cuts=st.lists(st.integers(0, 200), max_size=4),
        most=st.integers(0, 5),
    )
    def test_depth_is_told_as_a_parser_sees_it_however_the_text_is_cut(
        self, value: Any, cuts: list[int], most: int
    ) -> None:
        def depth(item: Any) -> int:
            inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else None
            return 0 if inner is None else 1 + max(map(depth, inner), default=0)

        text, nesting, places = json.dumps(value).encode(), Nesting(most), sorted({0, *cuts})
        pieces = [text[a:b] for a, b in zip(places, [*places[1:], len(text) + 200], strict=True)]
        assert any([nesting.is_too_deep(piece) for piece in pieces]) == (depth(value) > most)  # noqa: C419


class TestSlowBodies:
    def test_a_body_that_dribbles_is_given_up(self) -> None:
        with taking_json(body_seconds=0.3) as url:
            head = (
                b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n1"
            )
            with socket.create_connection(("127.0.0.1", port(url[:-1])), timeout=30) as raw:
                raw.sendall(head)
                answer = b""
                while piece := raw.recv(4096):
                    answer += piece
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"BODY_TOO_SLOW" in answer
            assert b"connection: close" in answer.lower()
            assert httpx.post(url, json=1).json() == {"value": 1}

    def test_drops_that_keep_coming_do_not_extend_the_time(self) -> None:
        async def ask() -> list[int]:
            seen: list[int] = []

            async def app(_scope: Any, receive: Any, _send: Any) -> None:
                while (await receive()).get("more_body"):
                    seen.append(1)

            async def receive() -> Any:
                await asyncio.sleep(0.02)
                return {"type": "http.request", "body": b"1", "more_body": True}

            async def send(_message: Any) -> None: ...

            with pytest.raises(Exception, match="Request Timeout"):
                await Bounds(app, 0.2)({"type": "http", "headers": []}, receive, send)
            return seen

        assert 1 <= len(asyncio.run(ask())) <= 10

    def test_waiting_for_the_client_to_leave_has_no_end(self) -> None:
        """Only the body is measured: a stream listens for its client for minutes."""

        async def ask() -> list[str]:
            kinds: list[str] = []

            async def app(_scope: Any, receive: Any, _send: Any) -> None:
                for _ in range(2):
                    kinds.append((await receive())["type"])

            async def receive() -> Any:
                if not kinds:
                    return {"type": "http.request", "body": b"1"}
                await asyncio.sleep(0.2)
                return {"type": "http.disconnect"}

            async def send(_message: Any) -> None: ...

            await Bounds(app, 0.1)({"type": "http", "headers": []}, receive, send)
            return kinds

        assert asyncio.run(ask()) == ["http.request", "http.disconnect"]

    def test_a_client_that_leaves_in_the_middle_of_its_upload_leaves_no_error(
        self, service: Running, caplog: pytest.LogCaptureFixture
    ) -> None:
        head = (
            "POST /api/v1/portfolios HTTP/1.1\r\nHost: here\r\n"
            f"Authorization: Bearer {service.token('leaver')}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n--x\r\n"
        )
        with caplog.at_level(logging.WARNING):
            with socket.create_connection(("127.0.0.1", port(service.url)), timeout=5) as raw:
                raw.sendall(head.encode())
                limits = Seen(service, "leaver")
                wait_for(limits.is_uploading)
            wait_for(lambda: not limits.is_uploading())
        assert caplog.records == []
        assert upload(service.client("leaver")).status_code == 202


class Seen:
    """Whether an upload of somebody is under way, as a second one finds."""

    def __init__(self, service: Running, subject: str) -> None:
        self._service, self._subject = service, subject

    def is_uploading(self) -> bool:
        with self._service.again(self._subject) as client:
            return client.post("/api/v1/portfolios").status_code == 429


class TestForms:
    def send(self, client: httpx.Client, parts: list[tuple[str, str | None, bytes]]) -> httpx.Response:
        body = b""
        for name, filename, content in parts:
            named = f'; filename="{filename}"' if filename is not None else ""
            body += f'--x\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
            body += content + b"\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        return client.post("/api/v1/portfolios", content=body + b"--x--\r\n", headers=headers)

    def test_one_file_and_sixteen_fields(self, service: Running) -> None:
        client = service.client()
        file = ("file", "a.csv", ONE_LOT.encode())
        fields: list[tuple[str, str | None, bytes]] = [
            (name, None, value.encode()) for name, value in form().items()
        ]
        assert self.send(client, [file, *fields]).status_code == 202
        assert_problem(self.send(client, [file, file, *fields]), 400, "MALFORMED_REQUEST")
        extra: list[tuple[str, str | None, bytes]] = [(f"x{n}", None, b"") for n in range(13)]
        assert_problem(self.send(client, [file, *fields, *extra]), 400, "MALFORMED_REQUEST")

    def test_a_field_is_no_file(self, service: Running) -> None:
        """Ten megabytes of description are refused before anybody looks at their characters."""
        reply = self.send(service.client(), [("description", None, b"x" * 2**20)])
        assert_problem(reply, 400, "MALFORMED_REQUEST")

    def test_a_file_sent_as_a_field_is_none(self, service: Running) -> None:
        reply = self.send(service.client(), [("file", None, ONE_LOT.encode())])
        assert "ERR_PORT_007" in {item["code"] for item in reply.json()["errors"]}


def test_a_hundred_uploads_at_once_are_served_or_told_to_wait(process: Process) -> None:
    """And what is served is stored once."""
    with process.client("crowd") as client, ThreadPoolExecutor(100) as threads:
        replies = list(threads.map(lambda _number: upload(client, query="start=false"), range(100)))
        codes = [reply.status_code for reply in replies]
        assert set(codes) == {201, 429}
        for reply in replies:
            if reply.status_code == 429:
                assert reply.headers["retry-after"] == "1"
                assert reply.json()["code"] == "TOO_MANY_REQUESTS"
        assert len(client.get("/api/v1/portfolios").json()) == codes.count(201) >= 1


def test_a_hundred_callers_at_once_are_all_served(process: Process) -> None:
    """Files are read a few at a time, so a crowd costs time and not memory."""
    big = (HEADER + "AAPL,100,126.00,2021-03-15\n" + "# note\n" * 300_000).encode()

    def send(number: int) -> int:
        with process.client(f"caller {number}".replace(" ", "-")) as client:
            return upload(client, big, query="start=false").status_code

    before = process.peak_mib()
    with ThreadPoolExecutor(20) as threads:
        assert set(threads.map(send, range(20))) == {201}
    assert process.peak_mib() - before < 150


def test_nothing_is_unpacked(process: Process) -> None:
    """A gigabyte in an archive named .csv, and a gigabyte behind a Content-Encoding."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.csv", "w") as inner:
        for _ in range(256):
            inner.write(bytes(2**20))
    squeezed = gzip.compress(bytes(2**26))
    with process.client("bomber") as client:
        before = process.peak_mib()
        for content in (packed.getvalue(), squeezed):
            assert_problem(upload(client, content), 415, "ERR_CSV_002")
        reply = client.post(
            "/api/v1/portfolios",
            content=squeezed,
            headers={"Content-Encoding": "gzip", "Content-Type": "multipart/form-data; boundary=x"},
        )
        assert_problem(reply, 415, "ERR_CSV_002")
        assert process.peak_mib() - before < 20
