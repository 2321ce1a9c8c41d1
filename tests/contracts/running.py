"""A real service in this process, reached over loopback HTTP: server, database, worker, clock.

One worker at a time in a process. Knows nothing of what is asked of it.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import uvicorn

from glassfolio.cli.serve import make_server
from glassfolio.clock import Clock, SystemClock
from glassfolio.identity.issuer import Issuer
from glassfolio.settings import Settings
from glassfolio.web.app import create_app
from glassfolio.web.limits import Limits
from glassfolio.wiring import Parts, assemble
from tests.contracts.published import errors

Json = dict[str, Any]
PATIENCE_SECONDS = 60
HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date\n"
ONE_LOT = HEADER + "AAPL,100,126.00,2021-03-15\n"
# The afternoon after the last bundled session, in UTC.
AFTER_THE_LAST_SESSION = datetime(2022, 12, 29, 12, 0, tzinfo=UTC)


class ShiftedClock:
    """A clock that runs at the usual pace from a chosen moment, and can be moved on."""

    def __init__(self, start: datetime) -> None:
        self._shift = start - SystemClock().now()

    def now(self) -> datetime:
        return SystemClock().now() + self._shift

    def move(self, by: timedelta) -> None:
        self._shift += by


def make_settings(folder: Path, url: str | None = None, **changes: Any) -> Settings:
    """Settings of a test: short history, nothing from the environment."""
    given = {
        "data_dir": folder,
        "database_url": url,
        "lease": 2.0,
        "history_sessions": 70,
        "status_rate": "off",
        "upload_rate": "off",
        "nightly": "off",
        **changes,
    }
    return Settings.model_validate(given)


@dataclass
class Running:
    """A service that answers. parts: the very parts it was made of."""

    parts: Parts
    url: str
    subjects: dict[str, httpx.Client] = field(default_factory=dict)

    @property
    def issuer(self) -> Issuer:
        """The built-in issuer; for services in local mode."""
        assert self.parts.issuer is not None
        return self.parts.issuer

    def token(self, subject: str = "alice", seconds: int = 3600) -> str:
        return self.issuer.token(subject, self.parts.clock.now(), seconds)

    def anonymous(self) -> httpx.Client:
        return self.subjects.setdefault("", httpx.Client(base_url=self.url, timeout=30))

    def client(self, subject: str = "alice") -> httpx.Client:
        """An HTTP client signed in as `subject`; kept until the service stops."""
        if subject not in self.subjects:
            self.subjects[subject] = self.again(subject)
        return self.subjects[subject]

    def again(self, subject: str = "alice") -> httpx.Client:
        """The same with a connection and a token of its own, to be closed by whoever asks."""
        headers = {"Authorization": f"Bearer {self.token(subject)}"}
        return httpx.Client(base_url=self.url, timeout=30, headers=headers)


@contextmanager
def running(
    settings: Settings,
    *,
    worker: bool = True,
    clock: Clock | None = None,
    limits: Limits | None = None,
) -> Iterator[Running]:
    """Serve until the block is left; the database must be migrated. limits: none unless given."""
    with ExitStack() as leaving:
        parts = assemble(settings, clock)
        if limits is None:
            parts = replace(parts, onboarding=replace(parts.onboarding, rerun_quotas=()))
        leaving.callback(parts.close)
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        leaving.callback(listening.close)
        app = create_app(parts, with_worker=worker, limits=limits or Limits.none())
        server = make_server(app, lambda: None)
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        serving.start()
        leaving.callback(_stop, server, serving)
        wait_for(lambda: server.started or not serving.is_alive())
        assert server.started
        service = Running(parts, f"http://127.0.0.1:{listening.getsockname()[1]}")
        yield service
        for client in service.subjects.values():
            client.close()


def _stop(server: uvicorn.Server, serving: threading.Thread) -> None:
    server.should_exit = True
    serving.join(PATIENCE_SECONDS)


def wait_for(condition: Callable[[], bool]) -> None:
    """Look until `condition()` is true; fails the test when it never becomes so."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def form(**changes: str) -> dict[str, str]:
    """The fields of a portfolio form; an account name of its own unless given."""
    return {
        "name": "Test",
        "account_name": f"Account {uuid4().hex[:12]}",
        "account_type": "taxable",
        "equity": "100000",
    } | changes


def upload(
    client: httpx.Client,
    content: str | bytes = ONE_LOT,
    *,
    query: str = "",
    **changes: str,
) -> httpx.Response:
    """Send a file with its form. query: such as dry_run=true."""
    data = content.encode() if isinstance(content, str) else content
    return client.post(
        f"/api/v1/portfolios?{query}",
        files={"file": ("holdings.csv", data, "text/csv")},
        data=form(**changes),
    )


def opened(client: httpx.Client, content: str | bytes = ONE_LOT, **changes: str) -> Json:
    """Upload a file and start its run; returns the answer."""
    reply = upload(client, content, **changes)
    assert reply.status_code == 202, reply.text
    answer: Json = reply.json()
    return answer


def stored(client: httpx.Client, content: str | bytes = ONE_LOT, **changes: str) -> str:
    """Upload a file without starting anything; returns the portfolio's id."""
    reply = upload(client, content, query="start=false", **changes)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["portfolio_id"])


def status(client: httpx.Client, portfolio_id: str) -> Json:
    """The status document of a portfolio; its bytes keep the schema that the service publishes."""
    reply = client.get(f"/api/v1/onboarding/status/{portfolio_id}")
    assert reply.status_code == 200, reply.text
    assert errors(client, reply.content) == []
    doc: Json = reply.json()
    return doc


def ended(client: httpx.Client, portfolio_id: str) -> Json:
    """The status document of a portfolio, once its run has ended."""
    last: Json = {}

    def over() -> bool:
        last.update(status(client, portfolio_id))
        return bool(last["status"] != "running")

    wait_for(over)
    return last
