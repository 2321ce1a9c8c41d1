"""S17, B9: secrets planted wherever they could enter come out nowhere but in their owner's own results."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from glassfolio.identity import issuer
from tests.cli.conftest import SOURCES, environment
from tests.contracts.running import (
    AFTER_THE_LAST_SESSION,
    HEADER,
    ShiftedClock,
    ended,
    form,
    opened,
    upload,
)
from tests.databases import Postgres, open_database
from tests.fakes.tiingo import FakeTiingo

ROOT = SOURCES.parent
KEY = "canary-key-5ac1"
DSN = "canary-dsn-77e0"
EMAIL = "canary.person@example.com"
PRICE = "987654.321"
QUERY = "canary-query-19b2"
PROVIDER = "canary-provider-d3d3"
SECRETS = (KEY, DSN, EMAIL, QUERY, PROVIDER)
BOOK = (
    HEADER
    + f"AAPL,7,{PRICE},2021-03-15\n"
    + "".join(f"{symbol},1,10,2021-03-15\n" for symbol in ("MSFT", "KO", "GE", "AMD", "CVX", "ZZZQ"))
)
# What the owner has typed comes back to the owner here, and nowhere else.
OWN_RESULTS = ("/positions", "/snapshots", "/factors", "/metrics")


def tell(key: str) -> bytes:
    """An error page of a provider that says too much."""
    return json.dumps({"detail": f"{PROVIDER} {key} {EMAIL} {PRICE} postgresql://u:{DSN}@db/x"}).encode()


@contextmanager
def talkative() -> Iterator[tuple[str, list[int]]]:
    """A price server whose every fault repeats what it was sent; the list holds the next refusals of all."""
    refusals = [0]
    wrong = {
        "MSFT": (500, tell(KEY)),
        "KO": (200, tell(KEY)),
        "GE": (200, tell(KEY)[:-5]),
        "AMD": (404, tell(KEY)),
        "CVX": (200, json.dumps([{"date": f"{PROVIDER}{PRICE}", "close": PRICE}]).encode()),
    }

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Silence."""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            symbol, query = parts.path.split("/")[3].upper(), parse_qs(parts.query)
            if refusals[0]:
                status, body = refusals[0], tell(self.headers.get("Authorization", ""))
            elif symbol in wrong:
                status, body = wrong[symbol]
            else:
                days = [date.fromisoformat(query[name][0]) for name in ("startDate", "endDate")]
                rows = bundled_rows.rows(symbol, *days)
                status, body = (404, tell(KEY)) if rows is None else (200, json.dumps(rows).encode())
            self.send_response(status, PROVIDER)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Canary", PROVIDER)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        with FakeTiingo() as bundled_rows:
            yield f"http://127.0.0.1:{server.server_address[1]}", refusals
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """An address with a password in it, where the database has one."""
    if request.param == "sqlite":
        yield None
        return
    server: Postgres = request.getfixturevalue("postgres")
    made = server.make()
    yield sa.make_url(made).set(password=DSN).render_as_string(hide_password=False)
    server.drop(made)


@dataclass
class Shifted:
    """The service in its own process. printed: all it wrote, complete once the block is left."""

    url: str
    folder: Path
    printed: str = ""
    tokens: list[str] = field(default_factory=list)

    def client(self, subject: str | None) -> httpx.Client:
        headers = {}
        if subject is not None:
            made = issuer.load(self.folder, issuer.SCRIPTS)
            self.tokens.append(made.token(subject, ShiftedClock(AFTER_THE_LAST_SESSION).now(), 3600))
            headers["Authorization"] = f"Bearer {self.tokens[-1]}"
        return httpx.Client(base_url=self.url, timeout=60, headers=headers)


