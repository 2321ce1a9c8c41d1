"""Where status documents come from in the terminal: this machine's database, or a running service.

Knows nothing of how they are drawn.
"""

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

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
LONGEST_WAIT_SECONDS = 30.0
JITTER = 0.1
GIVE_UP_AFTER_FAILURES = 5
PATIENCE_SECONDS = 30 * 60
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
class Patience:
    """How long a run is watched that does not move. now: a stopwatch in seconds."""

    now: Callable[[], float] = time.monotonic
    _version: object = None
    _since: float | None = None

    def look(self, version: object) -> None:
        """Remember the version that was seen; leave with exit code 4 when it has not changed for too long."""
        if self._since is None or version != self._version:
            self._version, self._since = version, self.now()
        else:
            self.look_again()

    def look_again(self) -> None:
        """The same when nothing was seen."""
        if self._since is None:
            self._since = self.now()
        if self.now() - self._since >= PATIENCE_SECONDS:
            _leave("no progress for 30 minutes; the run is not lost, `glassfolio watch` looks again.")


def _leave(reason: str) -> NoReturn:
    print(f"glassfolio: {reason}", file=sys.stderr)
    sys.exit(UNREACHABLE)


@dataclass
class Local:
    """A run in this machine's database; where no worker lives, this process works."""

    parts: Parts
    caller: Caller
    portfolio_id: str
    working: list[Worker] = field(default_factory=list)
    patience: Patience = field(default_factory=Patience)

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
                if not self.working:
                    self.patience.look(answer.tag)
                    if due:
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
    sleep: Callable[[float], None] = time.sleep
    patience: Patience = field(default_factory=Patience)

    def documents(self) -> Iterator[Document]:
        """Poll as the service advises. Raises NotFound, SettingsError; exits when it is not reachable."""
        while True:
            reply = self._get(f"/api/v1/onboarding/status/{self.portfolio_id}")
            doc: Document = reply.json()
            yield doc
            if doc["status"] != "running":
                return
            self.patience.look(doc["seq"])
            self._wait(POLL_SECONDS, reply)

    def log(self, document: Document, after: int) -> list[Document]:
        """From the service; entries of earlier attempts included."""
        reply = self._get(f"{document['links']['log']}?after={after}")
        entries: list[Document] = reply.json()["entries"]
        return entries

    def _get(self, path: str) -> httpx.Response:
        """The answer to a request that in the end succeeded."""
        failures, refused = 0, False
        while failures < GIVE_UP_AFTER_FAILURES:
            reply = self._ask(path)
            if reply is not None and reply.status_code == 200:
                return reply
            if reply is not None and reply.status_code == 429:
                # It answers, and says when to come back.
                self.patience.look_again()
                self._wait(POLL_SECONDS, reply)
                continue
            failures += 1
            if reply is not None and reply.status_code == 401:
                if refused:
                    raise SettingsError(f"The service refused the token in {self.token_file}.")
                # Somebody renews the file; look at it once more.
                refused = True
            self._wait(POLL_SECONDS * 2 ** (failures - 1), reply)
        _leave(f"{self.url} does not answer.")

    def _ask(self, path: str) -> httpx.Response | None:
        """One request; None when no answer came. Raises NotFound, GlassfolioError for what stays refused."""
        headers = {"Authorization": f"Bearer {self._token()}"}
        try:
            reply = self.client.get(self.url.rstrip("/") + path, headers=headers)
        except httpx.TransportError:
            return None
        if reply.status_code == 404:
            raise NotFound
        if reply.status_code in range(300, 500) and reply.status_code not in (401, 408, 429):
            raise GlassfolioError(f"The service answered {reply.status_code}.")
        return reply

    def _wait(self, seconds: float, reply: httpx.Response | None) -> None:
        """Wait as long as the answer says, or else `seconds`; a little longer, so that clients spread out."""
        said = "" if reply is None else reply.headers.get("retry-after", "")
        wait = float(said) if said.isdecimal() else min(seconds, LONGEST_WAIT_SECONDS)
        self.sleep(wait * random.uniform(1, 1 + JITTER))  # noqa: S311

    def _token(self) -> str:
        if self.token_file is None:
            raise SettingsError(
                "--url needs a token: put it into a file and its path into GLASSFOLIO_TOKEN_FILE."
            )
        try:
            return self.token_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise GlassfolioError(f"{self.token_file} cannot be read: {type(error).__name__}.") from None
