"""What an owner can set going: open a portfolio, start and retry its run, cancel it, delete it.

Transactions are opened here. Knows nothing of HTTP, of terminals or of how work is carried out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from glassfolio.batch.start import Starter
from glassfolio.clock import Clock, exchange_date
from glassfolio.db.engine import Database
from glassfolio.errors import AccountNameTaken, BadHoldings, NotFound, RunActive, or_not_found
from glassfolio.imports import parse
from glassfolio.imports.form import PortfolioForm, read_form
from glassfolio.imports.problems import problem
from glassfolio.model.holdings import Holdings, Portfolio, Problem
from glassfolio.model.run import Conclusion, Run, Trigger
from glassfolio.sessions import Sessions
from glassfolio.store import portfolios, recent, rows
from glassfolio.store.recent import Quota


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the internal id, and by which door."""

    user_id: str
    trigger: Trigger


@dataclass(frozen=True, slots=True)
class Upload:
    """A holdings file as it arrived; data is None when there was none."""

    filename: str
    data: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """A portfolio that was stored, or would be: its ids are None in a dry run.

    run_id: None when no run was asked for. positions: lots read.
    warnings: what is doubtful in file and form.
    """

    portfolio_id: str | None
    run_id: str | None
    positions: int
    warnings: tuple[Problem, ...]


