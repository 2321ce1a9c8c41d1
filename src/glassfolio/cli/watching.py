"""Where status documents come from in the terminal: this machine's database, or a running service.

Knows nothing of how they are drawn.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx

from glassfolio.errors import GlassfolioError, NotFound, SettingsError
from glassfolio.onboarding import Caller
from glassfolio.store import rows
from glassfolio.wiring import Parts, Worker, observer

Document = dict[str, Any]

UNREACHABLE = 4
LOOK_SECONDS = 0.1
TICK_SECONDS = 1.0
POLL_SECONDS = 2.0
GIVE_UP_AFTER_FAILURES = 5
LOG_PAGE = 500


class Source(Protocol):
    """A run that can be followed."""

    def documents(self) -> Iterator[Document]:
        """Its status documents, about one a second and at each change, until it has ended."""
        ...

    def log(self, document: Document, after: int) -> list[Document]:
        """The entries of its attempt's log numbered above `after`."""
        ...


@dataclass
class Local:
    """A run in this machine's database; where no worker lives, this process works."""

    parts: Parts
    caller: Caller
    portfolio_id: str
    working: list[Worker] = field(default_factory=list)

    def documents(self) -> Iterator[Document]:
        """Look at the database; begin to work as soon as nobody else does."""
        seen, next_tick = None, 0.0
        try:
            while True:
                answer = self.parts.reading.status(self.caller.user_id, self.portfolio_id)
                due = time.monotonic() >= next_tick
                if answer.tag != seen or answer.ended or due:
                    seen, next_tick = answer.tag, time.monotonic() + TICK_SECONDS
                    yield json.loads(answer.body)
                if answer.ended:
                    return
                if due and not self.working:
                    self._work_if_nobody_does()
                time.sleep(LOOK_SECONDS)
        finally:
            for worker in self.working:
                worker.stop(0)

    def _work_if_nobody_does(self) -> None:
        with self.parts.database.reading() as connection:
            epoch = self.parts.database.dialect.epoch
            others = rows.workers_alive(connection, self.parts.settings.lease, epoch)
        if not others:
            worker = Worker(self.parts)
            worker.start()
            observer(self.parts).start()
            self.working.append(worker)

    def log(self, document: Document, after: int) -> list[Document]:
        """From the database."""
        run_id, attempt = document["run_id"], document["attempt"]
        if run_id is None:
            return []
        return self.parts.reading.log(self.caller.user_id, run_id, after, LOG_PAGE, attempt)


@dataclass
class Remote:
    """A run of a running service. token_file: holds the bearer token, read again for every request."""

    url: str
    portfolio_id: str
    token_file: Path | None
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=10))

    def documents(self) -> Iterator[Document]:
        """Poll as the service advises. Raises NotFound, SettingsError; exits when it is not reachable."""
        while True:
            reply = self._get(f"/api/v1/onboarding/status/{self.portfolio_id}")
            if reply.status_code == 200:
                doc: Document = reply.json()
                yield doc
                if doc["status"] != "running":
                    return
            time.sleep(float(reply.headers.get("retry-after", POLL_SECONDS)))

    def log(self, document: Document, after: int) -> list[Document]:
        """From the service; entries of earlier attempts included."""
        reply = self._get(f"{document['links']['log']}?after={after}")
        entries: list[Document] = reply.json()["entries"] if reply.status_code == 200 else []
        return entries

    def _get(self, path: str) -> httpx.Response:
        refused = False
        for _failure in range(GIVE_UP_AFTER_FAILURES):
            try:
                reply = self.client.get(
                    self.url.rstrip("/") + path, headers={"Authorization": f"Bearer {self._token()}"}
                )
            except httpx.TransportError:
                time.sleep(POLL_SECONDS)
                continue
            if reply.status_code == 404:
                raise NotFound
            if reply.status_code != 401:
                return reply
            if refused:
                raise SettingsError(f"The service refused the token in {self.token_file}.")
            # Somebody renews the file; look at it once more.
            refused = True
            time.sleep(POLL_SECONDS)
        print(f"glassfolio: {self.url} does not answer.", file=sys.stderr)
        sys.exit(UNREACHABLE)

    def _token(self) -> str:
        if self.token_file is None:
            raise SettingsError(
                "--url needs a token: put it into a file and its path into GLASSFOLIO_TOKEN_FILE."
            )
        try:
            return self.token_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise GlassfolioError(f"{self.token_file} cannot be read: {type(error).__name__}.") from None