@contextmanager
def shifted(folder: Path, **named: str) -> Iterator[Shifted]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.security.shifted"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment(folder, UPLOAD_RATE="off", **named), "PYTHONPATH": f"{SOURCES}{os.pathsep}{ROOT}"},
    )
    assert process.stdout is not None
    before = []
    for line in process.stdout:
        before.append(line)
        if line.startswith("http://"):
            break
    started = Shifted(before[-1].strip(), folder)
    try:
        yield started
    finally:
        started.printed = "".join(before) + process.communicate(timeout=60)[0]


def everything(client: httpx.Client, **ids: str) -> dict[str, str]:
    """Every answer to a look: address -> headers and body, each form of a download too."""
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    seen = {}
    for path in (path for path, methods in paths.items() if "get" in methods):
        for query in ("", "?format=json", f"?canary={QUERY}", f"?from={QUERY}&format={QUERY}&after={QUERY}"):
            for accept in ("application/json", "text/csv"):
                reply = client.get(path.format(**ids) + query, headers={"Accept": accept, "X-Note": QUERY})
                seen[f"{path}{query} {accept}"] = f"{reply.headers} {reply.text}"
    return seen


def leaks(seen: dict[str, str], *secrets: str) -> list[tuple[str, str]]:
    return [(where, secret) for where, text in seen.items() for secret in secrets if secret in text]


def test_secrets_come_out_nowhere(url: str | None, tmp_path: Path) -> None:
    seen: dict[str, dict[str, str]] = {}
    with ExitStack() as leaving:
        address, refusals = leaving.enter_context(talkative())
        named = {"PROVIDER_URL": address, "PROVIDER_KEY": KEY, "DATABASE_URL": url or ""}
        service = leaving.enter_context(
            shifted(tmp_path, PROVIDER="tiingo", PROVIDER_RATE="1000", FACTOR_SET="demo", **named)
        )
        owner, other, nobody = (
            leaving.enter_context(service.client(person)) for person in (EMAIL, "bob", None)
        )
        told = opened(owner, BOOK)
        doc = ended(owner, told["portfolio_id"])
        assert doc["conclusion"] == "success_with_warnings"
        assert len(doc["symbols"]) >= 5
        ids = {"portfolio_id": told["portfolio_id"], "run_id": told["run_id"]}
        seen |= {"owner": everything(owner, **ids), "other": everything(other, **ids)}
        seen["nobody"] = everything(nobody, **ids)
        # A run that the provider stops, a crash of ours, and requests that cannot be.
        refusals[0] = 401
        failed = opened(owner, BOOK)
        assert ended(owner, failed["portfolio_id"])["status"] == "failed"
        ids = {"portfolio_id": failed["portfolio_id"], "run_id": failed["run_id"]}
        seen["failed"] = everything(owner, **ids)
        database = open_database(url or f"sqlite:///{tmp_path / 'glassfolio.db'}")
        with database.transaction() as connection:
            connection.execute(sa.text("ALTER TABLE lot RENAME TO gone"))
        database.close()
        crashed = upload(owner, BOOK)
        assert crashed.status_code >= 500
        seen["wrong"] = {
            "crash": crashed.text,
            "address": owner.get(f"/{QUERY}").text,
            "token": nobody.get("/api/v1/portfolios", headers={"Authorization": QUERY}).text,
            "id": owner.get(f"/api/v1/runs/{uuid4()}{QUERY}").text,
            "body": owner.post("/api/v1/portfolios", json={QUERY: PRICE, **form(name=QUERY)}).text,
        }
    assert leaks({"printed": service.printed}, *SECRETS, PRICE, *service.tokens) == []
    assert '"request ' in service.printed
    for person, answers in seen.items():
        assert len(answers) >= 5, person
        assert leaks(answers, *SECRETS) == [], person
        rest = {at: text for at, text in answers.items() if not any(own in at for own in OWN_RESULTS)}
        assert leaks(rest, PRICE, "987654") == [], person
    assert leaks(seen["other"], PRICE, "987654", told["run_id"]) == []
    # The owner's own results do say what the lots cost, or the search would have searched nothing.
    assert leaks(seen["owner"], "6913580.2")
