"""Onboarding without a server, and attaching to an onboarding wherever it runs."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from glassfolio.cli.main import BAD_INPUT, COMPLETED, DETACHED, FAILED, UNREACHABLE
from glassfolio.cli.render import show
from glassfolio.errors import GlassfolioError, NotFound, SettingsError
from glassfolio.model.run import Trigger
from glassfolio.onboarding import Caller, Upload
from glassfolio.reading import StatusAnswer
from glassfolio.settings import Settings
from glassfolio.store import portfolios, rows
from glassfolio.wiring import Parts, Worker, assemble, observer

TOKEN_FILE = "GLASSFOLIO_TOKEN_FILE"  # noqa: S105 - the name of a setting
LOOK_SECONDS = 0.1
POLL_SECONDS = 2.0
GIVE_UP_AFTER_FAILURES = 5
WORKER_GRACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line."""

    file: Path
    fields: dict[str, str]
    subject: str
    dry_run: bool
    as_json: bool
    watch: bool


def onboard(settings: Settings, request: Request) -> int:
    """Open a portfolio from a file and carry its run here; returns the exit code."""
    try:
        data = request.file.read_bytes()
    except OSError as error:
        print(f"glassfolio: {request.file}: {error.strerror or 'cannot be read'}.", file=sys.stderr)
        return BAD_INPUT
    parts = assemble(settings)
    with ExitStack() as leaving:
        leaving.callback(parts.close)
        caller = _caller(parts, request.subject)
        opened = parts.onboarding.open(
            caller, Upload(request.file.name, data), request.fields, dry_run=request.dry_run
        )
        from glassfolio.cli.render import problems

        problems(opened.warnings)
        if opened.portfolio_id is None:
            print(f"The file is fine: {opened.positions} lots. Nothing was stored.")
            return COMPLETED
        if not request.as_json:
            print(f"portfolio {opened.portfolio_id}")
        if not request.watch:
            return COMPLETED
        return _carry(parts, caller, opened.portfolio_id, as_json=request.as_json)


def attach(settings: Settings, portfolio_id: str, subject: str, url: str, *, as_json: bool) -> int:
    """Show a run that goes on elsewhere, or carry it here when no worker lives; returns the exit code."""
    if url:
        return _follow(_polled(url, portfolio_id), as_json=as_json)
    parts = assemble(settings)
    with ExitStack() as leaving:
        leaving.callback(parts.close)
        return _carry(parts, _caller(parts, subject), portfolio_id, as_json=as_json)


def _caller(parts: Parts, subject: str) -> Caller:
    with parts.database.transaction() as connection:
        user_id = portfolios.user_id(connection, subject, parts.clock.now())
    return Caller(user_id, Trigger.CLI)


def _carry(parts: Parts, caller: Caller, portfolio_id: str, *, as_json: bool) -> int:
    """Follow a run in this database; where no other worker lives, this process works."""
    first = parts.reading.status(caller.user_id, portfolio_id)
    with parts.database.reading() as connection:
        others = rows.workers_alive(connection, parts.settings.lease, parts.database.dialect.epoch)
    with ExitStack() as leaving:
        if not first.ended and not others:
            worker, watching = Worker(parts), observer(parts)
            worker.start()
            watching.start()
            leaving.callback(worker.stop, 0)
            leaving.callback(watching.stop)

        def look() -> StatusAnswer:
            return parts.reading.status(caller.user_id, portfolio_id)

        return _follow(_looked(look), as_json=as_json, alone=not others)


def _follow(documents: Iterator[dict[str, Any]], *, as_json: bool, alone: bool = False) -> int:
    try:
        last = show(documents, as_json=as_json)
    except KeyboardInterrupt:
        print(
            "Paused; it continues with `glassfolio serve`, `worker` or `watch`."
            if alone
            else "Detached; the run goes on.",
            file=sys.stderr,
        )
        return DETACHED
    if last is None or last["status"] == "not_found":
        return BAD_INPUT
    return COMPLETED if last["status"] == "completed" else FAILED


def _looked(look: Callable[[], StatusAnswer]) -> Iterator[dict[str, Any]]:
    """Documents from the database, one for each change, until the run has ended."""
    seen = None
    while True:
        answer = look()
        if answer.tag != seen or answer.ended:
            seen = answer.tag
            yield json.loads(answer.body)
        if answer.ended:
            return
        time.sleep(LOOK_SECONDS)


def _polled(url: str, portfolio_id: str) -> Iterator[dict[str, Any]]:
    """Documents from a running service. Raises NotFound, SettingsError; exits when it is not reachable."""
    address = f"{url.rstrip('/')}/api/v1/onboarding/status/{portfolio_id}"
    failures = 0
    with httpx.Client(timeout=10) as client:
        while True:
            try:
                reply = client.get(address, headers={"Authorization": f"Bearer {_token()}"})
                failures = 0
            except httpx.TransportError:
                failures += 1
                if failures >= GIVE_UP_AFTER_FAILURES:
                    print(f"glassfolio: {url} does not answer.", file=sys.stderr)
                    sys.exit(UNREACHABLE)
                time.sleep(POLL_SECONDS)
                continue
            if reply.status_code == 404:
                raise NotFound
            if reply.status_code == 401:
                raise SettingsError(f"The service refused the token in {TOKEN_FILE}.")
            if reply.status_code == 200:
                doc: dict[str, Any] = reply.json()
                yield doc
                if doc["status"] != "running":
                    return
            time.sleep(float(reply.headers.get("retry-after", POLL_SECONDS)))


def _token() -> str:
    """The token, read again for every request: it lives for a minute."""
    path = os.environ.get(TOKEN_FILE)
    if not path:
        raise SettingsError(f"--url needs a token: put it into a file and its path into {TOKEN_FILE}.")
    try:
        return Path(path).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise GlassfolioError(f"{path} cannot be read: {type(error).__name__}.") from None
