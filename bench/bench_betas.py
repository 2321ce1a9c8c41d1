"""All betas of the us-etf set against statsmodels, pandas and Polars on the same returns in the same run.

The work is split over two threads, each with a linear algebra library of one. statsmodels fits one symbol and
one model at a time, so it is timed on a few symbols and extrapolated. It has no rolling ridge: the styles are
given to it as least squares.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import statsmodels.api as sm
from statsmodels.regression.rolling import RollingOLS
from threadpoolctl import threadpool_limits

from bench.figures import Figure
from glassfolio.analytics.factors import MODELS, US_ETF, factor_returns, fit_all
from glassfolio.analytics.regression import Regression, solve
from glassfolio.model.market import FloatArray, Panel

DATES, SESSIONS, RUNS, TIMED_SYMBOLS = 254, 507, 9, 3
BETAS = sum(len(model.published(US_ETF)) for model in MODELS.values())
TITLE = f"{BETAS} betas of the us-etf set with R², standard errors and n, {DATES} sessions, two threads"


class Universe:
    """Random prices of the set's series and of symbols that load on them."""

    def __init__(self, symbols: int, holes: float = 0.0) -> None:
        rng = np.random.default_rng(0)
        market = rng.normal(0.0003, 0.01, (SESSIONS, 1))
        series = np.hstack([market, market + rng.normal(0, 0.004, (SESSIONS, len(US_ETF.series) - 1))])
        close = np.multiply(100.0, np.cumprod(1 + series, axis=0), dtype=np.float64)
        days = np.arange("2021-01-01", "2024-01-01", dtype="datetime64[D]")
        days = days[np.is_busday(days)][:SESSIONS]
        ones = np.ones_like(close)
        self.panel = Panel(days, np.arange(SESSIONS), US_ETF.series, close, ones, ones, {})
        self.panel.dividend[:] = 0
        loads = rng.normal(0.2, 0.3, (series.shape[1], symbols))
        self.returns: FloatArray = series @ loads + rng.normal(0, 0.015, (SESSIONS, symbols))
        self.returns[rng.random(self.returns.shape) < holes] = np.nan
        self.returns[0] = np.nan

    def regressors(self) -> list[FloatArray]:
        """Of each model."""
        return [factor_returns(model.members(US_ETF), self.panel) for model in MODELS.values()]


def times(work: Callable[[], object], runs: int = RUNS) -> list[float]:
    """Milliseconds of each run, after one to warm up."""
    spent = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        work()
        spent.append(1000 * (time.perf_counter() - begun))
    return spent[1:]


def ours(universe: Universe, pool: ThreadPoolExecutor) -> list[float]:
    """Betas, standard errors, R², degrees of freedom and n."""
    asked = [
        Regression(x, model.window, model.minimum, SESSIONS - DATES, SESSIONS, model.penalty)
        for model, x in zip(MODELS.values(), universe.regressors(), strict=True)
    ]
    return times(lambda: solve(universe.returns, asked, spread=pool.map))


def labelled(universe: Universe, pool: ThreadPoolExecutor) -> list[float]:
    """The same from prices of the factors on, with reasons and warnings."""
    models, start = tuple(MODELS.values()), SESSIONS - DATES
    return times(lambda: fit_all(models, US_ETF, universe.panel, universe.returns, start, pool.map))


def rolling_ols(universe: Universe) -> list[float]:
    """statsmodels, a few symbols extrapolated to all."""
    scale = universe.returns.shape[1] / TIMED_SYMBOLS

    def work() -> None:
        for model, x in zip(MODELS.values(), universe.regressors(), strict=True):
            rows = slice(SESSIONS - DATES - model.window + 1, None)
            for j in range(TIMED_SYMBOLS):
                y = universe.returns[rows, j]
                RollingOLS(y, sm.add_constant(x[rows]), window=model.window).fit().bse  # noqa: B018

    return [spent * scale for spent in times(work, 2)]


def rolling_in_pandas(universe: Universe) -> list[float]:
    """The market beta alone: rolling covariance over rolling variance."""
    rows = slice(SESSIONS - DATES - MODELS["market"].window + 1, None)
    frame, market = pd.DataFrame(universe.returns[rows]), pd.Series(universe.regressors()[0][rows, 0])
    window = MODELS["market"].window
    return times(lambda: frame.rolling(window).cov(market).div(market.rolling(window).var(), axis=0), 3)


def rolling_in_polars(universe: Universe) -> list[float]:
    """The market beta alone, in Polars with all its threads."""
    rows = slice(SESSIONS - DATES - MODELS["market"].window + 1, None)
    frame = pl.DataFrame(universe.returns[rows]).with_columns(m=universe.regressors()[0][rows, 0])
    window, market = MODELS["market"].window, pl.col("m")
    slopes = [
        pl.rolling_cov(pl.col(name), market, window_size=window) / market.rolling_var(window)
        for name in frame.columns
        if name != "m"
    ]
    return times(lambda: frame.select(slopes), 3)


def market_alone(universe: Universe, pool: ThreadPoolExecutor) -> list[float]:
    """Our market model, with its standard error and R²."""
    model, x = MODELS["market"], universe.regressors()[0]
    asked = [Regression(x, model.window, model.minimum, SESSIONS - DATES, SESSIONS)]
    return times(lambda: solve(universe.returns, asked, spread=pool.map))


def figures() -> Iterator[Figure]:
    """The figures of 1,200 symbols, of 10,000, and of symbols with holes."""
    few, many, holed = Universe(1200), Universe(10_000), Universe(1200, 0.02)
    with threadpool_limits(1), ThreadPoolExecutor(2) as pool:
        mine, alone = ours(few, pool), market_alone(few, pool)
        named, large, lacking = labelled(few, pool), ours(many, pool), ours(holed, pool)
        yield Figure("1,200 symbols", "ms", mine, 60, ("statsmodels RollingOLS", rolling_ols(few)))
        yield Figure("1,200 symbols, reasons and warnings too", "ms", named, None, ("without", mine))
        yield Figure("10,000 symbols", "ms", large, 500, ("1,200 symbols", mine))
        yield Figure("1,200 symbols, 2 % holes", "ms", lacking, None, ("without holes", mine))
        for name, peer in (("pandas", rolling_in_pandas), ("Polars", rolling_in_polars)):
            yield Figure("market beta alone, 1,200 symbols", "ms", alone, None, (name, peer(few)))
