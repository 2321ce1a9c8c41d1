"""The whole service as its owner meets it: `glassfolio serve`, a process of its own, over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.crash.nursery import ROOT, environment
from tests.crash.scene import EQUITY, LONGEST_SECONDS
from tests.crash.watcher import impossible

LOOK_SECONDS = 0.25


class Service:
    """`glassfolio serve`, killed and started again at will; `wrong` lists what no owner should see."""

    def __init__(self, folder: Path, database_url: str, provider_url: str, lease: float) -> None:
        self._port = _free_port()
        self._environment = environment(
            GLASSFOLIO_DATA_DIR=str(folder),
            GLASSFOLIO_DATABASE_URL=database_url,
            GLASSFOLIO_PROVIDER="tiingo",
            GLASSFOLIO_PROVIDER_URL=provider_url,
            GLASSFOLIO_PROVIDER_KEY="any",
            GLASSFOLIO_PROVIDER_RATE="1000",
            GLASSFOLIO_LEASE=str(lease),
            GLASSFOLIO_PORT=str(self._port),
            GLASSFOLIO_STATUS_RATE="off",
        )
        self._process: subprocess.Popen[str] | None = None
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self._port}/api/v1", timeout=30)
        self._before: dict[str, Any] | None = None
        self.wrong: list[str] = []

    def __enter__(self) -> Self:
        self.start()
        token = self._run("token", "--ttl", "1h").strip()
        self._client.headers["Authorization"] = f"Bearer {token}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "glassfolio", "serve"],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "is listening" in line:
                return
        raise RuntimeError("the service did not start")

    def kill(self) -> None:
        """End it and all it started, without a warning."""
        if self._process is None or self._process.stdout is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()
        self._process = None

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "glassfolio", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self._environment, check=True, capture_output=True, text=True
        ).stdout

    @property
    def url(self) -> str:
        """Where it listens, also while it is down."""
        return f"http://127.0.0.1:{self._port}"

    def sign_in_link(self) -> str:
        """The address that signs a browser in."""
        return self._run("token", "--link").strip().split()[-1]

    def open(self, holdings: bytes) -> str:
        """Onboard a portfolio; returns its id."""
        fields = {"name": "All", "account_name": "All", "account_type": "taxable", "equity": EQUITY}
        answer = self._client.post("/portfolios", data=fields, files={"file": ("lots.csv", holdings)})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["portfolio_id"])

    def get(self, path: str) -> Any:
        """What an address answers; waits when it was asked too often."""
        while (answer := self._client.get(path)).status_code == 429:
            time.sleep(LOOK_SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def watch(self, portfolio_id: str, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Poll the status until it is as wished."""
        for _ in range(int(LONGEST_SECONDS / LOOK_SECONDS)):
            seen: dict[str, Any] = self.get(f"/onboarding/status/{portfolio_id}")
            self.wrong += impossible(self._before, seen)
            self._before = seen
            if until(seen) or seen["status"] != "running":
                return seen
            time.sleep(LOOK_SECONDS)
        raise TimeoutError(f"waited {LONGEST_SECONDS} s; {self._before}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
