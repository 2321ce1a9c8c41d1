"""Times of symbol metrics and of portfolios' performance, against the usual libraries on the same data.

Run with `python -m bench.bench_metrics`. Times are processor time of the best of a few runs, in ms. Peers
work one symbol, or one symbol and session, at a time; they are timed on a few and extrapolated, as the table
says.
"""

import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import empyrical
import numpy as np
import pandas as pd
import quantstats
from rich.console import Console
from rich.table import Table

from glassfolio.analytics.har import RETURNS
from glassfolio.analytics.metrics import METRICS
from glassfolio.analytics.performance import Daily, performance
from glassfolio.analytics.symbols import SESSIONS_BACK, symbol_metrics
from glassfolio.analytics.xirr import xirr
from glassfolio.model.market import FloatArray, Panel

DATES, CHUNK, TIMED, YEAR = 254, 512, 8, 252


def best(work: Callable[[], object], repeats: int = 5) -> float:
    """The shortest processor time of several runs, in ms."""
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return 1000 * min(times)


def random_panel(symbols: int, holes: float = 0.0, sessions: int = SESSIONS_BACK + DATES) -> Panel:
    """Random walks."""
    rng = np.random.default_rng(0)
    close = np.multiply(100.0, np.cumprod(1 + rng.normal(0.0003, 0.015, (sessions, symbols)), axis=0))
    close[rng.random(close.shape) < holes] = np.nan
    days = np.arange("2015-01-01", "2024-01-01", dtype="datetime64[D]")
    names, ones = tuple(f"S{j}" for j in range(symbols)), np.ones_like(close)
    ordinals = np.arange(sessions, dtype=np.int64)
    return Panel(days[np.is_busday(days)][:sessions], ordinals, names, close, ones, ones - 1, {})


def by_chunk(panel: Panel) -> None:
    """As the pipeline does it: 512 symbols at a time."""
    for at in range(0, len(panel.symbols), CHUNK):
        columns = slice(at, at + CHUNK)
        part = replace(
            panel,
            symbols=panel.symbols[columns],
            close=panel.close[:, columns],
            split=panel.split[:, columns],
            dividend=panel.dividend[:, columns],
        )
        symbol_metrics(part, len(panel.sessions) - DATES)


def with_pandas(close: FloatArray) -> None:
    """Eleven of the metrics by rolling windows of pandas, all sessions; drawdown of today only."""
    frame = pd.DataFrame(close)
    returns = frame.pct_change(fill_method=None)
    deviation = {window: returns.rolling(window).std() * 252**0.5 for window in (21, 63, 252)}
    deviation[21].rolling(252).rank(pct=True, method="max")
    deviation[21] / deviation[63]
    (returns**2).ewm(halflife=21, ignore_na=False).mean()
    frame / frame.rolling(253).max() - 1
    mean = returns.rolling(252).mean()
    mean / returns.rolling(252).std()
    mean / np.sqrt((returns.clip(upper=0) ** 2).rolling(252).mean())
    frame.rolling(252).max(), frame.rolling(252).min()


def with_empyrical(series: pd.Series) -> None:
    """Five of the metrics of one symbol on one session."""
    empyrical.annual_volatility(series)
    empyrical.max_drawdown(series)
    empyrical.downside_risk(series)
    empyrical.sortino_ratio(series)
    empyrical.sharpe_ratio(series)


def with_quantstats(series: pd.Series) -> None:
    """Four of the metrics of one symbol on one session."""
    quantstats.stats.volatility(series)
    quantstats.stats.max_drawdown(series)
    quantstats.stats.sortino(series)
    quantstats.stats.sharpe(series)


def series_of(panel: Panel) -> pd.Series:
    """The last year of returns of one symbol."""
    returns = pd.Series(panel.close[:, 0], index=pd.DatetimeIndex(panel.sessions)).pct_change(
        fill_method=None
    )
    return returns.iloc[-YEAR:]


def of_symbols(table: Table) -> None:
    """All metrics of more and more symbols, and the peers scaled to 1,200."""
    panels = {symbols: random_panel(symbols) for symbols in (30, 1_200, 10_000)}
    for symbols, target in ((30, ""), (1_200, "15"), (10_000, "150")):
        spent = best(partial(by_chunk, panels[symbols]), 5 if symbols < 10_000 else 2)
        table.add_row(f"{len(METRICS)} metrics, {symbols:,} symbols", f"{spent:,.1f}", target)
    holed = random_panel(1_200, 0.02)
    table.add_row("the same, 1,200 symbols, 2 % holes", f"{best(lambda: by_chunk(holed)):,.1f}", "")
    long = random_panel(30, sessions=RETURNS + DATES)
    table.add_row("30 symbols, HAR on every session", f"{best(lambda: by_chunk(long), 2):,.1f}", "")
    some = panels[1_200].close[:, : TIMED * 10]
    pandas = best(lambda: with_pandas(some), 3) * 1_200 / (TIMED * 10)
    table.add_row(f"pandas, 11 metrics, 1,200 symbols (from {TIMED * 10})", f"{pandas:,.0f}", "")
    series = series_of(panels[30])
    for name, work in (("empyrical, 5", with_empyrical), ("quantstats, 4", with_quantstats)):
        whole = best(partial(work, series), TIMED) * 1_200 * DATES
        table.add_row(f"{name} metrics, 1,200 symbols (from one series)", f"{whole:,.0f}", "")


def of_portfolios(table: Table) -> None:
    """The performance of many portfolios."""
    rng = np.random.default_rng(1)
    days = np.arange("2022-01-03", "2023-12-01", dtype="datetime64[D]")
    sessions = days[np.is_busday(days)][: DATES + 1]
    for portfolios in (1, 1_000):
        returns = rng.normal(0, 0.01, (DATES, portfolios))
        daily = Daily(returns, np.full(returns.shape, -1, dtype=np.int8), sessions)
        spent = best(partial(performance, daily), 3)
        table.add_row(f"performance of {portfolios:,} portfolios, {DATES} sessions", f"{spent:,.1f}", "")
    flows = np.where(rng.random((DATES, 10_000)) < 0.01, rng.normal(1e3, 1e4, (DATES, 10_000)), 0.0)
    money = rng.uniform(5e4, 2e5, (2, 10_000))
    spent = best(lambda: xirr(money[0], flows, money[1], sessions), 2)
    table.add_row("XIRR of 10,000 portfolios, last session", f"{spent:,.1f}", "")


def main() -> None:
    """Print the table."""
    table = Table(title=f"Symbol metrics and performance, {DATES} sessions, ms of processor time")
    for heading in ("work", "measured", "target"):
        table.add_column(heading, justify="left" if heading == "work" else "right")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own
        of_symbols(table)
    of_portfolios(table)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
