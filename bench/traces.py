"""Records traces of real runs through a real service with a slow provider: `python -m bench.traces [NAME …]`.

They go to tests/samples/traces, where the estimates are measured by them. Recording takes minutes: the runs
are real, and so is the waiting.
"""

import argparse
import random
import string
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, product
from pathlib import Path
from typing import Any

from bench.service import PROGRAM, Service, running
from glassfolio import sessions
from glassfolio.analytics.factors import US_ETF
from glassfolio.batch.pipeline import NAMES
from glassfolio.clock import SystemClock
from glassfolio.db.engine import connect
from glassfolio.progress.trace import Trace, write
from glassfolio.sessions import Sessions
from glassfolio.store import rows, trail
from tests.crash.prices import Market
from tests.fakes.tiingo import Hit

CORPUS = Path(__file__).parents[1] / "tests" / "samples" / "traces"
JITTER = 0.3
HEADER = (
    "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class,Investment Subtype,"
    "Underlying Symbol,Strike Price,Expiration Date,Option Type,Exit Date,Exit Price Per Share\n"
)
LOOK_SECONDS = 0.2
AT_ONCE = 3
SETTINGS = {
    "provider": "tiingo",
    "provider_key": "any",
    "provider_rate": "1000",
    "lease": "3",
    "status_rate": "off",
}


class SlowMarket(Market):
    """A price server whose answers take about `latency` seconds, each its own time."""

    def __init__(self, calendar: Sessions, latency: float, seed: str) -> None:
        self.latency, self._random = latency, random.Random(seed)
        super().__init__(calendar, 0.0)

    def take_fault(self, hit: Hit) -> str:
        """Take a while before answering."""
        with self._noting:
            factor = self._random.lognormvariate(0.0, JITTER)
        self.stopping.wait(self.latency * factor)
        return super().take_fault(hit)


@dataclass(frozen=True)
class Scene:
    """One recording: how many symbols from how slow a provider, after which earlier runs.

    taught: sizes of earlier runs, all of new symbols. stored: how many of the symbols those have fetched.
    slower: how much longer the provider takes than before. faults: by the place of the symbol.
    commit: seconds that every commit takes longer. kill_at: units after which the service dies.
    """

    symbols: int
    latency: float
    taught: Sequence[int] = ()
    stored: int = 0
    again: bool = False
    slower: float = 1.0
    faults: Mapping[int, Any] = field(default_factory=dict)
    options: int = 0
    commit: float = 0.0
    kill_at: int | None = None


WAIT = ["rate_limited_2s", "good"]
SCENES: Mapping[str, Scene] = {
    "first_run": Scene(90, 1.0),
    "first_run_30": Scene(30, 2.6),
    "cold_30": Scene(30, 3.2, (26, 32, 30)),
    "warm": Scene(60, 3.0, (30, 26, 32), stored=30),
    "all_cached": Scene(30, 0.2, (30, 8), again=True),
    "cached_70": Scene(100, 3.2, (34, 28, 30), stored=70),
    "provider_waits": Scene(40, 2.6, (30, 36, 40), faults={9: WAIT, 20: WAIT, 31: WAIT}),
    "dead_symbol": Scene(30, 3.2, (28, 30, 34), faults={11: "not_found"}),
    "slow_disk": Scene(40, 0.3, (36, 30, 34), commit=0.06),
    "take_over": Scene(36, 3.0, (30, 32, 36), kill_at=14),
    "five_symbols": Scene(5, 3.0, (8, 5, 9)),
    "five_hundred": Scene(500, 0.4, (160, 200)),
    "options": Scene(30, 3.2, (26, 30, 34), options=6),
    "slower_today": Scene(34, 2.4, (30, 34, 40), slower=1.3),
    "one_earlier_run": Scene(40, 2.6, (30,)),
    "many_earlier_runs": Scene(36, 2.6, (30, 24, 34, 36, 28, 32, 30, 26)),
}


