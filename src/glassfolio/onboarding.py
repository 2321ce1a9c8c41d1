"""What an owner can set going: open a portfolio, start and retry its run, cancel it, delete it.

Transactions are opened here. Knows nothing of HTTP, of terminals or of how work is carried out.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Generic, TypeVar
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from glassfolio.batch.start import Starter
from glassfolio.clock import Clock, exchange_date
from glassfolio.db.engine import Database
from glassfolio.errors import AccountNameTaken, BadHoldings, NotFound, Refused, RunActive, or_not_found
from glassfolio.imports import parse
from glassfolio.imports.form import PortfolioForm, read_form
from glassfolio.imports.problems import problem
from glassfolio.model.holdings import Holdings, Portfolio, Problem
from glassfolio.model.run import Conclusion, Run, Trigger
from glassfolio.reading import Reading, StatusAnswer
from glassfolio.sessions import Sessions
from glassfolio.store import idempotency, portfolios, recent, rows
from glassfolio.store.idempotency import Answer, Repeatable
from glassfolio.store.recent import Quota

Done = TypeVar("Done")


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


@dataclass(frozen=True, slots=True)
class Started:
    """A run that is at work, and its status at the moment it was asked for."""

    run_id: str
    status: StatusAnswer


@dataclass(frozen=True, slots=True)
class Once(Generic[Done]):
    """How a command is answered, and the request with a key that is carried out once; None without a key.

    word: makes the answer of what was done, inside its transaction. refuse: the same of a refusal.
    """

    word: Callable[[Done], Answer]
    refuse: Callable[[Refused], Answer]
    request: Repeatable | None = None


@dataclass(frozen=True, slots=True)
class _Checked:
    """A portfolio that may be stored."""

    portfolio: Portfolio
    holdings: Holdings
    warnings: tuple[Problem, ...]


@dataclass(frozen=True)
class Onboarding:
    """The owner's commands. upload_quotas, rerun_quotas: what a person may do by HTTP; empty for no limit."""

    database: Database
    clock: Clock
    sessions: Sessions
    starter: Starter
    reading: Reading
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
        checked = self._check(caller, upload, fields)
        if dry_run:
            with self.database.reading() as connection:
                self._check_account(connection, checked.portfolio)
            return Opened(None, None, len(checked.holdings.lots), checked.warnings)
        with self._storing(checked.portfolio) as connection:
            return self._store(connection, caller, checked, start=start)

    def open_once(
        self,
        caller: Caller,
        upload: Upload,
        fields: Mapping[str, str],
        once: Once[Opened],
        *,
        start: bool = True,
    ) -> Answer:
        """The same for a request that may have a key; raises IdempotencyKeyReused, and what `open` raises.

        A taken account name is an answer that is kept.
        """
        if once.request is not None:
            with self.database.reading() as connection:
                kept = idempotency.find(connection, once.request, self.clock.now())
            if kept is not None:
                return kept
        checked = self._check(caller, upload, fields)
        try:
            with self._storing(checked.portfolio) as connection:
                store = partial(self._store, connection, caller, checked, start=start)
                return self._answer(connection, once.request, lambda: once.word(store()))
        except AccountNameTaken as refused:
            return self._refuse(once, refused)

    @contextmanager
    def _storing(self, portfolio: Portfolio) -> Iterator[sa.Connection]:
        """The transaction that stores a portfolio. Raises AccountNameTaken."""
        try:
            with self.database.transaction() as connection:
                yield connection
        except IntegrityError:
            with self.database.reading() as connection:
                self._check_account(connection, portfolio)
            raise

    def _store(self, connection: sa.Connection, caller: Caller, checked: _Checked, *, start: bool) -> Opened:
        portfolio, holdings = checked.portfolio, checked.holdings
        if caller.trigger is Trigger.USER and self.upload_quotas:
            recent.take_upload(connection, caller.user_id, self.upload_quotas, portfolio.created_at)
        portfolios.create(connection, portfolio, holdings.lots, holdings.format, holdings.sha256)
        run_id = None
        if start:
            run_id = self.starter.begin(connection, portfolio, caller.trigger, caller.user_id)
        return Opened(portfolio.id, run_id, len(holdings.lots), checked.warnings)

    def _refuse(self, once: Once[Done], refused: Refused) -> Answer:
        """Keep a refusal that has undone its transaction; without a key it is raised."""
        if once.request is None:
            raise refused
        with self.database.transaction() as connection:
            return self._answer(connection, once.request, lambda: once.refuse(refused))

    def _answer(
        self, connection: sa.Connection, request: Repeatable | None, answer: Callable[[], Answer]
    ) -> Answer:
        if request is None:
            return answer()
        return idempotency.answer_once(connection, request, answer, self.clock.now())

    def _check(self, caller: Caller, upload: Upload, fields: Mapping[str, str]) -> _Checked:
        holdings, form = self._read(upload, fields)
        portfolio = self._portfolio(caller, holdings, form)
        return _Checked(portfolio, holdings, (*self._check_period(portfolio, holdings), *holdings.warnings))

    def _read(self, upload: Upload, fields: Mapping[str, str]) -> tuple[Holdings, PortfolioForm]:
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
    def _check_account(connection: sa.Connection, portfolio: Portfolio) -> None:
        taken_by = portfolios.live_account(connection, portfolio.owner_id, portfolio.account_name)
        if taken_by is not None:
            raise AccountNameTaken(taken_by)

    def start(self, caller: Caller, portfolio_id: str, once: Once[Started]) -> Answer:
        """Start work on a portfolio: the active run if there is one, the next attempt after a failure,
        a new run after completion or when there was none.

        Raises NotFound, TooManyRequests, IdempotencyKeyReused.
        """
        for _race in range(2):
            try:
                return self._start(caller, portfolio_id, once)
            except IntegrityError:
                continue
        return self._start(caller, portfolio_id, once)

    def _start(self, caller: Caller, portfolio_id: str, once: Once[Started]) -> Answer:
        def begin() -> Answer:
            run_id = self._begin(connection, caller, portfolio_id)
            return once.word(self._started(connection, caller, run_id))

        with self.database.transaction() as connection:
            or_not_found(portfolios.owned(connection, portfolio_id, caller.user_id))
            return self._answer(connection, once.request, begin)

    def _begin(self, connection: sa.Connection, caller: Caller, portfolio_id: str) -> str:
        portfolio = or_not_found(portfolios.owned(connection, portfolio_id, caller.user_id))
        active = rows.active(connection, portfolio_id)
        if active is not None:
            return active.id
        self._take_rerun(connection, caller)
        last = rows.get(connection, portfolio.shown_run) if portfolio.shown_run else None
        if last is not None and last.conclusion in (Conclusion.FAILURE, Conclusion.CANCELLED):
            self.starter.retry(connection, last)
            return last.id
        return self.starter.begin(connection, portfolio, caller.trigger, caller.user_id)

    def _take_rerun(self, connection: sa.Connection, caller: Caller) -> None:
        if caller.trigger is Trigger.USER and self.rerun_quotas:
            recent.take_rerun(connection, caller.user_id, self.rerun_quotas, self.clock)

    def _started(self, connection: sa.Connection, caller: Caller, run_id: str) -> Started:
        shown = or_not_found(rows.document_of(connection, run_id, caller.user_id))
        return Started(run_id, self.reading.answer(connection, shown, caller.user_id, ""))

    def retry(self, caller: Caller, run_id: str, once: Once[Started], *, only_failed: bool = False) -> Answer:
        """Start the next attempt of an ended run. only_failed: fetch nothing but the symbols that failed.

        Raises NotFound, TooManyRequests, IdempotencyKeyReused, and RunActive while a run of its portfolio is
        at work; with a key, that is an answer that is kept.
        """
        try:
            return self._retry(caller, run_id, once, only_failed)
        except (IntegrityError, RunActive):
            return self._refuse(once, RunActive())

    def _retry(self, caller: Caller, run_id: str, once: Once[Started], only_failed: bool) -> Answer:
        def begin() -> Answer:
            run = or_not_found(rows.owned(connection, run_id, caller.user_id))
            self._take_rerun(connection, caller)
            self.starter.retry(connection, run, only_failed=only_failed)
            return once.word(self._started(connection, caller, run_id))

        with self.database.transaction() as connection:
            or_not_found(rows.owned(connection, run_id, caller.user_id))
            return self._answer(connection, once.request, begin)

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
