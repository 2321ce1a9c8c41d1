"""How long accounts and exposures take, for one portfolio and for ten thousand, beside plain loops.

A peer that takes one portfolio at a time is timed on some of them and scaled up; its name says how many.
"""

import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from bench.figures import Figure
from glassfolio.analytics.factor_exposures import BetaTable, join_as_of
from glassfolio.analytics.factors import MODELS, US_ETF
from glassfolio.analytics.instruments import Instruments, listed
from glassfolio.analytics.ledger import Accounts
from glassfolio.analytics.lots import LotTable
from glassfolio.analytics.rollup import roll
from glassfolio.analytics.statement import net_lots, state_lots
from glassfolio.model.market import FloatArray

TITLE = "Accounts and exposures, 30 lots each, 254 sessions, all betas of the us-etf set"
DATES, LOTS = 254, 30
SIZES = {"one portfolio": (30, 1), "100 portfolios": (1_200, 100), "10,000 portfolios": (10_000, 10_000)}
KEYS = tuple(key for model in MODELS.values() for key in model.published(US_ETF))
SAMPLE = 10


def market(symbols: int) -> Instruments:
    """Random walks with dividends each quarter, some splits, and a few missing closes."""
    rng = np.random.default_rng(0)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (DATES, symbols)), axis=0))
    close[rng.random(close.shape) < 0.0005] = np.nan
    split = np.where(rng.random(close.shape) < 0.0001, 2.0, 1.0)
    dividend = np.where(rng.random(close.shape) < 1 / 63, 0.2, 0.0)
    return listed(close, split, dividend)


def random_lots(symbols: int, portfolios: int) -> LotTable:
    """Half of them bought within the history, a sixth sold within it, a fifth short."""
    rng, count = np.random.default_rng(1), portfolios * LOTS
    entry = np.where(rng.random(count) < 0.5, -1, rng.integers(0, DATES - 40, count))
    exit_ = np.where(rng.random(count) < 1 / 6, np.maximum(entry, 0) + 30, 10 * DATES)
    return LotTable(
        portfolio=np.repeat(np.arange(portfolios), LOTS),
        column=rng.integers(0, symbols, count),
        quantity=np.where(rng.random(count) < 0.2, -50.0, 100.0) * rng.integers(1, 9, count),
        multiplier=np.ones(count),
        entry=entry,
        exit=exit_,
        dated=np.ones(count, dtype=np.bool_),
        basis=np.full(count, DATES - 1),
        entry_price=np.full(count, 50.0),
        exit_price=np.where(exit_ < DATES, 55.0, np.nan),
    )


