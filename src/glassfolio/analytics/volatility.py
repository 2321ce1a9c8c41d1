"""How much a series of daily returns moves: realised, forecast, and compared with its own past.

Kernels for any series, a symbol's or a portfolio's. Missing returns are NaN; sessions are rows.
Knows nothing of prices or portfolios.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from glassfolio.analytics.trailing import (
    MONTH,
    QUARTER,
    YEAR,
    Windows,
    add,
    decayed,
    fold,
    nest,
    reach_back,
    sum_of_squares,
)
from glassfolio.model.market import BoolArray, FloatArray

SESSIONS_PER_YEAR = 252
# Returns before a session that its figures rest on: 252 values of the 21-session volatility.
RETURNS_BACK = YEAR + MONTH - 2
HALF_LIFE = 21
FORECAST_MINIMUM = 63
RISING, FALLING = 1.30, 0.68
_ROUNDING = 1e-12


def least(window: int) -> int:
    """Two thirds of a window, rounded up."""
    return -(-2 * window // 3)


@dataclass(frozen=True)
class Moments:
    """Number, sum and sum of squares of returns over windows, for the last `rows` sessions.

    n is (1, 1) where no return is missing, so that whole windows cost nothing.
    """

    n: Windows
    total: Windows
    squares: Windows


def since(returns: FloatArray, start: int) -> FloatArray:
    """The returns that figures from row `start` on rest on; NaN stands where they begin later."""
    return reach_back(returns, start - RETURNS_BACK, np.nan)


def moments(returns: FloatArray, rows: int) -> Moments:
    """Moments of the last `rows` sessions. returns: (RETURNS_BACK + rows, S), see `since`."""
    observed = np.isfinite(returns)
    r = returns if observed.all() else np.where(observed, returns, 0.0)
    return Moments(counts(observed, rows), nest(r, rows, add), nest(r * r, rows, add))


def counts(observed: BoolArray, rows: int) -> Windows:
    """How many returns the windows hold."""
    if observed.all():
        return Windows(*(np.full((1, 1), float(window)) for window in (MONTH, QUARTER, YEAR)))
    return nest(observed.astype(np.float64), rows, add)


def deviation(n: FloatArray, total: FloatArray, squares: FloatArray) -> FloatArray:
    """Standard deviation of daily returns, ddof 1; NaN or inf where n < 2.

    Checked against pandas std(ddof=1).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = sum_of_squares(squares, total, n)
        spread /= n - 1
    return np.sqrt(spread, out=spread)


def realised(n: FloatArray, total: FloatArray, squares: FloatArray, minimum: int) -> FloatArray:
    """Annual volatility std(r, ddof=1) * sqrt(252); NaN where n < minimum."""
    volatility = deviation(n, total, squares)
    volatility *= np.sqrt(SESSIONS_PER_YEAR)
    return known(volatility, n >= minimum)


def known(value: FloatArray, enough: BoolArray) -> FloatArray:
    """The value, NaN where there is not enough behind it; changes `value`."""
    if not enough.all():
        value[~np.broadcast_to(enough, value.shape)] = np.nan
    return value


def forecast(returns: FloatArray, rows: int, n: FloatArray) -> FloatArray:
    """Annual volatility by exponential weights, sqrt(252 sum(w r^2) / sum(w)), w = 0.5^(age / 21).

    returns: (RETURNS_BACK + rows, S). n: returns in 252 sessions; NaN where there are fewer than 63. The mean
    counts as 0, ages are in sessions, the weights of missing returns fall away.
    Checked against pandas (r**2).ewm(halflife=21, ignore_na=False).mean() over 252 sessions.
    """
    observed, weigh = np.isfinite(returns), decayed(HALF_LIFE)
    squares = returns * returns if observed.all() else np.where(observed, returns * returns, 0.0)
    weights = _all_weights() if observed.all() else nest(observed.astype(np.float64), rows, weigh).year
    variance = nest(squares, rows, weigh).year
    with np.errstate(divide="ignore", invalid="ignore"):
        variance /= weights
    variance *= SESSIONS_PER_YEAR
    return known(np.sqrt(variance, out=variance), n >= FORECAST_MINIMUM)


@cache
def _all_weights() -> FloatArray:
    return nest(np.ones((RETURNS_BACK + 1, 1)), 1, decayed(HALF_LIFE)).year


def percentile(volatility: FloatArray, rows: int) -> tuple[FloatArray, FloatArray]:
    """Share of the last 252 values that are at or below today's, and how many values there are.

    volatility: (rows + 251, S), NaN where missing. NaN where today's is, or fewer than 168 are there.
    Checked against scipy.stats.percentileofscore(kind='weak') / 100.
    """
    # Windows that differ by a hole only have the same volatility, but for rounding.
    today = volatility[-rows:] * (1 + _ROUNDING)
    below = np.zeros(today.shape, dtype=np.uint8)
    is_below = np.empty(today.shape, dtype=np.bool_)
    for age in range(YEAR):
        first = YEAR - 1 - age
        np.less_equal(volatility[first : first + rows], today, out=is_below)
        np.add(below, is_below.view(np.uint8), out=below)
    there = np.isfinite(volatility)
    if there.all():
        n = np.full((1, 1), float(YEAR))
        return below / n, n
    n = fold(fold(there.astype(np.float64), YEAR // 4, 1, add), 4, YEAR // 4, add)
    share = below / np.maximum(n, 1)
    return known(share, (n >= least(YEAR)) & there[-rows:]), n


def trend(month: FloatArray, quarter: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Whether volatility rises (1), is stable (0) or falls (-1), and the ratio month / quarter that says so.

    Rising above 1.30, falling below 0.68; NaN where either is missing or the quarter's is 0.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = month / quarter
    ratio[~np.isfinite(ratio)] = np.nan
    direction = (ratio > RISING).astype(np.float64)
    direction -= ratio < FALLING
    direction[np.isnan(ratio)] = np.nan
    return direction, ratio
