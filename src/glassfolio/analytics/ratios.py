"""Return per unit of risk over a year of sessions: downside volatility, Sortino and Sharpe ratio.

Kernels for any series of daily returns, a symbol's or a portfolio's. Knows nothing of where the risk-free
yield comes from.
"""

from dataclasses import dataclass

import numpy as np

from glassfolio.analytics.trailing import QUARTER, YEAR, add, fold
from glassfolio.analytics.volatility import (
    RETURNS_BACK,
    SESSIONS_PER_YEAR,
    Moments,
    deviation,
    known,
    least,
)
from glassfolio.model.market import FloatArray


def daily_rate(annual: FloatArray | float) -> FloatArray:
    """The daily rate that compounds to an annual yield over 252 sessions, (1 + y)^(1/252) - 1; fractions."""
    return np.expm1(np.log1p(np.asarray(annual, dtype=np.float64)) / SESSIONS_PER_YEAR)


@dataclass(frozen=True)
class Ratios:
    """(D, S) each; NaN where fewer than 168 of 252 returns are there, and where the risk is 0.

    n: excess returns used, (1, 1) where none is missing. sharpe_stderr: of the annual ratio, for
    independent returns.
    """

    n: FloatArray
    downside_vol: FloatArray
    sortino: FloatArray
    sharpe: FloatArray
    sharpe_stderr: FloatArray


def ratios(excess: FloatArray, own: Moments) -> Ratios:
    """The ratios of the sessions that `own` is about.

    excess: (RETURNS_BACK + D, S) daily returns less the daily risk-free rate. own: their moments.
    downside_vol: sqrt(mean(min(excess, 0)^2) * 252), all n in the mean; sortino: 252 mean(excess) /
    downside_vol; sharpe: sqrt(252) mean / std(ddof=1), its standard error sqrt(252 (1 + h^2 / 2) / n) with h
    the daily ratio (Lo 2002). Checked against empyrical downside_risk, sortino_ratio, sharpe_ratio.
    """
    n, total, squares = own.n.year, own.total.year, own.squares.year
    # fmin makes 0 of what is missing, and n leaves it out.
    losses = np.fmin(excess[RETURNS_BACK - YEAR + 1 :], 0.0)
    losses *= losses
    quarter = fold(losses, QUARTER, 1, add)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        downside = np.sqrt(fold(quarter, YEAR // QUARTER, QUARTER, add) / n * SESSIONS_PER_YEAR)
        sortino = SESSIONS_PER_YEAR * mean / downside
        daily = mean / deviation(n, total, squares)
        stderr = np.sqrt(SESSIONS_PER_YEAR * (1 + daily * daily / 2) / n)
    enough = n >= least(YEAR)
    for risky in (sortino, daily, stderr):
        known(risky, np.isfinite(risky) & enough)
    return Ratios(n, known(downside, enough), sortino, daily * np.sqrt(SESSIONS_PER_YEAR), stderr)
