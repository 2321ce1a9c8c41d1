"""How long correlations and the risk of today's holdings take, beside pandas, NumPy loops and statsmodels.

A peer that fits one book at a time is timed on some of them and scaled up; its name says how many.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import statsmodels.api as sm

from bench.figures import Figure
from glassfolio.analytics.clusters import cluster
from glassfolio.analytics.correlation import correlate, diversify
from glassfolio.analytics.factors import MODELS
from glassfolio.analytics.holdings_betas import fit_holdings
from glassfolio.analytics.holdings_risk import (
    Books,
    Each,
    books_of,
    holdings_returns,
    holdings_volatility,
)
from glassfolio.model.market import FloatArray

TITLE = "Correlations and the risk of today's holdings, 252 sessions"
SESSIONS, DATES, NAMES, LOTS, PORTFOLIOS = 507, 254, 30, 30, 10_000
SAMPLE = 50
RISK = MODELS["risk"]


def times(work: Callable[[], object], repeats: int, scale: float = 1.0) -> list[float]:
    """Milliseconds of each run, after one that is not counted."""
    work()
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        spent.append(1000 * scale * (time.perf_counter() - began))
    return spent


def market(names: int) -> tuple[FloatArray, FloatArray]:
    """Returns of `names` on seven correlated factors, and the factors'."""
    rng = np.random.default_rng(0)
    factors = rng.normal(0.0003, 0.01, (SESSIONS, 7))
    factors[:, 1:] += 0.3 * factors[:, :1]
    loads = rng.normal(0.3, 0.4, (7, names))
    return factors @ loads + rng.normal(0, 0.015, (SESSIONS, names)), factors


def figures() -> Iterator[Figure]:
    """One portfolio first, then ten thousand."""
    yield from correlations()
    yield from one_portfolio()
    yield from many_portfolios()


def correlations() -> Iterator[Figure]:
    """Matrices of 30 and 1,200 names, complete and with holes, and what is made of the small one."""
    for names, target in ((NAMES, 0.5), (1200, None)):
        for label, share in (("complete", 0.0), ("2 % holes", 0.02)):
            yield beside_pandas(names, label, share, target)
    found, exposure = correlate(market(NAMES)[0], SESSIONS - 1), np.random.default_rng(2).normal(size=NAMES)
    yield Figure("clusters of 30", "ms", times(lambda: cluster(found, exposure), 50), 0.5)
    yield Figure("diversification of 30", "ms", times(lambda: diversify(found, exposure), 50), 0.5)


def beside_pandas(names: int, label: str, holes: float, target: float | None) -> Figure:
    """One matrix, ours and theirs."""
    returns, _ = market(names)
    returns[np.random.default_rng(1).random(returns.shape) < holes] = np.nan
    frame, repeats = pd.DataFrame(returns), 50 if names == NAMES else 3
    return Figure(
        f"correlations {names:,} × {names:,}, {label}",
        "ms",
        times(lambda: correlate(returns, SESSIONS - 1), repeats),
        target,
        ("pandas corr", times(lambda: frame.tail(90).corr(min_periods=60), repeats)),
    )


def one_portfolio() -> Iterator[Figure]:
    """Thirty names on each of 254 sessions, each session with its own weights."""
    returns, factors = market(NAMES)
    exposure = np.random.default_rng(2).normal(3000, 3000, (DATES, NAMES))
    nav, at = np.full(DATES, 100_000.0), np.arange(SESSIONS - DATES, SESSIONS)

    def ours() -> None:
        holdings_volatility(holdings_returns(books_of(exposure, nav, at), returns))

    def theirs() -> None:
        for d in range(DATES):
            volatilities(returns[at[d] - 251 : at[d] + 1] @ (exposure[d] / nav[d]))

    yield Figure(
        f"holdings volatility, {DATES} sessions",
        "ms",
        times(ours, 30),
        3.0,
        ("pandas, a session at a time", times(theirs, 3)),
    )
    series = holdings_returns(books_of(exposure, nav, at), returns)
    taken = np.ones((DATES, 7), dtype=np.bool_)

    def fit_each() -> None:
        for d in range(SAMPLE):
            x = sm.add_constant(factors[at[d] - RISK.window + 1 : at[d] + 1])
            sm.OLS(series.value[d, -RISK.window :], x).fit().bse  # noqa: B018

    yield Figure(
        f"systematic share and errors of betas, {DATES} sessions",
        "ms",
        times(lambda: fit_holdings(series, RISK, factors, taken), 30),
        5.0,
        (f"statsmodels OLS, from {SAMPLE}", times(fit_each, 3, DATES / SAMPLE)),
    )


def volatilities(series: FloatArray) -> None:
    """The four volatilities of one series in pandas."""
    frame = pd.Series(series)
    for sessions in (21, 63, 252):
        frame.tail(sessions).std()
    (frame**2).ewm(halflife=21, ignore_na=False).mean().iloc[-1]


def many_portfolios() -> Iterator[Figure]:
    """Ten thousand portfolios of 30 names out of ten thousand, on one session."""
    returns, factors = market(PORTFOLIOS)
    rng = np.random.default_rng(3)
    names = np.sort(rng.permuted(np.tile(np.arange(PORTFOLIOS), (200, 1)), axis=1)[:, :LOTS], axis=1)
    names = np.tile(names, (PORTFOLIOS // 200, 1)) + np.arange(PORTFOLIOS)[:, None]
    names = np.sort(names % PORTFOLIOS, axis=1)
    books = Books(
        np.arange(PORTFOLIOS + 1) * LOTS,
        names.ravel(),
        rng.normal(3000, 3000, PORTFOLIOS * LOTS),
        np.full(PORTFOLIOS, 100_000.0),
        np.full(PORTFOLIOS, SESSIONS - 1),
    )
    exposure = books.exposure.reshape(PORTFOLIOS, LOTS)

    def theirs() -> None:
        for p in range(SAMPLE):
            volatilities(returns[-252:, names[p]] @ (exposure[p] / 100_000.0))

    peer = (f"pandas, one at a time, from {SAMPLE}", times(theirs, 3, PORTFOLIOS / SAMPLE))

    def ours(each: Each) -> None:
        holdings_volatility(holdings_returns(books, returns, each=each))

    name = f"holdings volatility, {PORTFOLIOS:,} portfolios"
    yield Figure(f"{name}, one thread", "ms", times(lambda: ours(map), 5), 100.0, peer)
    with ThreadPoolExecutor(2) as pool:
        yield Figure(f"{name}, two threads", "ms", times(lambda: ours(pool.map), 5), 100.0, peer)
    series, taken = holdings_returns(books, returns), np.ones((PORTFOLIOS, 7), dtype=np.bool_)
    fits = times(lambda: fit_holdings(series, RISK, factors, taken), 5)
    yield Figure(f"systematic share and errors of betas, {PORTFOLIOS:,} portfolios", "ms", fits, 100.0)
