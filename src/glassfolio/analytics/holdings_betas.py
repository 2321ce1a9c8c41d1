"""Betas of the holdings of a session with exact standard errors, and how much of their risk is systematic.

Each book's series is a regression of its own, on its own window of the factors. Knows nothing of symbols,
of how betas of single symbols come about, or of storage.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from glassfolio.analytics.factors import Model
from glassfolio.analytics.holdings_risk import HoldingsReturns, caveats
from glassfolio.model.market import BoolArray, FloatArray, IntArray
from glassfolio.model.results import NONE, BitArray, CodeArray, Reason

_COLLINEAR = 1e-10
_EXACT_FIT = 1e-6
_ROUNDING = 1e-13
_TILE = 64


@dataclass(frozen=True)
class HoldingsFit:
    """What one model says of the holdings of R books, for K factors.

    value, stderr: (R, K), NaN where there is no fit; stderr is 0 where 1 - R² is at most 1e-6.
    r2: (R,) in [0, 1]; the systematic share if the model is `risk`. n: (R,) pairs in the window.
    reason: (R, K), r2_reason: (R,) codes of Reason, NONE where there is a value. warnings: (R,) bits of
    Warning_, 0 where there is no fit.
    """

    model: Model
    value: FloatArray
    stderr: FloatArray
    r2: FloatArray
    n: IntArray
    reason: CodeArray
    r2_reason: CodeArray
    warnings: BitArray


def fit_holdings(
    series: HoldingsReturns, model: Model, factors: FloatArray, in_model: BoolArray
) -> HoldingsFit:
    """OLS with intercept of each book's series on a model's factors, over the model's window.

    factors: (T, K) returns on the series' grid, NaN where missing; a session that lacks one is left out.
    in_model: (R, K) whether a factor takes part on the book's session; if it does and has no return on that
    session itself there is no fit (no_factor_data). Fewer pairs than the model's minimum: none either.
    b = (X'X)^-1 X'y, X centred; R² = 1 - RSS / Syy; stderr = sqrt(RSS / (n - K - 1) [(X'X)^-1]_kk), which
    holds how the residuals of the holdings move together. With complete data b is the sum of w_u beta_u.
    Checked against statsmodels OLS to 1e-9. A book's bits depend on its own series and factors only.
    """
    count, members = in_model.shape
    value, stderr = np.full((2, count, members), np.nan)
    r2, n = np.full(count, np.nan), np.zeros(count, dtype=np.int64)
    usable, fitted = np.zeros((2, count), dtype=np.bool_)
    for group in np.unique(in_model[in_model.any(axis=1)], axis=0):
        rows = np.flatnonzero((in_model == group).all(axis=1))
        for sample in _samples(series, factors[:, group], model.window, rows):
            own, cells = sample.rows, np.ix_(sample.rows, np.flatnonzero(group))
            solution = _solve(sample)
            fits = sample.usable & solution.regular & (solution.n >= max(model.minimum, group.sum() + 2))
            value[cells] = np.where(fits[:, None], solution.slopes, np.nan)
            stderr[cells] = np.where(fits[:, None], solution.stderr, np.nan)
            r2[own] = np.where(fits, solution.r2, np.nan)
            n[own], usable[own], fitted[own] = solution.n, sample.usable, fits
    reason = np.where(n < model.minimum, Reason.INSUFFICIENT_HISTORY.code, Reason.SINGULAR.code)
    reason = np.where(usable, reason, Reason.NO_FACTOR_DATA.code)
    reason = np.where(series.reason == NONE, reason, series.reason)
    reason = np.where(fitted, NONE, reason)
    return HoldingsFit(
        model=model,
        value=value,
        stderr=stderr,
        r2=r2,
        n=n,
        reason=np.where(in_model, reason[:, None], Reason.NO_FACTOR_DATA.code).astype(np.int8),
        r2_reason=np.where(fitted & np.isnan(r2), Reason.ZERO_VARIANCE.code, reason).astype(np.int8),
        warnings=np.where(fitted, caveats(series, (n < model.window)[:, None])[:, 0], 0).astype(np.int16),
    )


@dataclass(frozen=True)
class _Sample:
    """Windows of W sessions of B books. x: (B or 1, K, W), the same for all books if 1; pairs: like it, (B or
    1, W); y: (B, W). x and y are 0 where there is no pair. usable: (B,) the book's own session has factors.
    """

    rows: IntArray
    x: FloatArray
    y: FloatArray
    pairs: BoolArray
    usable: BoolArray


def _samples(series: HoldingsReturns, x: FloatArray, window: int, rows: IntArray) -> Iterator[_Sample]:
    """Pieces that stay in the processor's cache; books without a hole on one session share their factors."""
    x = np.concatenate([np.full((window - 1, x.shape[1]), np.nan), x])
    windows = sliding_window_view(np.ascontiguousarray(x.T), window, axis=1).swapaxes(0, 1)
    present = sliding_window_view(np.isfinite(x.sum(axis=1)), window)
    y, at = series.value[rows][:, -window:], series.books.at[rows]
    whole = (np.isfinite(y) | ~present[at]).all(axis=1)
    for part in (np.flatnonzero(whole), np.flatnonzero(~whole)):
        for start in range(0, len(part), _TILE):
            tile = part[start : start + _TILE]
            sessions = at[tile]
            usable = present[sessions, -1]
            if whole[tile[0]] and (sessions == sessions[0]).all():
                sessions = sessions[:1]
            pairs = np.isfinite(y[tile[: len(sessions)]]) & present[sessions]
            yield _Sample(
                rows[tile],
                np.where(pairs[:, None, :], np.ascontiguousarray(windows[sessions]), 0.0),
                np.where(pairs, y[tile], 0.0),
                pairs,
                usable,
            )


@dataclass(frozen=True)
class _Solution:
    slopes: FloatArray
    stderr: FloatArray
    r2: FloatArray
    n: IntArray
    regular: BoolArray


def _solve(sample: _Sample) -> _Solution:
    """Normal equations of centred windows, one product per book, so that books do not touch each other."""
    pairs = sample.pairs
    n = pairs.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = np.where(pairs[:, None, :], sample.x - (sample.x.sum(axis=2) / n[:, None])[:, :, None], 0.0)
        y = np.where(pairs, sample.y - (sample.y.sum(axis=1) / n)[:, None], 0.0)
        inverse, regular = _invert(x @ x.swapaxes(1, 2))
        cross = (x @ y[:, :, None])[:, :, 0]
        slopes = (inverse @ cross[:, :, None])[:, :, 0]
        total = np.einsum("ij,ij->i", y, y)
        total = np.where(total > _ROUNDING * np.einsum("ij,ij->i", sample.y, sample.y), total, 0.0)
        rss = np.maximum(total - np.einsum("ij,ij->i", slopes, cross), 0.0)
        r2 = np.where(total > 0, 1 - rss / total, np.nan)
        noise = np.where(1 - r2 > _EXACT_FIT, rss / (n - x.shape[1] - 1), 0.0)
        stderr = np.sqrt(noise[:, None] * np.diagonal(inverse, axis1=1, axis2=2))
    count = (len(y),)
    return _Solution(slopes, stderr, r2, np.broadcast_to(n, count), np.broadcast_to(regular, count))


def _invert(gram: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Inverses of Gram matrices (B, K, K) by Gauss-Jordan sweeps, element by element, and which are regular.

    A regressor that keeps at most 1e-10 of its own variance beside those before it makes a matrix singular.
    """
    inverse, regular = gram.copy(), np.ones(len(gram), dtype=np.bool_)
    for k in range(gram.shape[1]):
        pivot = inverse[:, k, k].copy()
        regular &= pivot > _COLLINEAR * gram[:, k, k]
        row, column = inverse[:, k, :] / pivot[:, None], inverse[:, :, k].copy()
        inverse -= column[:, :, None] * row[:, None, :]
        inverse[:, k, :], inverse[:, :, k] = row, -column / pivot[:, None]
        inverse[:, k, k] = 1 / pivot
    return inverse, regular
