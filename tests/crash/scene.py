"""A scene: portfolios to onboard, workers that die and are replaced, and somebody who watches."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from glassfolio.analytics.factors import US_ETF
from glassfolio.db.tables import run
from glassfolio.model.market import Interval
from glassfolio.model.run import RunState, Trigger
from glassfolio.onboarding import Caller, Once, Started, Upload
from glassfolio.sessions import Sessions
from glassfolio.store import market, portfolios
from glassfolio.store.idempotency import Answer
from glassfolio.wiring import Parts, assemble
from tests.crash.nursery import Nursery, alive
from tests.crash.prices import Market
from tests.crash.watcher import Watcher
from tests.crash.worker import Orders

EQUITY = "100000"
HEADER = (
    "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class,Investment Subtype,"
    "Underlying Symbol,Strike Price,Expiration Date,Option Type,Exit Date,Exit Price Per Share"
)
LONGEST_SECONDS = 60.0
UNSPOKEN: Once[Started] = Once(lambda _done: Answer(202, {}, b""), lambda _refused: Answer(409, {}, b""))


class Scene:
    """Runs on one database, carried by `workers` processes that are replaced when they die."""

    def __init__(self, nursery: Nursery, orders: Orders, prices: Market, *, workers: int = 2) -> None:
        self.orders, self.prices = orders, prices
        orders.marks.mkdir(parents=True)
        self._nursery, self._wanted = nursery, workers
        self.parts: Parts = assemble(orders.settings)
        self.caller = self._caller()
        self.portfolios: list[str] = []
        self.pids: list[int] = []
        self.deaths = 0
        self.kills = 0  # sent from outside; those from inside leave marks
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.watcher = Watcher(self.parts, self.caller.user_id)
        self._seed_factors()

    def _caller(self) -> Caller:
        with self.parts.database.transaction() as connection:
            user_id = portfolios.user_id(connection, "owner", self.parts.clock.now())
        return Caller(user_id, Trigger.USER)

    def _seed_factors(self) -> None:
        """Store what all runs share, so that every other symbol belongs to one run alone."""
        sessions, provider, now = self.parts.sessions, self.parts.setup.provider, self.parts.clock.now()
        last = sessions.last_completed(now)
        asked = Interval(sessions.day(sessions.ordinal(last) - 1000), last)
        fetched = provider.fetch(list(US_ETF.series), asked.start, asked.end)
        with self.parts.database.transaction() as connection:
            market.write_bars(connection, provider.name, fetched.bars)
            answers = [market.Asked(bar.symbol, asked, market.OK, now) for bar in fetched.bars]
            market.record_asked(connection, provider.name, answers, {})

    def open(self, symbols: Sequence[str]) -> str:
        """Onboard a portfolio of these symbols; returns its id."""
        entry = bought(self.parts.sessions, self.parts.clock.now().date())
        name = f"Portfolio {len(self.portfolios)}"
        fields = {"name": name, "account_name": name, "account_type": "taxable", "equity": EQUITY}
        upload = Upload("lots.csv", holdings(symbols, entry))
        opened = self.parts.onboarding.open(self.caller, upload, fields)
        assert opened.portfolio_id is not None
        self.portfolios.append(opened.portfolio_id)
        self.watcher.watch(opened.portfolio_id)
        return opened.portfolio_id

    def __enter__(self) -> Self:
        self._replace()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()
        self.watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._supervisor.join()
        self.watcher.stop()
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.parts.close()

    def _supervise(self) -> None:
        while not self._stopping.wait(0.02):
            self._replace()

    def _replace(self) -> None:
        with self._lock:
            dead = [pid for pid in self.pids if not alive(pid)]
            self.deaths += len(dead)
            self.pids = [pid for pid in self.pids if pid not in dead]
            while len(self.pids) < self._wanted:
                self.pids.append(self._nursery.start(self.orders))

    @property
    def marks(self) -> list[str]:
        """The points at which workers struck themselves."""
        return sorted(path.name.split("@", 1)[1] for path in self.orders.marks.iterdir())

    def kill_one(self, random: Random) -> bool:
        """Kill a worker, whatever it is doing; not when that could be one time too many for a run."""
        with self.parts.database.reading() as connection:
            barren = connection.execute(
                sa.select(sa.func.max(run.c.barren)).where(run.c.state != RunState.ENDED.value)
            ).scalar()
        with self._lock:
            if barren is None or barren > 1 or not self.pids:
                return False
            with suppress(ProcessLookupError):
                os.kill(random.choice(self.pids), signal.SIGKILL)
                self.kills += 1
        return True

    def employ(self, workers: int) -> None:
        """Keep this many workers from now on; with 0, nobody takes the place of one that dies."""
        self._wanted = workers

    def resume(self) -> None:
        """Let stopped workers go on."""
        with self._lock:
            for pid in self.pids:
                os.kill(pid, signal.SIGCONT)

    def wait_for_mark(self, point: str) -> None:
        """Wait until a worker has struck itself at `point`."""
        self._wait(lambda: any(mark.startswith(point) for mark in self.marks), point)

    def cancel(self) -> None:
        """Cancel the run of the only portfolio."""
        self.parts.onboarding.cancel(self.caller, self._run_id())

    def retry(self) -> None:
        """Start the next attempt of the only portfolio's run."""
        self.parts.onboarding.retry(self.caller, self._run_id(), UNSPOKEN)
        self.watcher.look_again()

    def _run_id(self) -> str:
        [run_id] = [self.parts.reading.shown_run(self.caller.user_id, name) for name in self.portfolios]
        assert run_id is not None
        return run_id

    def pass_time(self, seconds: float) -> None:
        """Let the workers go on for a while."""
        time.sleep(seconds)

    def wait_until_ended(self, *portfolio_ids: str) -> None:
        """Wait until these runs have ended; all when none is named."""
        self._wait(lambda: self.watcher.have_ended(portfolio_ids or self.portfolios), "runs to end")

    def wait_until_taken_over(self) -> None:
        """Wait until a worker has taken a run over from another."""
        self._wait(self._is_taken_over, "a take-over")

    def _is_taken_over(self) -> bool:
        with self.parts.database.reading() as connection:
            return bool(connection.execute(sa.select(sa.func.max(run.c.resumes))).scalar())

    def finish(self) -> None:
        """Wait until every run has ended and the engine holds nothing any more."""
        self.wait_until_ended()
        self._wait(lambda: not self._pending(), "the engine to be idle")
        self._stopping.set()
        self._supervisor.join()
        self.watcher.stop()

    def _pending(self) -> list[str]:
        schema = self.parts.database.dialect.schema
        query = f"SELECT executor_id FROM {schema}workflow_status WHERE status IN ('PENDING', 'ENQUEUED')"
        with self.parts.database.reading() as connection:
            return list(connection.execute(sa.text(query)).scalars())

    def _wait(self, ready: Callable[[], bool], what: str) -> None:
        for _ in range(int(LONGEST_SECONDS / 0.05)):
            if ready():
                return
            time.sleep(0.05)
        raise TimeoutError(f"waited {LONGEST_SECONDS} s for {what}; {self.watcher.latest()}; {self._said()}")

    def _said(self) -> str:
        logs = sorted(Path(self.orders.folder).glob("worker-*.log"))
        return "\n".join(text for path in logs if (text := path.read_text()))[-4000:]


def bought(sessions: Sessions, today: date) -> date:
    """A day before the first one that a run values."""
    return sessions.day(sessions.ordinal(today) - 300)


def holdings(symbols: Sequence[str], entry: date) -> bytes:
    """A file with a lot of each symbol."""
    lots = [f"{name},{10 + i},90,{entry},PUBLIC,STOCK,,,,,," for i, name in enumerate(symbols)]
    return "\n".join((HEADER, *lots, "")).encode()


def symbols(count: int, prefix: str) -> list[str]:
    """Names of symbols that no other portfolio holds: their letters only, as tickers are."""
    letters = itertools.product("ABCDEFGHIJ", repeat=2)
    return [f"{prefix}{''.join(pair)}" for pair in itertools.islice(letters, count)]
