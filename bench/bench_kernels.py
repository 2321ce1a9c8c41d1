"""Times of the arithmetic against statsmodels on the same data in the same run.

Run with `python bench/bench_kernels.py`. Times are the best of a few runs, in milliseconds. statsmodels fits
one symbol and one model at a time, so it is timed on a few symbols and extrapolated; the table says how many.
"""

import time
from collections.abc import Callable

import numpy as np
import statsmodels.api as sm
from rich.console import Console
from rich.table import Table
from statsmodels.regression.rolling import RollingOLS

from glassfolio.analytics.factors import MODELS, FactorSet, Member, Role, fit
from glassfolio.analytics.ledger import roll
from glassfolio.analytics.lots import LotTable
from glassfolio.analytics.regression import rolling_regression
from glassfolio.analytics.returns import simple_returns
from glassfolio.analytics.risk import factor_exposures, measure, net_positions
from glassfolio.analytics.symbols import symbol_metrics
from glassfolio.model.market import FloatArray, Panel

SESSIONS, DATES, LOTS, TIMED_SYMBOLS = 507, 254, 30, 6
SPREADS = 5
MARKET, RISK = MODELS["market"], MODELS["risk"]


def best(work: Callable[[], object], repeats: int = 7) -> float:
    """The shortest time of several runs, in ms."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return 1000 * min(times)


def random_panel(symbols: int, holes: float = 0.0) -> Panel:
    """Factors first (M, F0 to F4), then `symbols` names that load on them."""
    rng = np.random.default_rng(0)
    factors = rng.normal(0.0003, 0.01, (SESSIONS, SPREADS + 1))
    factors[:, 1:] = factors[:, :1] + 0.5 * factors[:, 1:]
    names = factors @ rng.normal(0.2, 0.3, (SPREADS + 1, symbols)) + rng.normal(0, 0.015, (SESSIONS, symbols))
    close = np.multiply(100.0, np.cumprod(1 + np.hstack([factors, names]), axis=0), dtype=np.float64)
    close[:, SPREADS + 1 :][rng.random((SESSIONS, symbols)) < holes] = np.nan
    days = np.arange("2021-01-01", "2024-01-01", dtype="datetime64[D]")
    keys = ("M", *(f"F{k}" for k in range(SPREADS)), *(f"S{j}" for j in range(symbols)))
    ones = np.ones_like(close)
    ordinals = np.arange(SESSIONS, dtype=np.int64)
    return Panel(days[np.is_busday(days)][:SESSIONS], ordinals, keys, close, ones, ones - 1, {})


def factor_set() -> FactorSet:
    """A market and five spreads."""
    spreads = (Member(f"f{k}", Role.SPREAD, f"F{k}", "M") for k in range(SPREADS))
    return FactorSet("bench", (Member("market", Role.MARKET, "M"), *spreads))


def regressors(returns: FloatArray) -> FloatArray:
    """Market and spread returns, without the first row, which has none."""
    x = returns[1:, : SPREADS + 1].copy()
    x[:, 1:] -= x[:, :1]
    return x


def time_ours(returns: FloatArray, x: FloatArray) -> float:
    """Both models for every symbol at the last 254 sessions."""
    y, start = returns[1:, SPREADS + 1 :], SESSIONS - 1 - DATES

    def work() -> None:
        rolling_regression(y, x[:, :1], MARKET.window, MARKET.minimum, start)
        rolling_regression(y, x, RISK.window, RISK.minimum, start)

    return best(work)


def time_statsmodels(returns: FloatArray, x: FloatArray) -> float:
    """The same for a few symbols, one RollingOLS per symbol and model; ms per symbol."""
    y = returns[1:, SPREADS + 1 : SPREADS + 1 + TIMED_SYMBOLS]

    def work() -> None:
        for j in range(TIMED_SYMBOLS):
            for model, part in ((MARKET, x[:, :1]), (RISK, x)):
                rows = slice(SESSIONS - 1 - DATES - model.window + 1, None)
                RollingOLS(y[rows, j], sm.add_constant(part[rows]), window=model.window).fit().bse  # noqa: B018

    return best(work, 2) / TIMED_SYMBOLS


def lots_on(panel: Panel) -> LotTable:
    """Thirty dated lots, every fifth short, every sixth closed within the history."""
    number = np.arange(LOTS)
    entry = 253 + (number * 5) % 200
    column = SPREADS + 1 + number
    price = panel.close[entry, column]
    closed = number % 6 == 0
    return LotTable(
        quantity=np.where(number % 5 == 0, -50.0, 100.0),
        multiplier=np.ones(LOTS),
        entry=entry,
        exit=np.where(closed, entry + 40, SESSIONS + 1),
        basis=np.full(LOTS, SESSIONS - 1),
        entry_price=price,
        exit_price=np.where(closed, price * 1.1, np.nan),
        column=column,
        cash_like=np.zeros(LOTS, dtype=np.bool_),
        stated_price=np.full(LOTS, np.nan),
    )


def compare(table: Table, symbols: int, holes: float) -> None:
    """One row: betas of `symbols` names, ours and theirs."""
    panel = random_panel(symbols, holes)
    returns = simple_returns(panel.close, panel.split, panel.dividend)
    x = regressors(returns)
    ours = time_ours(returns, x)
    label = f"betas, {symbols:,} symbols" + (f", {holes:.0%} holes" if holes else "")
    if holes:
        table.add_row(label, f"{ours:.1f}", "", "")
        return
    theirs = time_statsmodels(returns, x) * symbols
    table.add_row(label, f"{ours:.1f}", f"{theirs:,.0f}", f"{theirs / ours:,.0f}")


def one_portfolio(table: Table) -> None:
    """Everything for 30 lots and 254 sessions, stage by stage."""
    panel, factors = random_panel(LOTS), factor_set()
    start, lots = SESSIONS - DATES, lots_on(panel)
    prices = (panel.close, panel.split, panel.dividend)
    returns = simple_returns(*prices)
    flows = np.zeros(SESSIONS)
    betas = [fit(model, factors, panel, returns, start) for model in MODELS.values()]
    ledger = roll(lots, *prices, flows, SESSIONS - 1, 300_000.0, start)

    def exposures() -> None:
        positions = net_positions(lots, ledger)
        measure(positions, ledger.nav)
        for each in betas:
            factor_exposures(positions, each, ledger.nav)

    stages: dict[str, Callable[[], object]] = {
        "returns": lambda: simple_returns(*prices),
        "betas with reasons and warnings": lambda: [
            fit(m, factors, panel, returns, start) for m in MODELS.values()
        ],
        "symbol metrics": lambda: symbol_metrics(panel, start),
        "ledger.roll": lambda: roll(lots, *prices, flows, SESSIONS - 1, 300_000.0, start),
        "exposures": exposures,
    }
    times = {name: best(work) for name, work in stages.items()}
    for name, spent in (*times.items(), ("all of it", sum(times.values()))):
        table.add_row(f"one portfolio, {LOTS} lots: {name}", f"{spent:.1f}", "", "")


def main() -> None:
    """Print the table."""
    table = Table(
        title=f"Arithmetic, {DATES} sessions, ms; statsmodels from {TIMED_SYMBOLS} symbols, extrapolated"
    )
    for heading in ("work", "glassfolio", "statsmodels RollingOLS", "ratio"):
        table.add_column(heading, justify="left" if heading == "work" else "right")
    for symbols, holes in ((30, 0.0), (30, 0.02), (1200, 0.0), (1200, 0.02)):
        compare(table, symbols, holes)
    one_portfolio(table)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
