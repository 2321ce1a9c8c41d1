"""Ordinary least squares of many series on a few shared regressors, at every session at once.

Windows are sums of products (see `rolling`), the normal equations are solved element by element, so a fit
has the same bits whichever other columns or earlier sessions are computed beside it. Knows nothing of
factors or symbols.
"""

from dataclasses import dataclass

import numpy as np

from glassfolio.analytics.rolling import centred, rolling_sum, sum_of_squares, tiles
from glassfolio.model.market import BoolArray, FloatArray, IntArray

_COLLINEAR = 1e-10
_EXACT_FIT = 1e-6


@dataclass(frozen=True)
class Fit:
    """Slopes for D sessions, S series, K regressors.

    value, stderr: (D, S, K); NaN where there is no fit. stderr is 0 where 1 - R² is at most 1e-6.
    r2: (D, S) in [0, 1]; NaN where there is no fit or the series does not vary.
    n: (D, S) pairs in the window, kept where there is no fit.
    """

    value: FloatArray
    stderr: FloatArray
    r2: FloatArray
    n: IntArray


def rolling_ols(
    returns: FloatArray, regressors: FloatArray, window: int, minimum: int, start: int = 0
) -> Fit:
    """OLS with intercept over the `window` sessions that end at each session from `start` on.

    returns: (T, S), regressors: (T, K); NaN where missing. A session that lacks a regressor is left out for
    all series.
    There is no fit where the session itself lacks a regressor, where fewer than `minimum` pairs lie in the
    window, or where the regressors are collinear (one keeps less than 1e-10 of its variance beside the
    others). b = (X'X)^-1 X'y, X centred; R² = 1 - RSS / Syy; stderr = sqrt(RSS / (n - K - 1) [(X'X)^-1]_kk).
    Checked against statsmodels RollingOLS to 1e-9.
    """
    sessions, factors, columns = len(returns) - start, regressors.shape[1], returns.shape[1]
    present = np.isfinite(regressors.sum(axis=1))
    x = np.where(present[:, None], regressors, 0.0)
    pairs = np.isfinite(returns) & present[:, None]
    y = np.where(pairs, returns, 0.0)
    whole = (pairs == present[:, None])[max(start - window + 1, 0) :].all(axis=0)
    value, stderr = np.empty((2, factors, sessions, columns))
    r2, n = np.empty((sessions, columns)), np.empty((sessions, columns), dtype=np.int64)
    for shared in (True, False):
        for tile in tiles(np.flatnonzero(whole == shared)):
            weight = (present[:, None] if shared else pairs[:, tile]).astype(np.float64)
            solution = _solve(_Moments.of(x, y[:, tile], weight, window, start))
            fits = present[start:, None] & solution.regular & (solution.n >= max(minimum, factors + 2))
            r2[:, tile] = np.where(fits, solution.r2, np.nan)
            n[:, tile] = solution.n
            for k in range(factors):
                value[k][:, tile] = np.where(fits, solution.slopes[k], np.nan)
                stderr[k][:, tile] = np.where(fits, solution.stderr[k], np.nan)
    return Fit(np.moveaxis(value, 0, -1), np.moveaxis(stderr, 0, -1), r2, n)


@dataclass(frozen=True)
class _Moments:
    """Centred sums over each window. Those without y are (D, 1) where all series share their sessions, else
    (D, S).
    """

    n: FloatArray
    gram: list[list[FloatArray]]
    cross: list[FloatArray]
    squares: FloatArray

    @classmethod
    def of(cls, x: FloatArray, y: FloatArray, weight: FloatArray, window: int, start: int) -> "_Moments":
        n = rolling_sum(weight, window, start)
        xs = [x[:, k : k + 1] for k in range(x.shape[1])]
        y_sum = rolling_sum(y, window, start)
        x_sums = [rolling_sum(weight * a, window, start) for a in xs]
        with np.errstate(divide="ignore", invalid="ignore"):
            gram = [[n] * len(xs) for _ in xs]
            for i, a in enumerate(xs):
                for j, b in enumerate(xs[: i + 1]):
                    product = rolling_sum(weight * (a * b), window, start)
                    gram[i][j] = gram[j][i] = (
                        sum_of_squares(product, x_sums[i], n)
                        if i == j
                        else centred(product, x_sums[i], x_sums[j], n)
                    )
            cross = [
                centred(rolling_sum(a * y, window, start), s, y_sum, n)
                for a, s in zip(xs, x_sums, strict=True)
            ]
            squares = sum_of_squares(rolling_sum(y * y, window, start), y_sum, n)
        return cls(n, gram, cross, squares)


@dataclass(frozen=True)
class _Solution:
    n: FloatArray
    slopes: list[FloatArray]
    stderr: list[FloatArray]
    r2: FloatArray
    regular: BoolArray


def _solve(moments: _Moments) -> _Solution:
    """Solve the normal equations by sweeping one regressor after the other (Goodnight 1979)."""
    inverse = [list(row) for row in moments.gram]
    slopes = list(moments.cross)
    rss = moments.squares
    regular = moments.n > 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for k in range(len(slopes)):
            pivot = inverse[k][k]
            regular = regular & (pivot > _COLLINEAR * moments.gram[k][k])
            rss = rss - slopes[k] * slopes[k] / pivot
            _sweep(inverse, slopes, k)
        r2 = np.where(moments.squares > 0, np.clip(1 - rss / moments.squares, 0.0, 1.0), np.nan)
        noise = np.maximum(rss, 0.0) / (moments.n - len(slopes) - 1)
        noise = np.where(1 - r2 > _EXACT_FIT, noise, 0.0)
        stderr = [np.sqrt(noise * inverse[k][k]) for k in range(len(slopes))]
    return _Solution(moments.n, slopes, stderr, r2, regular)


def _sweep(matrix: list[list[FloatArray]], right: list[FloatArray], k: int) -> None:
    pivot = matrix[k][k]
    row = [entry / pivot for entry in matrix[k]]
    solved = right[k] / pivot
    for i in range(len(right)):
        if i == k:
            continue
        factor = matrix[i][k]
        right[i] = right[i] - factor * solved
        matrix[i] = [entry - factor * own for entry, own in zip(matrix[i], row, strict=True)]
        matrix[i][k] = -factor / pivot
    row[k] = 1 / pivot
    matrix[k], right[k] = row, solved
