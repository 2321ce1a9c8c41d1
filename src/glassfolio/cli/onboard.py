"""Onboarding without a server, and attaching to an onboarding wherever it runs."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from glassfolio.cli.main import BAD_INPUT, COMPLETED, DETACHED, FAILED
from glassfolio.cli.render import problems, show
from glassfolio.cli.watching import Local, Remote, Source
from glassfolio.model.run import Trigger
from glassfolio.onboarding import Caller, Upload
from glassfolio.settings import Settings
from glassfolio.store import portfolios
from glassfolio.wiring import Parts, assemble


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
        caller = caller_of(parts, request.subject)
        opened = parts.onboarding.open(
            caller, Upload(request.file.name, data), request.fields, dry_run=request.dry_run
        )
        problems(opened.warnings)
        if opened.portfolio_id is None:
            print(f"The file is fine: {opened.positions} lots. Nothing was stored.")
            return COMPLETED
        if not request.as_json:
            print(f"portfolio {opened.portfolio_id}", flush=True)
        if not request.watch:
            return COMPLETED
        return follow(Local(parts, caller, opened.portfolio_id), as_json=request.as_json)


def attach(settings: Settings, portfolio_id: str, subject: str, url: str, *, as_json: bool) -> int:
    """Show a run that goes on elsewhere, or carry it here when no worker lives; returns the exit code."""
    if url:
        return follow(Remote(url, portfolio_id, settings.token_file), as_json=as_json)
    parts = assemble(settings)
    with ExitStack() as leaving:
        leaving.callback(parts.close)
        return follow(Local(parts, caller_of(parts, subject), portfolio_id), as_json=as_json)


def caller_of(parts: Parts, subject: str) -> Caller:
    """The person behind a subject, asking from the command line."""
    with parts.database.transaction() as connection:
        user_id = portfolios.user_id(connection, subject, parts.clock.now())
    return Caller(user_id, Trigger.CLI)


def follow(source: Source, *, as_json: bool) -> int:
    """Draw a run until it has ended; returns the exit code."""
    last = None
    try:
        last = show(source, as_json=as_json)
    except KeyboardInterrupt:
        print(_farewell(source), file=sys.stderr)
        return DETACHED
    if last is None or last["status"] == "not_found":
        return BAD_INPUT
    return COMPLETED if last["status"] == "completed" else FAILED


def _farewell(source: Source) -> str:
    if isinstance(source, Local) and source.working:
        at = source.parts.reading.progress(source.caller.user_id, source.portfolio_id)
        return f"Paused at {at}; it continues with `glassfolio serve`, `worker` or `watch`."
    return "Detached; the run goes on."
