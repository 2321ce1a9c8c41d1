"""The commands. Each says what it does in one line and imports what it needs when it runs."""

import ctypes
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassfolio import __version__
from glassfolio.errors import BadHoldings, BadScope, GlassfolioError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from glassfolio.settings import Settings
    from glassfolio.wiring import Parts

AppMaker = Callable[["Parts", bool], "FastAPI"]

COMPLETED, FAILED, BAD_INPUT, DETACHED = 0, 1, 2, 130
LOCAL_SUBJECT = "local"

app = typer.Typer(
    name="glassfolio",
    help="Onboard an investment portfolio, and watch truthfully how far it is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
batch = typer.Typer(
    name="batch", help="Runs of many portfolios, for operators.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(batch)
_makers: list[AppMaker] = []

# Of the C library's mallopt: how many heaps a process may have.
M_ARENA_MAX = -8


def share_one_heap() -> None:
    """Keep memory low: left alone, the C library gives each thread a heap, and never takes it back.

    Heaps that are there stay, so it comes before libraries with threads of their own. Does nothing where
    the C library is another one.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def run(make_app: AppMaker) -> None:
    """Run the command line; what goes wrong becomes one line and an exit code."""
    share_one_heap()
    _makers[:] = [make_app]
    try:
        app()
    except BadHoldings as error:
        from glassfolio.cli.render import problems

        problems(error.problems)
        sys.exit(BAD_INPUT)
    except BadScope as error:
        for item in error.problems:
            print(f"glassfolio: {item}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except GlassfolioError as error:
        print(f"glassfolio: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)


def _settings(**changes: Any) -> "Settings":
    from glassfolio import settings

    return settings.load(**changes)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Answer requests only; work is done by `worker`.")
    ] = False,
) -> None:
    """Serve the API, with a worker inside unless told not to."""
    from glassfolio.cli.serve import serve as run_server

    run_server(_settings(host=host, port=port), _makers[0], with_worker=not no_worker)


@app.command()
def worker() -> None:
    """Carry runs in one more process on the same database."""
    from glassfolio.cli.serve import work

    work(_settings())


@app.command()
def onboard(
    file: Annotated[Path, typer.Argument(help="The holdings file.")],
    name: Annotated[str, typer.Option(help="Name of the portfolio.")],
    equity: Annotated[str, typer.Option(help="Net value of the account in USD.")],
    as_of: Annotated[str, typer.Option(help="The day the equity belongs to.")] = "",
    account_name: Annotated[
        str, typer.Option(help="Name of the account; the portfolio's name by default.")
    ] = "",
    account_type: Annotated[str, typer.Option(help="taxable, ira, roth_ira, 401k, …")] = "taxable",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file and store nothing.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the status document, a line per change.")
    ] = False,
    no_watch: Annotated[bool, typer.Option("--no-watch", help="Start and return at once.")] = False,
    subject: Annotated[str, typer.Option(help="Whose portfolio it is.")] = LOCAL_SUBJECT,
) -> None:
    """Onboard a holdings file without a server, and show how far it is."""
    from glassfolio.cli.onboard import Request
    from glassfolio.cli.onboard import onboard as run_onboard

    fields = {
        "name": name,
        "account_name": account_name or name,
        "account_type": account_type,
        "equity": equity,
        "equity_as_of": as_of,
    }
    request = Request(file, fields, subject, dry_run=dry_run, as_json=as_json, watch=not no_watch)
    raise typer.Exit(run_onboard(_settings(), request))


@app.command()
def watch(
    portfolio_id: Annotated[str, typer.Argument(help="The portfolio.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the status document, a line per change.")
    ] = False,
    url: Annotated[str, typer.Option(help="A running service, instead of this machine's database.")] = "",
    subject: Annotated[str, typer.Option(help="Whose portfolio it is.")] = LOCAL_SUBJECT,
) -> None:
    """Attach to a running or finished onboarding."""
    from glassfolio.cli.onboard import attach

    raise typer.Exit(attach(_settings(), portfolio_id, subject, url, as_json=as_json))


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="First port to try.")] = 8000,
    leave: Annotated[bool, typer.Option("--leave", help="Stop when the onboarding has ended.")] = False,
) -> None:
    """Onboard a sample portfolio on real bundled prices, and keep serving."""
    from glassfolio.cli.serve import demo as run_demo

    raise typer.Exit(run_demo(_makers[0], port, leave=leave))


@batch.command("run")
def batch_run(
    portfolio: Annotated[list[str] | None, typer.Option(help="A portfolio; may be repeated.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All portfolios.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="All sessions again, not only those without a snapshot.")
    ] = False,
    start: Annotated[str, typer.Option("--from", help="The first day.")] = "",
    end: Annotated[str, typer.Option("--to", help="The last day.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what it would touch only.")] = False,
) -> None:
    """Start a run for each of the portfolios."""
    from glassfolio.cli.batch import Request
    from glassfolio.cli.batch import run as run_batch

    request = Request(portfolio or [], everything, force, start, end, dry_run)
    raise typer.Exit(run_batch(_settings(), request))


@batch.command("nightly")
def batch_nightly() -> None:
    """Start the nightly catch-up now."""
    from glassfolio.cli.batch import nightly

    raise typer.Exit(nightly(_settings()))


@batch.command("list")
def batch_list() -> None:
    """Print the newest runs: run, batch, portfolio, kind, trigger, outcome."""
    from glassfolio.cli.batch import list_runs

    raise typer.Exit(list_runs(_settings()))


@batch.command("cancel")
def batch_cancel(key: Annotated[str, typer.Argument(metavar="ID", help="A batch or a run.")]) -> None:
    """Ask a run, or all of a batch's, to stop; finished work is kept."""
    from glassfolio.cli.batch import cancel

    raise typer.Exit(cancel(_settings(), key))


@app.command()
def doctor() -> None:
    """Look whether everything is in order, and say what to do if not."""
    from glassfolio.cli.operate import doctor as run_doctor

    raise typer.Exit(run_doctor(_settings()))


@app.command()
def migrate() -> None:
    """Bring the database up to date."""
    from glassfolio.cli.operate import migrate as run_migrate

    run_migrate(_settings())


@app.command()
def token(
    subject: Annotated[str, typer.Option(help="Whom the token is for.")] = LOCAL_SUBJECT,
    ttl: Annotated[str, typer.Option(help="How long it is valid: 60s, 10m, 1h.")] = "60s",
    link: Annotated[
        bool, typer.Option("--link", help="A one-time sign-in link for a browser instead, good for 10m.")
    ] = False,
) -> None:
    """Print a bearer token for scripts, or a sign-in link."""
    from glassfolio.cli import operate

    print(operate.link(_settings(), subject) if link else operate.token(_settings(), subject, ttl))


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)
