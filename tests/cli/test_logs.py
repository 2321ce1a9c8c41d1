"""The operator's log holds nothing that opens a door, whoever wrote it there."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from glassfolio.cli import logs

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
SECRET = "HdD30vPnyUNbZQUDSLyHXGV_Lyl-PkOFUWqSyvyLn4A"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the log writes; the loggers are put back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("json", stream)
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (f'127.0.0.1:5 - "GET /x/events?ticket={SECRET}&after=3 HTTP/1.1" 200', "ticket=***&after=3"),
        (f'127.0.0.1:5 - "GET /sign-in/{SECRET} HTTP/1.1" 303', "GET /sign-in/*** HTTP/1.1"),
        (f"Authorization: Bearer {TOKEN}", "Authorization: Bearer ***"),
        (f"authorization: bearer {SECRET}", "authorization: bearer ***"),
        (f"GET /x?token={TOKEN} HTTP/1.1", "GET /x?token=*** HTTP/1.1"),
        (f"Cookie: session={SECRET}; theme=dark", "Cookie: session=***; theme=dark"),
        (f"Cookie: __Host-session={SECRET}", "Cookie: __Host-session=***"),
        (f"Cookie: __session={TOKEN}", "Cookie: __session=***"),
    ],
)
def test_secrets_are_struck_out_and_the_rest_stays(written: io.StringIO, line: str, kept: str) -> None:
    logging.getLogger("uvicorn.error").warning("%s", line)
    event = json.loads(written.getvalue())["event"]
    assert kept in event
    assert SECRET not in event
    assert TOKEN not in event


def test_they_are_struck_out_of_tracebacks_too(written: io.StringIO) -> None:
    try:
        raise ValueError(f"no such ticket={SECRET}")
    except ValueError:
        logging.getLogger("x").exception("oops")
    entry = json.loads(written.getvalue())
    assert "ticket=***" in entry["exception"]
    assert SECRET not in written.getvalue()


def test_ordinary_sentences_are_left_alone(written: io.StringIO) -> None:
    logging.getLogger("x").info("session=2022-12-28 of 4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10, no sign-in")
    assert "session=2022-12-28 of 4f5a7c52-6f0c-4a0f-8f51-2d5f3c1f9a10" in written.getvalue()
