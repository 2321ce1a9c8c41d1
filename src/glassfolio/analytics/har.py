"""The heterogeneous autoregressive forecast of volatility: the variance of the coming month from that of the
last day, week and month.

A kernel for any series of daily returns. Knows nothing of prices. Source: Corsi (2009), on variances, with
weights against the noise of loud times and without negative coefficients.
"""

from itertools import combinations

import numpy as np

from glassfolio.analytics.trailing import MONTH, add, fold
from glassfolio.analytics.volatility import SESSIONS_PER_YEAR
from glassfolio.model.market import FloatArray

RETURNS = 1000
WEEK, LONG = 5, 22
QUIETEST = 0.05  # of the mean variance: no row weighs more than one as quiet as this
LOWEST = 0.02  # of the mean variance: no forecast is below
_WINDOWS = 128
_REGRESSORS = 4


def har(returns: FloatArray, rows: int) -> FloatArray:
    """Annual volatility forecast for the 21 sessions after each of the last `rows` ones; (rows, S).

    returns: (T, S), NaN where missing. NaN unless all of the last 1,000 returns are there. With x = r^2:
    mean(x[t+1 … t+21]) is regressed on 1, x and its 5- and 22-session means over the 958 sessions that have
    all of them, coefficients >= 0, each row multiplied by 1 / max(22-session mean, 0.05 mean(x)); the
    forecast is at least 0.02 mean(x). Checked against scipy.optimize.nnls to 1e-8.
    """
    result = np.full((rows, returns.shape[1]), np.nan)
    gaps = np.cumsum(np.isnan(returns), axis=0, dtype=np.int64)
    before = np.concatenate([np.zeros((1, returns.shape[1]), dtype=np.int64), gaps])
    first = max(len(returns) - rows, RETURNS - 1)
    starts = np.arange(first - RETURNS + 1, max(len(returns) - RETURNS + 1, 0))
    start, column = np.nonzero(gaps[starts + RETURNS - 1] == before[starts])
    for at in range(0, len(start), _WINDOWS):
        begin, where = starts[start[at : at + _WINDOWS]], column[at : at + _WINDOWS]
        # Always as many windows, so that sums run in the same order for any number of symbols.
        windows = np.zeros((RETURNS, _WINDOWS))
        windows[:, : len(begin)] = returns[begin + np.arange(RETURNS)[:, None], where]
        result[begin + RETURNS - 1 - len(returns) + rows, where] = _forecast(windows)[: len(begin)]
    return result


def _forecast(returns: FloatArray) -> FloatArray:
    """The forecast at the last of 1,000 rows of S series; (S,)."""
    x = returns * returns
    mean = x.sum(axis=0) / RETURNS
    week, month = fold(x, WEEK, 1, add) / WEEK, fold(x, LONG, 1, add) / LONG
    coming = fold(x, MONTH, 1, add)[LONG:] / MONTH
    rows = len(coming)
    regressors = np.ones((_REGRESSORS, rows, x.shape[1]))
    regressors[1], regressors[2], regressors[3] = (
        x[LONG - 1 :][:rows],
        week[LONG - WEEK :][:rows],
        month[:rows],
    )
    with np.errstate(divide="ignore"):
        weight = 1 / np.maximum(regressors[3], QUIETEST * mean)
    weight[~np.isfinite(weight)] = 0.0  # returns of nothing but 0
    regressors *= weight
    coming = coming * weight
    slopes = nonnegative(regressors, coming)
    latest = np.stack([np.ones_like(mean), x[-1], week[-1], month[-1]])
    variance = np.maximum((slopes * latest).sum(axis=0), LOWEST * mean)
    forecast: FloatArray = np.sqrt(SESSIONS_PER_YEAR * variance)
    return forecast


def nonnegative(regressors: FloatArray, target: FloatArray) -> FloatArray:
    """Least squares with coefficients >= 0; (K, S).

    regressors: (K, n, S), target: (n, S). The solution is ordinary least squares on some of the regressors;
    all 2^K - 1 choices are tried, and the best without a negative coefficient is taken.
    Checked against scipy.optimize.nnls.
    """
    k = len(regressors)
    scale = np.sqrt((regressors * regressors).sum(axis=1))
    scale[scale == 0] = 1.0
    x = regressors / scale[:, None]
    gram = np.empty((x.shape[2], k, k))
    for i in range(k):
        for j in range(i, k):
            gram[:, i, j] = gram[:, j, i] = (x[i] * x[j]).sum(axis=0)
    along = np.array([(x[i] * target).sum(axis=0) for i in range(k)]).T
    best, explained = np.zeros_like(along), np.zeros(len(along))
    for size in range(1, k + 1):
        for chosen in map(list, combinations(range(k), size)):
            part = gram[:, chosen][:, :, chosen]
            sound = np.linalg.det(part) > np.finfo(np.float64).eps
            slopes = np.zeros((len(along), size))
            slopes[sound] = np.linalg.solve(part[sound], along[sound][:, chosen][:, :, None])[:, :, 0]
            gain = (slopes * along[:, chosen]).sum(axis=1)
            better = (slopes >= 0).all(axis=1) & (gain > explained) & sound
            explained[better] = gain[better]
            best[better] = 0.0
            best[np.ix_(better, chosen)] = slopes[better]
    slopes_of_all: FloatArray = best.T / scale
    return slopes_of_all
