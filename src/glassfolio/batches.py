"""What an operator, or the night, can set going over many portfolios: a batch of runs, its dry run, its end.

Transactions are opened here. Nothing here asks whether somebody may. Knows nothing of HTTP or terminals.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from glassfolio.batch.phases.market_data import missing_prices
from glassfolio.batch.scoping import Job, Reach, Skipped, Stored, decide
from glassfolio.batch.start import Origin, Starter
from glassfolio.batch.task import Setup, Task
from glassfolio.clock import Clock
from glassfolio.errors import BadScope, NothingToValue, RunEnded, or_not_found
from glassfolio.model.run import FailureCode, RunKind
from glassfolio.model.scope import CATCH_UP, Scope, unknown
from glassfolio.onboarding import Caller, Once
from glassfolio.store import audit, batches, idempotency, market, portfolios, rows, snapshots
from glassfolio.store.audit import Act
from glassfolio.store.idempotency import Answer
from glassfolio.store.market import OK, Asked

RACES = 3


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What one portfolio's run would touch. asked: the symbols it would ask the provider for."""

    portfolio_id: str
    kind: RunKind
    touched: tuple[date, ...]
    asked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a batch would touch, and what it would leave out and why."""

    jobs: tuple[Foreseen, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run of a batch."""

    run_id: str
    portfolio_id: str
    kind: RunKind
    touched: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class StartedBatch:
    """A batch that was started. fired: whether it was now, and not before under the same key."""

    batch_id: str
    runs: tuple[StartedRun, ...]
    skipped: tuple[Skipped, ...]
    fired: bool = True


