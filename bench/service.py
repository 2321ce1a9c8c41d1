"""A real service in a process of its own, on a fresh database, and a client for it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from glassfolio import bundled
from glassfolio.clock import SystemClock
from glassfolio.identity import issuer

START_SECONDS = 60
RUN_SECONDS = 120


@dataclass
class Service:
    """A running service. url: where it listens; folder: its data."""

    url: str
    folder: Path
    process: "subprocess.Popen[str]"

    @cached_property
    def _signer(self) -> issuer.Issuer:
        return issuer.load(self.folder, issuer.SCRIPTS)

    def token(self, subject: str) -> str:
        """A bearer token that outlives the bench."""
        return self._signer.token(subject, SystemClock().now(), 3600)

    def client(self, subject: str) -> httpx.Client:
        """A client signed in as `subject`."""
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.token(subject)}"}, timeout=30
        )

    def memory_kib(self) -> int:
        """Resident memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    def cpu_seconds(self) -> float:
        """Processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        """Largest resident memory so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024


PROGRAM = ("-m", "bench.unlimited")


@contextmanager
def running(
    folder: Path, serve: str = "", program: Sequence[str] = PROGRAM, **settings: str
) -> Iterator[Service]:
    """Serve from `folder` on a free port until the block ends. serve: more options of the command.

    program: what Python is given to run.
    """
    environment = {
        **os.environ,
        "GLASSFOLIO_DATA_DIR": str(folder),
        "GLASSFOLIO_UPLOAD_RATE": "off",
        **{f"GLASSFOLIO_{name.upper()}": value for name, value in settings.items()},
    }
    log = (folder / "serve.log").open("w", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, *program, "serve", "--port", "0", *serve.split()],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().split()[-1]
        _wait_until_ready(url + ("/healthz" if "--no-worker" in serve else "/readyz"))
        yield Service(url, folder, process)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
        log.close()


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError("the service did not become ready")


def holdings(lots: int) -> bytes:
    """A file of `lots` lots over the bundled stocks, bought at the close on days of 2021."""
    table = bundled.load_prices()
    stocks = [name for name in table.symbols if name not in _FACTORS]
    lines = ["Symbol,Quantity,Entry Price Per Share,Entry Date"]
    first = int((table.sessions < table.sessions[-400]).sum())
    for i in range(lots):
        symbol, row = stocks[i % len(stocks)], first + 3 * i
        close = table.close[row, table.symbols.index(symbol)]
        lines.append(f"{symbol},{10 + i},{close:.2f},{table.sessions[row]}")
    return ("\n".join(lines) + "\n").encode()


_FACTORS = ("MTUM", "QUAL", "SIZE", "USMV", "VLUE", "SP500", "SPY_TR", "UST20_TR")


def open_portfolio(client: httpx.Client, account: str, lots: int = 30) -> str:
    """Upload a file; returns the portfolio's id."""
    answer = client.post(
        "/api/v1/portfolios",
        files={"file": ("holdings.csv", holdings(lots), "text/csv")},
        data={"name": account, "account_name": account, "account_type": "taxable", "equity": "500000"},
    )
    answer.raise_for_status()
    return str(answer.json()["portfolio_id"])


def wait(client: httpx.Client, portfolio_id: str, every: float = 0.02) -> dict[str, Any]:
    """Poll until the run has ended; returns its last status."""
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        answer: dict[str, Any] = client.get(f"/api/v1/onboarding/status/{portfolio_id}").json()
        if answer["status"] != "running":
            return answer
        time.sleep(every)
    raise TimeoutError("the run did not end")


class Poller:
    """A lean reader of one address beside other work; `milliseconds` is filled when the block ends."""

    def __init__(self, service: Service, subject: str, path: str) -> None:
        host, port = service.url.removeprefix("http://").split(":")
        self._command = [sys.executable, "-m", "bench.poll", host, port, path, service.token(subject)]
        self.milliseconds: list[float] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        out, _ = self._process.communicate()
        self.milliseconds = [float(line) for line in out.splitlines()]
