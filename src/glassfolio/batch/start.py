"""The one way a run begins: its row, its order to the engine, and its portfolio's anchor, together.

Knows nothing of who may start a run.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from glassfolio.batch.endings import cancel, fail
from glassfolio.batch.pipeline import FLOW, NAMES
from glassfolio.batch.plan import window
from glassfolio.batch.scoping import Job
from glassfolio.clock import Clock
from glassfolio.engine.app import Dispatcher, Order, Queue
from glassfolio.engine.reconcile import Statements, Wanted
from glassfolio.errors import NothingToValue, RunActive, RunEnded, Superseded
from glassfolio.model.holdings import Lot, Portfolio
from glassfolio.model.run import FailureCode, Run, RunKind, RunState, Trigger
from glassfolio.providers.base import PriceProvider
from glassfolio.sessions import Sessions
from glassfolio.store import portfolios, rows, runs

# Runs of batches, one at a time in a worker, so that whoever looks at a screen never waits for them.
NIGHTLY = Queue("nightly", worker_concurrency=1, polling_seconds=1.0)
# Runs of one owner go side by side, up to four at a time; owners do not wait for each other.
RUNS = Queue("runs", worker_concurrency=32, polling_seconds=0.05, partition_concurrency=4)
PRIORITY = 10
ERRORS_ALLOWED = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """The batch that a run is part of, and what set it going."""

    batch_id: str
    trigger: Trigger
    triggered_by: str


@dataclass(frozen=True)
class Starter:
    """Begins, retries and cancels runs inside the caller's transaction.

    history: sessions a first run goes back, None from the first lot on.
    close_delay: time after a close before its bar can be asked for; None for the provider's own.
    """

    dispatcher: Dispatcher
    clock: Clock
    sessions: Sessions
    provider: PriceProvider
    history: int | None
    close_delay: timedelta | None

    def newest_session(self) -> date:
        """The newest completed session that the provider can price."""
        terms = self.provider.terms
        delay = terms.close_delay if self.close_delay is None else self.close_delay
        completed = self.sessions.last_completed(self.clock.now(), delay)
        newest = self.provider.newest_session()
        return completed if newest is None else min(completed, newest)

    def oldest_session(self) -> date | None:
        """The first session the provider can price; None where that is not known."""
        return self.provider.oldest_session()

    def anchor(self, portfolio: Portfolio) -> date:
        """The session whose NAV is the stated equity: the newest one not after the stated date."""
        newest = self.newest_session()
        stated = portfolio.anchor or portfolio.equity_as_of or newest
        return self.sessions.day(max(self.sessions.ordinal(min(stated, newest)), 0))

    def window(self, portfolio: Portfolio, lots: tuple[Lot, ...]) -> tuple[date, date]:
        """The first and last session a run of this portfolio values.

        Raises NothingToValue when every lot was entered after the newest price.
        """
        newest = self.newest_session()
        if all(lot.entry_date is not None and lot.entry_date > newest for lot in lots):
            raise NothingToValue(f"Every lot was bought after {newest}, the last day the price source knows.")
        entries = [lot.entry_date for lot in lots if lot.entry_date is None or lot.entry_date <= newest]
        return window(self.sessions, entries, newest, self.anchor(portfolio), self.history)

    def begin(
        self, connection: sa.Connection, portfolio: Portfolio, trigger: Trigger, triggered_by: str
    ) -> str:
        """Start an onboarding run; returns its id. Raises IntegrityError when one is active."""
        lots = portfolios.lots(connection, portfolio.id)
        first, last = self.window(portfolio, lots)
        opening = runs.Opening(
            portfolio.id,
            portfolio.owner_id,
            RunKind.ONBOARDING,
            trigger,
            triggered_by,
            first,
            last,
            _totals(lots, len(self.sessions.between(first, last))),
        )
        run_id = self._open(connection, portfolio, opening)
        self.dispatcher.enqueue(connection, order(run_id, 0, portfolio.owner_id))
        return run_id

    def begin_job(self, connection: sa.Connection, job: Job, origin: Origin, place: int) -> str:
        """Start a batch's run of one portfolio; returns its id. Raises IntegrityError when one is active.

        place: among the batch's runs, from 1; those are carried in this order.
        """
        opening = runs.Opening(
            job.portfolio.id,
            job.portfolio.owner_id,
            job.kind,
            origin.trigger,
            origin.triggered_by,
            job.first,
            job.last,
            _totals(job.lots, len(job.touched)),
            origin.batch_id,
            job.redo,
            job.touched[0],
            job.touched[-1],
        )
        run_id = self._open(connection, job.portfolio, opening)
        self.dispatcher.enqueue(connection, order(run_id, 0, None, place))
        return run_id

    def _open(self, connection: sa.Connection, portfolio: Portfolio, opening: runs.Opening) -> str:
        anchor = self.anchor(portfolio)
        portfolios.set_anchor(connection, portfolio.id, anchor)
        run_id = runs.open_run(connection, opening, NAMES, self.clock.now())
        if portfolio.equity_as_of is not None and portfolio.equity_as_of > self.newest_session():
            with runs.Turn(connection, run_id, 0, NAMES, self.clock.now()) as turn:
                turn.say("EQUITY_DATE_MOVED", date=anchor.isoformat())
        return run_id

    def retry(self, connection: sa.Connection, run: Run, *, only_failed: bool = False) -> None:
        """Start the next attempt of an ended run, up to the newest session; of a batch's run, for
        the sessions it was asked for. Raises RunActive when it has not ended.

        only_failed: up to the session it had, so that nothing is fetched but what has failed.
        """
        asked = self.sessions.between
        keeps_end = bool(run.batch_id) or only_failed
        last = run.last_session if keeps_end and run.last_session else self.newest_session()
        dates = asked(run.asked_first or run.first_session or last, run.asked_last or last)
        totals = _totals(portfolios.lots(connection, run.portfolio_id), len(dates))
        begun = runs.retry(connection, run.id, NAMES, last, totals, self.clock.now())
        if begun is None:
            raise RunActive
        self.dispatcher.enqueue(connection, order(run.id, begun[1], None if run.batch_id else run.owner_id))

    def cancel(
        self, connection: sa.Connection, run: Run, by: FailureCode = FailureCode.CANCELLED_BY_OWNER
    ) -> None:
        """Ask a run to stop at its next chunk; one that waits stops at once. Raises RunEnded."""
        try:
            with runs.Turn(connection, run.id, None, NAMES, self.clock.now()) as turn:
                if turn.state is RunState.CANCELLING:
                    return
                turn.say("CANCEL_REQUESTED")
                if turn.state in (RunState.QUEUED, RunState.INTERRUPTED):
                    cancel(turn, by)
                else:
                    turn.change(state=RunState.CANCELLING.value, failure_code=by.value)
        except Superseded:
            raise RunEnded from None


def _totals(lots: tuple[Lot, ...], dates: int) -> dict[str, int]:
    """What is known of a run's size when it is accepted."""
    return {"symbols": len({lot.symbol for lot in lots if not lot.is_cash_like}), "dates": dates}


