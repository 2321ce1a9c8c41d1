"""The operator's batches from the terminal: start, dry run, the catch-up, list, cancel."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from glassfolio.batch.scoping import Skipped
from glassfolio.batches import Forecast, StartedBatch
from glassfolio.cli.main import BAD_INPUT, COMPLETED, LOCAL_SUBJECT
from glassfolio.cli.onboard import caller_of
from glassfolio.errors import BadScope, NotFound
from glassfolio.model.scope import CATCH_UP, ID, Scope, read_scope
from glassfolio.onboarding import Caller
from glassfolio.settings import Settings
from glassfolio.store import rows
from glassfolio.store.batches import Wanted
from glassfolio.wiring import Parts, assemble

LISTED = 50


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for on the command line."""

    portfolio_ids: list[str]
    everything: bool
    force: bool
    start: str
    end: str
    dry_run: bool


def run(settings: Settings, request: Request) -> int:
    """Start a batch, or tell what it would touch; returns the exit code."""
    if bool(request.portfolio_ids) == request.everything:
        return _refuse("say which portfolios: --portfolio ID, once or more, or --all.")
    try:
        start, end = (date.fromisoformat(day) if day else None for day in (request.start, request.end))
    except ValueError:
        return _refuse("--from and --to are dates such as 2022-12-28.")
    asked = read_scope(
        request.portfolio_ids or None,
        scoped_only=bool(request.portfolio_ids),
        force_rerun=request.force,
        start=start,
        end=end,
    )
    if not isinstance(asked, Scope):
        raise BadScope(asked)
    with _assembled(settings) as (parts, caller):
        if request.dry_run:
            _tell_forecast(parts.batches.dry_run(caller, asked))
        else:
            _tell_started(parts, parts.batches.fire(caller, asked))
    return COMPLETED


def nightly(settings: Settings) -> int:
    """Start the catch-up now; returns the exit code."""
    with _assembled(settings) as (parts, caller):
        _tell_started(parts, parts.batches.fire(caller, CATCH_UP))
    return COMPLETED


def list_runs(settings: Settings) -> int:
    """Print the newest runs, one a line; returns the exit code."""
    with _assembled(settings) as (parts, caller):
        for item in parts.overseeing.runs(caller, Wanted(), LISTED):
            word = item.conclusion.value if item.conclusion else item.state.value
            print(item.id, item.batch_id or "-", item.portfolio_id, item.kind, item.trigger.value, word)
    return COMPLETED


def cancel(settings: Settings, key: str) -> int:
    """Ask a run, or all of a batch's, to stop; returns the exit code."""
    if not ID.fullmatch(key):
        raise NotFound
    with _assembled(settings) as (parts, caller):
        parts.batches.cancel(caller, key)
    print("Asked to stop; finished work is kept.")
    return COMPLETED


@contextmanager
def _assembled(settings: Settings) -> Iterator[tuple[Parts, Caller]]:
    parts = assemble(settings)
    try:
        yield parts, caller_of(parts, LOCAL_SUBJECT)
    finally:
        parts.close()


def _refuse(reason: str) -> int:
    print(f"glassfolio: {reason}", file=sys.stderr)
    return BAD_INPUT


def _tell_started(parts: Parts, batch: StartedBatch) -> None:
    print(f"batch {batch.batch_id}")
    for item in batch.runs:
        print(f"run {item.run_id} of {item.portfolio_id}: {item.kind.value}, {_span(item.touched)}")
    _tell_skipped(batch.skipped)
    with parts.database.reading() as connection:
        alive = rows.workers_alive(connection, parts.settings.lease, parts.database.dialect.epoch)
    if batch.runs and not alive:
        print("No worker lives: the runs wait for `glassfolio serve` or `glassfolio worker`.")


def _tell_forecast(forecast: Forecast) -> None:
    for job in forecast.jobs:
        asked = f"; asks for {', '.join(job.asked)}" if job.asked else ""
        print(f"{job.portfolio_id}: {job.kind.value}, {_span(job.touched)}{asked}")
    _tell_skipped(forecast.skipped)
    pairs, requests = (sum(len(getattr(job, name)) for job in forecast.jobs) for name in ("touched", "asked"))
    print(f"{len(forecast.jobs)} portfolios, {pairs} snapshots, {requests} requests. Nothing was started.")


def _tell_skipped(skipped: tuple[Skipped, ...]) -> None:
    for one in skipped:
        print(f"left out {one.portfolio_id}: {one.reason.value}")


def _span(touched: tuple[date, ...]) -> str:
    return f"{len(touched)} sessions from {touched[0]} to {touched[-1]}"