@dataclass(frozen=True)
class Batches:
    """The commands over many portfolios."""

    setup: Setup
    clock: Clock
    starter: Starter

    def dry_run(self, caller: Caller, scope: Scope) -> Forecast:
        """What a batch of this scope would do now, as if the provider knew every symbol; touches nothing.

        Raises BadScope.
        """
        with self.setup.database.transaction() as connection:
            audit.note(
                connection, caller.user_id, Act.DRY_RUN, None, self.clock.now(), scope=scope.as_record()
            )
            jobs, skipped = self._plan(connection, scope)
            return Forecast(tuple(self._foresee(connection, jobs)), skipped)

    def start(self, caller: Caller, scope: Scope, once: Once[StartedBatch]) -> Answer:
        """Start a batch for a request that may have a key. Raises BadScope, IdempotencyKeyReused."""
        for _race in range(RACES - 1):
            try:
                return self._start_once(caller, scope, once)
            except IntegrityError:
                continue
        return self._start_once(caller, scope, once)

    def _start_once(self, caller: Caller, scope: Scope, once: Once[StartedBatch]) -> Answer:
        with self.setup.database.transaction() as connection:

            def begin() -> Answer:
                return once.word(self._start(connection, caller, scope))

            if once.request is None:
                return begin()
            return idempotency.answer_once(connection, once.request, begin, self.clock.now())

    def fire(self, caller: Caller, scope: Scope = CATCH_UP, key: str | None = None) -> StartedBatch:
        """Start a batch; under a key it is started once, however many ask. Raises BadScope."""
        for race in range(RACES):
            try:
                with self.setup.database.transaction() as connection:
                    return self._start(connection, caller, scope, key)
            except IntegrityError:
                found = self._fired(key)
                if found is not None:
                    return found
                if race == RACES - 1:
                    raise
        raise AssertionError

    def _fired(self, key: str | None) -> StartedBatch | None:
        if key is None:
            return None
        with self.setup.database.reading() as connection:
            found = batches.of_key(connection, key)
        return StartedBatch(found.id, (), (), fired=False) if found else None

    def was_fired(self, key: str) -> bool:
        """Whether a batch was started under a key."""
        return self._fired(key) is not None

    def cancel(self, caller: Caller, key: str) -> None:
        """Ask a run, or all of a batch's that have not ended, to stop. Raises NotFound, RunEnded."""
        with self.setup.database.transaction() as connection:
            audit.note(connection, caller.user_id, Act.CANCEL, key, self.clock.now())
            if batches.get(connection, key) is None:
                found = [or_not_found(rows.get(connection, key))]
            else:
                found = batches.unended_runs(connection, key)
            stopped = 0
            for run in found:
                try:
                    self.starter.cancel(connection, run, FailureCode.CANCELLED_BY_OPERATOR)
                except RunEnded:
                    continue
                stopped += 1
            if not stopped:
                raise RunEnded

    def _start(
        self, connection: sa.Connection, caller: Caller, scope: Scope, key: str | None = None
    ) -> StartedBatch:
        batch_id, now = str(uuid4()), self.clock.now()
        # Written first: whoever comes second under the same key waits here, and then finds it.
        batches.create(connection, batch_id, scope, caller.trigger, caller.user_id, now, key)
        jobs, skipped = self._plan(connection, scope)
        origin = Origin(batch_id, caller.trigger, caller.user_id)
        started = tuple(
            StartedRun(
                self.starter.begin_job(connection, job, origin, place),
                job.portfolio.id,
                job.kind,
                job.touched,
            )
            for place, job in enumerate(jobs, start=1)
        )
        audit.note(
            connection,
            caller.user_id,
            Act.START_BATCH,
            batch_id,
            now,
            scope=scope.as_record(),
            runs=len(started),
            skipped=len(skipped),
        )
        return StartedBatch(batch_id, started, skipped)

    def _plan(self, connection: sa.Connection, scope: Scope) -> tuple[list[Job], tuple[Skipped, ...]]:
        """What the scope means for each of its portfolios. Raises BadScope."""
        decided = [self._decide(connection, scope, one) for one in self._chosen(connection, scope)]
        jobs = [one for one in decided if isinstance(one, Job)]
        return jobs, tuple(one for one in decided if isinstance(one, Skipped))

    def _chosen(self, connection: sa.Connection, scope: Scope) -> Sequence[str]:
        if scope.named is None:
            if scope.is_catch_up:
                return batches.onboarded_portfolios(connection)
            return batches.active_portfolios(connection)
        problems = unknown(scope, batches.known_portfolios(connection, scope.named))
        if problems:
            raise BadScope(problems)
        return scope.named

    def _decide(self, connection: sa.Connection, scope: Scope, portfolio_id: str) -> Job | Skipped:
        portfolio = or_not_found(portfolios.get(connection, portfolio_id))
        stored = Stored(
            portfolio,
            portfolios.lots(connection, portfolio_id),
            batches.was_onboarded(connection, portfolio_id),
            rows.active(connection, portfolio_id) is not None,
            frozenset(snapshots.built_sessions(connection, portfolio_id)),
        )
        return decide(scope, stored, self._reach(connection, stored), self.setup.sessions)

    def _reach(self, connection: sa.Connection, stored: Stored) -> Reach | None:
        if not stored.lots:
            return None
        try:
            first, newest = self.starter.window(stored.portfolio, stored.lots)
        except NothingToValue:
            return None
        if stored.built:
            # What is there rests on where its window began, and goes on from there.
            first = batches.history_begins(connection, stored.portfolio.id) or first
        return Reach(first, newest, self.starter.anchor(stored.portfolio))

    def _foresee(self, connection: sa.Connection, jobs: Sequence[Job]) -> Iterator[Foreseen]:
        """What each run would ask for, one after the other: what one has fetched, the next one finds."""
        now, provider = self.clock.now(), self.setup.provider.name
        answers: dict[str, list[Asked]] = {}
        for job in jobs:
            task = Task(
                "",
                1,
                self.setup,
                job.portfolio,
                job.lots,
                (),
                self.setup.sessions.ordinal(job.first),
                self.setup.sessions.ordinal(job.last),
                asked_since=now if job.redo else None,
            )
            unread = [symbol for symbol in task.priced_symbols if symbol not in answers]
            answers |= market.asked(connection, unread, provider)
            missing, _unknown = missing_prices(task, answers)
            for symbol, gap in missing.items():
                answers[symbol] = [*answers[symbol], Asked(symbol, gap, OK, now)]
            yield Foreseen(job.portfolio.id, job.kind, job.touched, tuple(missing))
