"""Times of the arithmetic of one portfolio, stage by stage.

Run with `python bench/bench_kernels.py`. Times are the best of a few runs, in milliseconds.
"""

import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from glassfolio.analytics.factors import MODELS, FactorSet, Member, Role, fit_all
from glassfolio.analytics.ledger import roll
from glassfolio.analytics.lots import LotTable
from glassfolio.analytics.metrics import symbol_metrics
from glassfolio.analytics.returns import simple_returns
from glassfolio.analytics.risk import factor_exposures, measure, net_positions
from glassfolio.model.market import Panel

SESSIONS, DATES, LOTS = 507, 254, 30
SPREADS = 5


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


def one_portfolio(table: Table) -> None:
    """Everything for 30 lots and 254 sessions, stage by stage."""
    panel, factors = random_panel(LOTS), factor_set()
    start, lots = SESSIONS - DATES, lots_on(panel)
    prices = (panel.close, panel.split, panel.dividend)
    returns = simple_returns(*prices)
    flows = np.zeros(SESSIONS)
    models = tuple(MODELS.values())
    betas = fit_all(models, factors, panel, returns, start)
    ledger = roll(lots, *prices, flows, SESSIONS - 1, 300_000.0, start)

    def exposures() -> None:
        positions = net_positions(lots, ledger)
        measure(positions, ledger.nav)
        for each in betas:
            factor_exposures(positions, each, ledger.nav)

    stages: dict[str, Callable[[], object]] = {
        "returns": lambda: simple_returns(*prices),
        "betas with reasons and warnings": lambda: fit_all(models, factors, panel, returns, start),
        "symbol metrics": lambda: symbol_metrics(panel, start),
        "ledger.roll": lambda: roll(lots, *prices, flows, SESSIONS - 1, 300_000.0, start),
        "exposures": exposures,
    }
    times = {name: best(work) for name, work in stages.items()}
    for name, spent in (*times.items(), ("all of it", sum(times.values()))):
        table.add_row(name, f"{spent:.1f}")


def main() -> None:
    """Print the table."""
    table = Table(title=f"Arithmetic of one portfolio, {LOTS} lots, {DATES} sessions")
    table.add_column("work")
    table.add_column("ms", justify="right")
    one_portfolio(table)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
