"""The one way a run begins: its row, its order to the engine, and its portfolio's anchor, together.

Knows nothing of who may start a run.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from glassfolio.batch.endings import cancel, fail
from glassfolio.batch.pipeline import FLOW, NAMES
from glassfolio.batch.plan import window
from glassfolio.clock import Clock
from glassfolio.engine.app import Dispatcher, Order, Queue
from glassfolio.engine.reconcile import Statements, Wanted
from glassfolio.errors import NothingToValue, RunActive, RunEnded, Superseded
from glassfolio.model.holdings import Lot, Portfolio
from glassfolio.model.run import FailureCode, Run, RunState, Trigger
from glassfolio.providers.base import PriceProvider
from glassfolio.sessions import Sessions
from glassfolio.store import portfolios, rows, runs

# Runs of one owner go side by side, up to four at a time; owners do not wait for each other.
RUNS = Queue("runs", worker_concurrency=32, polling_seconds=0.05, partition_concurrency=4)
PRIORITY = 10
ERRORS_ALLOWED = 3


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
        portfolios.set_anchor(connection, portfolio.id, self.anchor(portfolio))
        opening = runs.Opening(
            portfolio.id,
            portfolio.owner_id,
            "onboarding",
            trigger,
            triggered_by,
            first,
            last,
            self._totals(lots, first, last),
        )
        run_id = runs.open_run(connection, opening, NAMES, self.clock.now())
        if portfolio.equity_as_of is not None and portfolio.equity_as_of > last:
            with runs.Turn(connection, run_id, 0, NAMES, self.clock.now()) as turn:
                turn.say("EQUITY_DATE_MOVED", date=last.isoformat())
        self.dispatcher.enqueue(connection, order(run_id, 0, portfolio.owner_id))
        return run_id

    def retry(self, connection: sa.Connection, run: Run, *, only_failed: bool = False) -> None:
        """Start the next attempt of an ended run, up to the newest session. Raises RunActive when it has not
        ended. only_failed: up to the session it had, so that nothing is fetched but what has failed.
        """
        newest = self.newest_session()
        if only_failed and run.last_session is not None:
            newest = run.last_session
        totals = self._totals(portfolios.lots(connection, run.portfolio_id), run.first_session, newest)
        begun = runs.retry(connection, run.id, NAMES, newest, totals, self.clock.now())
        if begun is None:
            raise RunActive
        self.dispatcher.enqueue(connection, order(run.id, begun[1], run.owner_id))

    def _totals(self, lots: tuple[Lot, ...], first: date | None, last: date) -> dict[str, int]:
        """What is known of a run's size when it is accepted."""
        return {
            "symbols": len({lot.symbol for lot in lots if not lot.is_cash_like}),
            "dates": len(self.sessions.between(first or last, last)),
        }

    def cancel(self, connection: sa.Connection, run: Run) -> None:
        """Ask a run to stop at its next chunk; one that waits stops at once. Raises RunEnded."""
        try:
            with runs.Turn(connection, run.id, None, NAMES, self.clock.now()) as turn:
                if turn.state is RunState.CANCELLING:
                    return
                turn.say("CANCEL_REQUESTED")
                if turn.state in (RunState.QUEUED, RunState.INTERRUPTED):
                    cancel(turn)
                else:
                    turn.change(state=RunState.CANCELLING.value)
        except Superseded:
            raise RunEnded from None


def order(run_id: str, fence: int, owner_id: str) -> Order:
    """The order for one hand-over of a run; its workflow id is never used twice."""
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
                return order(item.key, fence, str(turn.row["owner_id"]))
        except Superseded:
            return None

    return Statements(wanted, hand_over)
