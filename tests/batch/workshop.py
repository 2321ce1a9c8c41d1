"""The pipeline in the test's own thread: real tables and phases, scripted prices, no durable engine."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import uuid4

import sqlalchemy as sa

from glassfolio.analytics.factors import FACTOR_SETS
from glassfolio.batch.pipeline import Pipeline
from glassfolio.batch.start import Starter
from glassfolio.batch.task import Setup, Task, Workplace
from glassfolio.db.engine import Database
from glassfolio.engine.app import Dispatcher, Engine, Order
from glassfolio.model.holdings import InvestmentClass, Lot, Portfolio
from glassfolio.model.market import Failure, FailureKind
from glassfolio.model.run import Trigger
from glassfolio.progress import fold
from glassfolio.providers.base import Fetched, ProviderSettings
from glassfolio.providers.bundled import BundledProvider
from glassfolio.providers.waits import Waits
from glassfolio.sessions import Sessions
from glassfolio.store import portfolios, rows
from glassfolio.wiring import Unlimited

START = datetime(2022, 12, 29, 12, 0, tzinfo=UTC)
FACTORS = ("SP500", "VLUE", "MTUM", "QUAL", "SIZE", "USMV")


class SteppingClock:
    """Each look at it is ten milliseconds later."""

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=10)
        return self.moment


class Scripted(BundledProvider):
    """The bundled prices, with failures for named symbols ("*" is all), or an exception at once."""

    def __init__(self, calendar: Sessions) -> None:
        super().__init__(ProviderSettings(calendar.dates), Unlimited())
        self.failing: dict[str, FailureKind] = {}
        self.raising: Exception | None = None
        self.asked: list[tuple[str, date, date]] = []

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Fetched:
        self.asked += [(symbol, start, end) for symbol in symbols]
        if self.raising is not None:
            raise self.raising
        kinds = {s: self.failing.get(s, self.failing.get("*")) for s in symbols}
        good = super().fetch([s for s, kind in kinds.items() if kind is None], start, end)
        bad = tuple(Failure(s, kind) for s, kind in kinds.items() if kind is not None)
        return Fetched(good.bars, (*good.failures, *bad))


class InlineEngine:
    """Atomic steps without checkpoints; nothing is resumed."""

    executor_id = "here"

    def __init__(self, database: Database) -> None:
        self._database = database

    def flow(self, _name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    def atomic(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: object) -> object:
            with self._database.transaction() as connection:
                return function(connection, *arguments)

        return step


class Orders:
    """Keeps what was ordered."""

    def __init__(self) -> None:
        self.kept: list[Order] = []

    def enqueue(self, _connection: sa.Connection, order: Order) -> None:
        self.kept.append(order)


class TrappedTask(Task):
    """A task on which one phase raises, in its plan or in its work, as soon as it names its inputs."""

    def fingerprint(self, *parts: str) -> str:
        where = "work" if threading.current_thread().name.startswith("work") else "plan"
        arithmetic, _, trap = self.portfolio.description.partition(" ")
        if arithmetic and parts[0].startswith(arithmetic) and where == trap:
            raise RuntimeError("secret detail")
        return super().fingerprint(*parts)


class TrappedWorkplace(Workplace):
    """Gives trapped tasks; the portfolio's description says which phase raises and where."""

    def task_in(self, connection: sa.Connection, run_id: str) -> Task:
        task = super().task_in(connection, run_id)
        return TrappedTask(
            task.run_id,
            task.attempt,
            task.setup,
            task.portfolio,
            task.lots,
            task.flows,
            task.first,
            task.last,
        )


@dataclass
class Workshop:
    """One portfolio after the other, carried through the pipeline here and now."""

    database: Database
    calendar: Sessions
    history: int = 70
    clock: SteppingClock = field(default_factory=SteppingClock)
    orders: Orders = field(default_factory=Orders)

    def __post_init__(self) -> None:
        self.provider = self.make_provider()
        self.setup = Setup(
            self.database,
            self.clock,
            self.calendar,
            self.provider,
            FACTOR_SETS["demo"],
            min_valued=0.5,
            waits=Waits(self.clock),
        )
        self.starter = Starter(
            cast(Dispatcher, self.orders), self.clock, self.calendar, self.provider, self.history, None
        )
        workplace = TrappedWorkplace(self.setup)
        self.pipeline = Pipeline(
            cast(Engine, InlineEngine(self.database)), self.database, self.clock, workplace
        )

    def make_provider(self) -> Scripted:
        """The source of prices that a test scripts."""
        return Scripted(self.calendar)

    def open(self, *lots: Lot, trap: str = "") -> tuple[Portfolio, str]:
        """A stored portfolio with a queued run."""
        with self.database.transaction() as connection:
            item = Portfolio(
                id=str(uuid4()),
                owner_id=portfolios.user_id(connection, "alice", START),
                name="Test",
                account_name=uuid4().hex,
                account_type="taxable",
                description=trap,
                equity=Decimal(100_000),
                equity_as_of=None,
                anchor=None,
                created_at=START,
                shown_run=None,
            )
            portfolios.create(connection, item, lots, "template", "0" * 64)
            return item, self.starter.begin(connection, item, Trigger.USER, item.owner_id)

    def carry(self, run_id: str, fence: int = 0) -> dict[str, Any]:
        """Carry a run to its end; returns its document."""
        self.pipeline.carry(run_id, fence)
        return self.document(run_id)

    def again(self, item: Portfolio) -> str:
        """A new run of a portfolio."""
        with self.database.transaction() as connection:
            found = portfolios.get(connection, item.id)
            assert found is not None
            return self.starter.begin(connection, found, Trigger.USER, item.owner_id)

    def document(self, run_id: str) -> dict[str, Any]:
        with self.database.reading() as connection:
            run = rows.get(connection, run_id)
            assert run is not None
            shown = rows.document_of(connection, run_id, run.owner_id)
        assert shown is not None
        assert shown.body is not None
        doc: dict[str, Any] = json.loads(
            fold.splice(shown.body, elapsed_seconds=0, heartbeat_at=None, queue=None)
        )
        return doc

    def codes(self, run_id: str) -> list[str]:
        """The codes of the whole log."""
        with self.database.reading() as connection:
            return [entry.code for entry in rows.log(connection, run_id, None)]

    def messages(self, run_id: str, code: str) -> list[str]:
        """The sentences of one code in the whole log."""
        with self.database.reading() as connection:
            log = rows.log(connection, run_id, None)
        return [str(fold.activity(entry, None)["message"]) for entry in log if entry.code == code]


def lot(symbol: str, ordinal: int = 0, entry: date | None = date(2021, 3, 15), quantity: int = 10) -> Lot:
    return Lot(
        ordinal,
        ordinal + 2,
        symbol,
        Decimal(quantity),
        Decimal(100),
        entry,
        InvestmentClass.PUBLIC,
    )