@dataclass(frozen=True)
class Onboarding:
    """The owner's commands. upload_quotas, rerun_quotas: what a person may do by HTTP; empty for no limit."""

    database: Database
    clock: Clock
    sessions: Sessions
    starter: Starter
    upload_quotas: tuple[Quota, ...] = ()
    rerun_quotas: tuple[Quota, ...] = recent.RERUNS

    def open(
        self,
        caller: Caller,
        upload: Upload,
        fields: Mapping[str, str],
        *,
        start: bool = True,
        dry_run: bool = False,
    ) -> Opened:
        """Check a file and a form; store the portfolio and start its run, together or not at all.

        Raises BadHoldings with every problem of file and form, AccountNameTaken, NothingToValue,
        TooManyRequests.
        """
        holdings, form = self._checked(upload, fields)
        portfolio = self._portfolio(caller, holdings, form)
        warnings = (*self._check_period(portfolio, holdings), *holdings.warnings)
        if dry_run:
            with self.database.reading() as connection:
                self._check_account(portfolios.live_account(connection, caller.user_id, form.account_name))
            return Opened(None, None, len(holdings.lots), warnings)
        try:
            with self.database.transaction() as connection:
                if caller.trigger is Trigger.USER and self.upload_quotas:
                    recent.take_upload(connection, caller.user_id, self.upload_quotas, portfolio.created_at)
                portfolios.create(connection, portfolio, holdings.lots, holdings.format, holdings.sha256)
                run_id = (
                    self.starter.begin(connection, portfolio, caller.trigger, caller.user_id)
                    if start
                    else None
                )
        except IntegrityError:
            with self.database.reading() as connection:
                self._check_account(portfolios.live_account(connection, caller.user_id, form.account_name))
            raise
        return Opened(portfolio.id, run_id, len(holdings.lots), warnings)

    def _checked(self, upload: Upload, fields: Mapping[str, str]) -> tuple[Holdings, PortfolioForm]:
        today = exchange_date(self.clock.now())
        form = read_form(fields, today=today)
        problems: list[Problem] = [] if isinstance(form, PortfolioForm) else list(form)
        holdings = None
        if upload.data is None:
            problems.append(problem("ERR_PORT_007", column="file"))
        else:
            holdings = parse(upload.data, filename=upload.filename, today=today, is_session=self._is_session)
            problems.extend(holdings.errors)
        if problems or holdings is None or not isinstance(form, PortfolioForm):
            raise BadHoldings([*problems, *(holdings.warnings if holdings else ())])
        return holdings, form

    def _is_session(self, day: date) -> bool:
        """Whether the exchange was open; before the calendar begins nobody can tell, so yes."""
        return day < self.sessions.day(0) or self.sessions.is_session(day)

    def _portfolio(self, caller: Caller, holdings: Holdings, form: PortfolioForm) -> Portfolio:
        return Portfolio(
            id=str(uuid4()),
            owner_id=caller.user_id,
            name=form.name,
            account_name=form.account_name,
            account_type=form.account_type,
            description=form.description,
            equity=form.equity,
            equity_as_of=form.equity_as_of or holdings.as_of,
            anchor=None,
            created_at=self.clock.now(),
            shown_run=None,
        )

    def _check_period(self, portfolio: Portfolio, holdings: Holdings) -> tuple[Problem, ...]:
        """Refuse what the price source cannot reach: an equity date before it, lots all after it.

        An equity date after its newest price is moved back to it, with a warning.
        """
        oldest = self.starter.oldest_session()
        if portfolio.equity_as_of is not None and oldest is not None and portfolio.equity_as_of < oldest:
            raise BadHoldings([problem("ERR_PORT_013", column="equity_as_of", first=oldest.isoformat())])
        _first, newest = self.starter.window(portfolio, holdings.lots)
        if portfolio.equity_as_of is None or portfolio.equity_as_of <= newest:
            return ()
        return (problem("WARN_PORT_001", column="equity_as_of", newest=newest.isoformat()),)

    @staticmethod
    def _check_account(taken_by: str | None) -> None:
        if taken_by is not None:
            raise AccountNameTaken(taken_by)

    def start(self, caller: Caller, portfolio_id: str) -> Run:
        """Start work on a portfolio: the active run if there is one, the next attempt after a failure,
        a new run after completion or when there was none. Raises NotFound, TooManyRequests.
        """
        for _race in range(2):
            try:
                return self._start(caller, portfolio_id)
            except IntegrityError:
                continue
        return self._start(caller, portfolio_id)

    def _start(self, caller: Caller, portfolio_id: str) -> Run:
        with self.database.transaction() as connection:
            portfolio = or_not_found(portfolios.owned(connection, portfolio_id, caller.user_id))
            active = rows.active(connection, portfolio_id)
            if active is not None:
                return active
            self._take_rerun(connection, caller)
            last = rows.get(connection, portfolio.shown_run) if portfolio.shown_run else None
            if last is not None and last.conclusion in (Conclusion.FAILURE, Conclusion.CANCELLED):
                self.starter.retry(connection, last)
                run_id = last.id
            else:
                run_id = self.starter.begin(connection, portfolio, caller.trigger, caller.user_id)
            return or_not_found(rows.get(connection, run_id))

    def _take_rerun(self, connection: sa.Connection, caller: Caller) -> None:
        if caller.trigger is Trigger.USER and self.rerun_quotas:
            recent.take_rerun(connection, caller.user_id, self.rerun_quotas, self.clock)

    def retry(self, caller: Caller, run_id: str) -> Run:
        """Start the next attempt of an ended run.

        Raises NotFound, TooManyRequests, and RunActive while a run of its portfolio is at work.
        """
        try:
            with self.database.transaction() as connection:
                run = or_not_found(rows.owned(connection, run_id, caller.user_id))
                self._take_rerun(connection, caller)
                self.starter.retry(connection, run)
                return or_not_found(rows.get(connection, run_id))
        except IntegrityError as error:
            raise RunActive from error

    def cancel(self, caller: Caller, run_id: str) -> Run:
        """Ask a run to stop at its next chunk. Raises NotFound, RunEnded."""
        with self.database.transaction() as connection:
            run = or_not_found(rows.owned(connection, run_id, caller.user_id))
            self.starter.cancel(connection, run)
            return or_not_found(rows.get(connection, run_id))

    def delete(self, caller: Caller, portfolio_id: str) -> None:
        """Delete a portfolio; a run that is at work stops at its next chunk. Raises NotFound."""
        with self.database.transaction() as connection:
            if not portfolios.delete(connection, portfolio_id, caller.user_id, self.clock.now()):
                raise NotFound
            active = rows.active(connection, portfolio_id)
            if active is not None:
                self.starter.cancel(connection, active)