def order(run_id: str, fence: int, owner_id: str | None, priority: int = 1) -> Order:
    """The order for one hand-over of a run; its workflow id is never used twice.

    owner_id: None for a run of a batch, which has a queue of its own; there, 1 comes first.
    """
    if owner_id is None:
        return Order(FLOW, f"{run_id}:{fence}", NIGHTLY.name, None, priority, (run_id, fence))
    return Order(FLOW, f"{run_id}:{fence}", RUNS.name, owner_id, PRIORITY, (run_id, fence))


def statements(clock: Clock) -> Statements:
    """What reconcile needs to know of runs."""

    def wanted(connection: sa.Connection) -> list[Wanted]:
        return [Wanted(run_id, fence, f"{run_id}:{fence}") for run_id, fence in rows.unended(connection)]

    def hand_over(connection: sa.Connection, item: Wanted, came_to_grief: bool) -> Order | None:
        try:
            with runs.Turn(connection, item.key, item.fence, NAMES, clock.now()) as turn:
                if turn.state is RunState.CANCELLING:
                    cancel(turn)
                    return None
                errors = turn.row["errors"] + came_to_grief
                if errors > ERRORS_ALLOWED:
                    fail(turn, FailureCode.INTERNAL_ERROR)
                    return None
                fence = item.fence + 1
                turn.change(fence=fence, errors=errors, worker=None, state=RunState.QUEUED.value)
                turn.change(waiting_until=None, stalled_since=None, stalled_reason=None)
                return order(item.key, fence, None if turn.row["batch_id"] else str(turn.row["owner_id"]))
        except Superseded:
            return None

    return Statements(wanted, hand_over)
