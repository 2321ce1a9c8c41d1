"""Everything that is fixed about a run, and the arrays its phases share.

Knows nothing of the order of phases or of how their results are committed.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import TypeVar, cast

import sqlalchemy as sa

from glassfolio.analytics.factors import FactorSet
from glassfolio.analytics.symbols import SESSIONS_BACK
from glassfolio.clock import Clock
from glassfolio.db.engine import Database
from glassfolio.errors import NotFound, or_not_found
from glassfolio.model.holdings import Flow, InvestmentClass, Lot, Portfolio
from glassfolio.model.market import DateArray, Panel
from glassfolio.model.run import Run
from glassfolio.providers.base import PriceProvider
from glassfolio.providers.waits import Waits
from glassfolio.sessions import Sessions
from glassfolio.store import blocks, market, portfolios, rows

# A year of 21-session volatilities is what looks back furthest of all that is always computed.
LOOK_BACK = SESSIONS_BACK
TASKS_KEPT = 64

T = TypeVar("T")


@dataclass(frozen=True)
class Setup:
    """What is the same for all runs of a process.

    min_valued: share of the holdings' value that must have a price for a run to complete.
    waits: tells which runs wait for the price source.
    risk_free: annual yield that ratios are measured against, a fraction.
    """

    database: Database
    clock: Clock
    sessions: Sessions
    provider: PriceProvider
    factor_set: FactorSet
    min_valued: float
    waits: Waits
    risk_free: float = 0.0


@dataclass(frozen=True, eq=False)
class Task:
    """One attempt of a run: whose lots, which sessions, from where the prices come.

    first, last: ordinals of the first and last session to be valued.
    asked: ordinals of the first and last session that a batch asks for; None for what is out of date.
    redo: whether these are computed anew. asked_since: what a provider did not know before is asked again.
    """

    run_id: str
    attempt: int
    setup: Setup
    portfolio: Portfolio
    lots: tuple[Lot, ...]
    flows: tuple[Flow, ...]
    first: int
    last: int
    asked: tuple[int, int] | None = None
    redo: bool = False
    asked_since: datetime | None = None
    _shared: dict[str, object] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, made by the first thread that asks and shared by all chunks of the task."""
        with self._lock:
            if name not in self._shared:
                self._shared[name] = make()
            return cast(T, self._shared[name])

    @property
    def window(self) -> DateArray:
        """(D,) the sessions to be valued."""
        return self.setup.sessions.dates[self.first : self.last + 1]

    @property
    def asked_sessions(self) -> DateArray:
        """(A,) the sessions whose snapshots the run is for: those of the window, or what a batch asks for."""
        first, last = self.asked or (self.first, self.last)
        return self.setup.sessions.dates[max(first, self.first) : min(last, self.last) + 1]

    @property
    def block_first(self) -> int:
        """The ordinal from which betas and metrics are computed: the window's, rounded down to a block."""
        return blocks.first_of_block(self.first)

    @property
    def grid_first(self) -> int:
        """The ordinal from which prices are needed: what the first block looks back on."""
        return max(self.block_first - LOOK_BACK, 0)

    @cached_property
    def held_symbols(self) -> tuple[str, ...]:
        """The investments of the portfolio, each once, cash left out."""
        return tuple(sorted({lot.symbol for lot in self.lots if not lot.is_cash_like}))

    @cached_property
    def listed_symbols(self) -> tuple[str, ...]:
        """The symbols whose exchange price is needed for the lots: shares held, and those behind options."""
        shares = {
            lot.symbol
            for lot in self.lots
            if lot.investment_class is InvestmentClass.PUBLIC and not lot.is_cash_like
        }
        return tuple(sorted(shares | {lot.option.underlying for lot in self.lots if lot.option}))

    @cached_property
    def priced_symbols(self) -> tuple[str, ...]:
        """The symbols whose prices are needed: the listed ones, then the factors' own."""
        if not self.listed_symbols:
            return ()
        return tuple(dict.fromkeys((*self.listed_symbols, *self.factor_series)))

    @cached_property
    def factor_series(self) -> tuple[str, ...]:
        """The symbols behind the factors that exist somewhere in the window."""
        first = self.window[0].item()
        living = [m for m in self.setup.factor_set.members if m.valid_to is None or m.valid_to >= first]
        return FactorSet(self.setup.factor_set.name, tuple(living)).series

    @property
    def panel(self) -> Panel:
        """Stored prices of all needed symbols from `grid_first` to `last`; read once, after phase 1."""
        return self.once("panel", self._read_panel)

    def _read_panel(self) -> Panel:
        grid = slice(self.grid_first, self.last + 1)
        sessions = self.setup.sessions
        with self.setup.database.reading() as connection:
            return market.panel(
                connection, self.priced_symbols, sessions.dates[grid], sessions.ordinals[grid]
            )

    def fingerprint(self, *parts: str) -> str:
        """A short name for a set of inputs; equal inputs, equal name."""
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


class Workplace:
    """Gives the task of a run, kept while the run is at work in this process."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._kept: OrderedDict[tuple[str, int], Task] = OrderedDict()
        self._lock = threading.Lock()

    def task(self, run_id: str) -> Task:
        """The task of a run's present attempt. Raises NotFound when run or portfolio are gone."""
        with self.setup.database.reading() as connection:
            return self.task_in(connection, run_id)

    def task_in(self, connection: sa.Connection, run_id: str) -> Task:
        """As `task`, on the caller's connection."""
        run = or_not_found(rows.get(connection, run_id))
        with self._lock:
            kept = self._kept.get((run_id, run.attempt))
        return kept or self._load(connection, run)

    def _load(self, connection: sa.Connection, run: Run) -> Task:
        portfolio = portfolios.get(connection, run.portfolio_id)
        if portfolio is None or run.first_session is None or run.last_session is None:
            raise NotFound
        asked = None
        if run.asked_first is not None and run.asked_last is not None:
            asked = self._ordinals(run.asked_first, run.asked_last)
        task = Task(
            run.id,
            run.attempt,
            self.setup,
            portfolio,
            portfolios.lots(connection, portfolio.id),
            portfolios.flows(connection, portfolio.id),
            *self._ordinals(run.first_session, run.last_session),
            asked,
            run.redo,
            run.started_at if run.redo else None,
        )
        with self._lock:
            self._kept[run.id, run.attempt] = task
            while len(self._kept) > TASKS_KEPT:
                self._kept.popitem(last=False)
        return task

    def over(self, connection: sa.Connection, portfolio: Portfolio, first: date, last: date) -> Task:
        """A task that no run has: a portfolio over a window, to be looked at."""
        return Task(
            "",
            1,
            self.setup,
            portfolio,
            portfolios.lots(connection, portfolio.id),
            portfolios.flows(connection, portfolio.id),
            *self._ordinals(first, last),
        )

    def _ordinals(self, first: date, last: date) -> tuple[int, int]:
        return self.setup.sessions.ordinal(first), self.setup.sessions.ordinal(last)

    def let_go(self, run_id: str) -> None:
        """Forget the tasks of a run that has ended here."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == run_id]:
                del self._kept[key]