def accounts(portfolios: int) -> Accounts:
    """Equity stated for the last session, and a contribution in the middle."""
    flows = np.zeros((DATES, portfolios))
    flows[DATES // 2] = 10_000.0
    return Accounts(flows, np.full(portfolios, DATES - 1), np.full(portfolios, 3e6))


def random_betas(symbols: int) -> FloatArray:
    """(T, S, K)."""
    return np.random.default_rng(2).normal(0.5, 0.5, (DATES, symbols, len(KEYS)))


def join(betas: FloatArray) -> BetaTable:
    """The betas as the roll-up reads them, once per run."""
    return join_as_of(KEYS, betas, np.ones((DATES, len(KEYS)), dtype=np.bool_), DATES)


def times(
    work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Milliseconds of each run, after one that is not counted."""
    work()
    spent = []
    for _ in range(repeats):
        began = clock()
        work()
        spent.append(1000 * (clock() - began))
    return spent


def plain(
    lots: LotTable, grid: Instruments, whole: Accounts, betas: FloatArray, portfolio: int
) -> pd.DataFrame:
    """One portfolio as one would write it with pandas and NumPy, lot by lot. No splits, no carried prices."""
    value = np.zeros(DATES)
    cash = np.zeros(DATES)
    exposure: dict[int, FloatArray] = {}
    rows = np.arange(DATES)
    for lot in np.flatnonzero(lots.portfolio == portfolio):
        column, size = int(lots.column[lot]), lots.quantity[lot]
        held = (rows >= lots.entry[lot]) & (rows < lots.exit[lot])
        worth = np.where(held, size * pd.Series(grid.close[:, column]).ffill().to_numpy(), 0.0)
        value += worth
        exposure[column] = exposure.get(column, 0.0) + worth
        cash += np.where(np.roll(held, 1) & (rows > 0), size * grid.dividend[:, column], 0.0)
        if lots.entry[lot] >= 0:
            cash[lots.entry[lot]] -= size * lots.entry_price[lot]
        if lots.exit[lot] < DATES:
            cash[lots.exit[lot]] += size * lots.exit_price[lot]
    held_now = pd.DataFrame(exposure)
    frame = pd.DataFrame({"value": value, "trades": cash, "flow": whole.flows[:, portfolio]})
    frame["pnl"] = frame["value"].diff().fillna(0.0) + frame["trades"]
    total = (frame["pnl"] + frame["flow"]).cumsum()
    frame["nav"] = whole.equity[portfolio] + total - total.iloc[-1]
    base = frame["nav"].shift() + frame["flow"].clip(lower=0)
    frame["twr"] = (1 + frame["pnl"] / base).cumprod() - 1
    frame["drawdown"] = (1 + frame["twr"]) / (1 + frame["twr"]).cummax() - 1
    frame["long"], frame["short"] = held_now.clip(lower=0).sum(axis=1), held_now.clip(upper=0).sum(axis=1)
    weight = held_now.abs().div(held_now.abs().sum(axis=1), axis=0)
    frame["hhi"] = (weight**2).sum(axis=1)
    largest = np.sort(weight.to_numpy(), axis=1)[:, ::-1]
    frame["top_3"], frame["top_10"] = largest[:, :3].sum(axis=1), largest[:, :10].sum(axis=1)
    dollars = np.einsum("tu,tuk->tk", held_now.to_numpy(), betas[:, list(exposure)])
    return pd.concat([frame, pd.DataFrame(dollars, columns=list(KEYS))], axis=1)


def figures() -> Iterator[Figure]:
    """One portfolio first, then more; each with two threads where that helps."""
    targets = {"one portfolio": 1.5, "100 portfolios": None, "10,000 portfolios": 2500.0}
    for name, (symbols, portfolios) in SIZES.items():
        yield from roll_ups(name, symbols, portfolios, targets[name])
    lots, grid = random_lots(30, 1), market(30)
    yield Figure(
        "positions of one portfolio on one session",
        "ms",
        times(lambda: net_lots(state_lots(lots, grid, DATES - 1)), 20),
    )


def roll_ups(name: str, symbols: int, portfolios: int, target: float | None) -> Iterator[Figure]:
    """Accounts, exposures, concentration, dollar betas, NAV, TWR and drawdown."""
    lots, grid, whole = random_lots(symbols, portfolios), market(symbols), accounts(portfolios)
    repeats = 30 if portfolios == 1 else 3
    betas, joined, peer = prepare(name, lots, grid, whole, repeats)
    yield joined
    with ThreadPoolExecutor(2) as pool:

        def work() -> None:
            roll(lots, grid, whole, betas=betas, spread=map if portfolios == 1 else pool.map)

        yield Figure(name, "ms", times(work, repeats), target, peer)
        if portfolios > 1:
            yield Figure(f"{name}: processor time, all cores", "ms", times(work, repeats, time.process_time))
    if portfolios == 10_000:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        yield Figure(f"{name}: most memory of this process", "MB", [used], 2048)


def prepare(
    name: str, lots: LotTable, grid: Instruments, whole: Accounts, repeats: int
) -> tuple[BetaTable, Figure, tuple[str, list[float]]]:
    """What is done with the betas before: they are joined for us, and used by the peer as they are."""
    betas, portfolios = random_betas(len(grid)), len(whole.equity)
    sample = min(SAMPLE, portfolios)
    spent = times(lambda: [plain(lots, grid, whole, betas, p) for p in range(sample)], 3)
    scaled = [each * portfolios / sample for each in spent]
    joining = Figure(f"{name}: betas joined, once per run", "ms", times(lambda: join(betas), repeats))
    return join(betas), joining, (f"pandas and NumPy, portfolio by portfolio ({sample} timed)", scaled)