class Recording:
    """A service, its provider and the symbols that nobody has asked for yet."""

    def __init__(self, name: str, folder: Path, leaving: ExitStack) -> None:
        self.name, self.scene, self.folder = name, SCENES[name], folder
        self._tickers = _tickers()
        self._accounts = count()
        calendar = sessions.load(folder)
        self.bought = calendar.day(calendar.ordinal(SystemClock().now().date()) - 300)
        self.market = leaving.enter_context(SlowMarket(calendar, self.scene.latency, name))
        self.program = ("-m", "bench.slow_disk", str(self.scene.commit)) if self.scene.commit else PROGRAM
        self._leaving = leaving
        self.service = self.start()

    def start(self) -> Service:
        """Start the service, again after a death."""
        return self._leaving.enter_context(
            running(self.folder, program=self.program, provider_url=self.market.url, **SETTINGS)
        )

    def new_symbols(self, number: int) -> list[str]:
        """Symbols that were not fetched before."""
        return [next(self._tickers) for _ in range(number)]

    def holdings(self, symbols: Sequence[str], options: int = 0) -> bytes:
        """A file with a lot of each symbol, and options on the first ones."""
        lots = [f"{name},{10 + i},90,{self.bought},PUBLIC,STOCK,,,,,," for i, name in enumerate(symbols)]
        expiry = SystemClock().now().date() + timedelta(days=200)
        lots += [f",5,2.50,{self.bought},OPTIONS,,{name},95,{expiry},CALL,," for name in symbols[:options]]
        return (HEADER + "\n".join(lots) + "\n").encode()

    def onboard(self, symbols: Sequence[str], options: int = 0, die_at: int | None = None) -> str:
        """Upload a portfolio and wait for its run to end; returns the run's id. die_at: see `follow`."""
        name = f"Account {next(self._accounts)}"
        with self.service.client("owner") as client:
            answer = client.post(
                "/api/v1/portfolios",
                files={"file": ("lots.csv", self.holdings(symbols, options), "text/csv")},
                data={"name": name, "account_name": name, "account_type": "taxable", "equity": "900000"},
            )
        answer.raise_for_status()
        opened = answer.json()
        self.follow(opened["portfolio_id"], die_at)
        return str(opened["run_id"])

    def follow(self, portfolio_id: str, die_at: int | None) -> None:
        """Poll until the run has ended. die_at: fetched symbols after which the service dies, and returns."""
        while True:
            time.sleep(LOOK_SECONDS)
            with self.service.client("owner") as client:
                doc = client.get(f"/api/v1/onboarding/status/{portfolio_id}").json()
            if doc["status"] == "completed":
                return
            if doc["status"] == "failed":
                raise RuntimeError(f"{self.name}: {doc['failure']}")
            if die_at is not None and doc["phases"][0]["current"] >= die_at:
                die_at = None
                self.service.process.kill()
                self.service = self.start()

    def trace(self, run_id: str) -> Trace:
        """The trace of a run, from the rows it committed."""
        database = connect(f"sqlite:///{self.folder / 'glassfolio.db'}", lambda: time.time())
        with database.reading() as connection:
            run = rows.get(connection, run_id)
            assert run is not None
            steps = trail.of(connection, run_id, run.attempt)
        database.close()
        return Trace(self.name, tuple(name.unit for name in NAMES), run.spread, steps)


def _tickers() -> Iterator[str]:
    names = map("".join, product("ABCDEFGH", string.ascii_uppercase, string.ascii_uppercase))
    return (name for name in names if name not in US_ETF.series)


def record(name: str) -> str:
    """Play a scene; returns its trace as JSON lines."""
    scene = SCENES[name]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as leaving:
        recording = Recording(name, Path(folder), leaving)
        known: list[str] = []
        for size in scene.taught:
            known += (symbols := recording.new_symbols(size))
            recording.onboard(symbols)
        if scene.stored > len(known):
            known += (more := recording.new_symbols(scene.stored - len(known)))
            recording.onboard(more)
        if scene.again:
            symbols = known[: scene.symbols]
        else:
            symbols = known[: scene.stored] + recording.new_symbols(scene.symbols - scene.stored)
            random.Random(name).shuffle(symbols)
        recording.market.latency *= scene.slower
        recording.market.set_faults({symbols[place]: fault for place, fault in scene.faults.items()})
        run_id = recording.onboard(symbols, scene.options, scene.kill_at)
        return write(recording.trace(run_id), NAMES)


def main(arguments: Sequence[str] | None = None) -> None:
    """Record the named scenes, or all of them, a few at the same time."""
    parser = argparse.ArgumentParser(prog="python -m bench.traces", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENES))
    names = parser.parse_args(arguments).names or list(SCENES)
    CORPUS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for name, text in zip(names, pool.map(record, names), strict=True):
            (CORPUS / f"{name}.jsonl").write_text(text, "utf-8")
            print(f"{name}: {len(text.splitlines())} events", flush=True)


if __name__ == "__main__":
    main()
