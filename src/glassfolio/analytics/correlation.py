"""How returns move together: correlations of every pair over the sessions both have, and what a book gains
from holding several.

Columns are underlyings, each once, in the caller's order. Knows nothing of lots, symbols or factors.
"""

from dataclasses import dataclass

import numpy as np

from glassfolio.analytics.rolling import centred, sum_of_squares
from glassfolio.analytics.volatility import SESSIONS_PER_YEAR
from glassfolio.model.market import BoolArray, FloatArray, IntArray
from glassfolio.model.results import FULL_COVERAGE, LEAST_COVERAGE, NONE, CodeArray, Reason, Warning_

WINDOW, LEAST_PAIRS = 90, 60
LEAST_EIGENVALUE = 1e-10
_TILE, _ROUNDING = 32, 1e-13


@dataclass(frozen=True)
class Correlations:
    """Correlations of U underlyings over the W sessions up to one session.

    value: (U, U) symmetric, -1 to 1, diagonal 1; NaN where missing. n: (U, U) common returns, on the diagonal
    an underlying's own. stderr: (U, U) sampling error (1 - rho²) / sqrt(n). reason: (U, U) codes of Reason,
    NONE where there is a value: no_price without any common return, insufficient_history below the minimum,
    zero_variance where one of the two does not vary.
    volatility: (U,) std(ddof=1) * sqrt(252) of an underlying's own returns, NaN where its diagonal is.
    complete: (U,) underlyings that make a matrix without missing pairs; the rest are left out of it.
    largest_change: how far a correlation was moved to make that matrix positive semidefinite, 0 if none was.
    """

    value: FloatArray
    n: IntArray
    stderr: FloatArray
    reason: CodeArray
    volatility: FloatArray
    complete: BoolArray
    largest_change: float

    @property
    def psd_repaired(self) -> bool:
        """Whether masks had left the matrix without a square root, and eigenvalues were raised."""
        return self.largest_change > 0

    @property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """Rows and columns of the upper triangle without the diagonal, row by row; U (U - 1) / 2 each."""
        return np.triu_indices(len(self.value), 1)


def correlate(returns: FloatArray, at: int, window: int = WINDOW, minimum: int = LEAST_PAIRS) -> Correlations:
    """Pearson correlations over the `window` rows up to row `at`, each pair where both have a return.

    returns: (T, U) simple returns, NaN where missing.
    A pair with less than `minimum` common returns has no value, and a name with few returns changes no other
    pair, to the last bit. Nothing is clamped. If masks leave the complete matrix with an eigenvalue below
    -1e-10, it is repaired; only then do correlations depend on other names.
    Checked against pandas DataFrame.tail(90).corr(min_periods=60) to 1e-9.
    """
    r = np.ascontiguousarray(returns[max(at + 1 - window, 0) : at + 1].T)
    known = np.isfinite(r)
    own = np.maximum(known.sum(axis=1), 1)
    filled = np.where(known, r, 0.0)
    apart = np.where(known, filled - (filled.sum(axis=1) / own)[:, None], 0.0)
    n, total, squares, products = _pair_sums(apart, known.astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = sum_of_squares(squares, total, n)
        value = centred(products, total, total.T, n) / np.sqrt(spread * spread.T)
    reason = np.where((spread > 0) & (spread.T > 0), NONE, Reason.ZERO_VARIANCE.code)
    reason = np.where(n < minimum, Reason.INSUFFICIENT_HISTORY.code, reason)
    reason = np.where(n == 0, Reason.NO_PRICE.code, reason).astype(np.int8)
    value = np.where(reason == NONE, np.clip(value, -1.0, 1.0), np.nan)
    there = np.diagonal(reason) == NONE
    value[there, there] = 1.0
    complete = _complete(reason != NONE, np.diagonal(n))
    change = 0.0
    if not (known[complete] == known[complete][:1]).all():
        kept = np.ix_(complete, complete)
        value[kept], change = make_semidefinite(value[kept])
    return Correlations(
        value=value,
        n=n.astype(np.int64),
        stderr=(1 - value * value) / np.sqrt(np.maximum(n, 1)),
        reason=reason,
        volatility=np.where(
            there, np.sqrt(np.diagonal(spread) / np.maximum(own - 1, 1) * SESSIONS_PER_YEAR), np.nan
        ),
        complete=complete,
        largest_change=change,
    )


def _pair_sums(values: FloatArray, known: FloatArray) -> tuple[FloatArray, ...]:
    """For every pair i, j over common sessions: their count, the sums of i and of its squares, the products.

    Products of tiles of one fixed shape, so that a pair has the same bits whichever names stand beside it.
    """
    count, window = values.shape
    tiles = -(-count // _TILE)
    padded = np.zeros((3, tiles * _TILE, window))
    padded[:, :count] = known, values, values * values
    left = padded.reshape(3, tiles, 1, _TILE, window)
    right = np.ascontiguousarray(left[:2].reshape(2, 1, tiles, _TILE, window).swapaxes(3, 4))

    def multiply(a: int, b: int) -> FloatArray:
        product: FloatArray = (left[a] @ right[b]).swapaxes(1, 2).reshape(2 * (tiles * _TILE,))
        return product[:count, :count]

    return multiply(0, 0), multiply(1, 0), multiply(2, 0), multiply(1, 1)


def _complete(missing: BoolArray, own: FloatArray) -> BoolArray:
    """Which names are left when those with missing pairs are taken out, the one with most of them first.

    Of equals the one with fewer returns of its own goes, then the later column.
    """
    kept = np.ones(len(own), dtype=np.bool_)
    counts = missing.sum(axis=1)
    while counts.any():
        most = np.flatnonzero(counts == counts.max())
        out = most[own[most] == own[most].min()][-1]
        kept[out] = False
        counts = np.where(kept, counts - missing[out], 0)
    return kept


def make_semidefinite(matrix: FloatArray) -> tuple[FloatArray, float]:
    """The matrix with eigenvalues raised to 1e-10 and its diagonal scaled back to 1, and the largest change.

    Left as it is, change 0, unless its least eigenvalue is below -1e-10. Source and check: statsmodels
    corr_clipped(matrix, threshold=1e-10).
    """
    values, vectors = np.linalg.eigh(matrix)
    if values.min(initial=0.0) >= -LEAST_EIGENVALUE:
        return matrix, 0.0
    raised = (vectors * np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T
    size = np.sqrt(np.diagonal(raised))
    repaired = np.clip(raised / size / size[:, None], -1.0, 1.0)
    repaired = (repaired + repaired.T) / 2
    np.fill_diagonal(repaired, 1.0)
    return repaired, float(np.abs(repaired - matrix).max())


@dataclass(frozen=True)
class Diversification:
    """What one book gains from holding several underlyings; pure numbers, NaN where missing.

    average_correlation: sum of w_i w_j rho_ij over i != j, by the sum of |w_i w_j|; -1 to 1. Weights are
    signed: a short position in a name that moves along counts as a hedge.
    diversification_ratio: sum of |w_i| sigma_i over the volatility of the book, at least 1. effective_bets:
    its square. All over the sessions and the complete names of the correlations (Choueifaty and Coignard
    2008). coverage: share of the sum of |X| in complete names. Reasons are None where there is a value.
    """

    average_correlation: float
    diversification_ratio: float
    effective_bets: float
    coverage: float
    average_reason: Reason | None
    ratio_reason: Reason | None
    warnings: tuple[Warning_, ...]


def diversify(correlations: Correlations, exposure: FloatArray) -> Diversification:
    """Average correlation and diversification of a book.

    exposure: (U,) USD, signed, lots and options of an underlying summed; 0 for what is not held.
    Reasons: no_positions; low_coverage below 0.50; for the average of a single name not_applicable; for the
    ratio of a book that does not vary, such as a perfect hedge, zero_variance.
    """
    size, kept = np.abs(exposure), correlations.complete
    gross = float(size.sum())
    coverage = float(size[kept].sum()) / gross if gross > 0 else np.nan
    poor = coverage < LEAST_COVERAGE
    common = Reason.NO_POSITIONS if gross == 0 else Reason.LOW_COVERAGE if poor else None
    if common is not None:
        return Diversification(np.nan, np.nan, np.nan, coverage, common, common, ())
    matrix, w = correlations.value[np.ix_(kept, kept)], exposure[kept]
    others = 1.0 - np.eye(len(w))
    among = float(np.abs(w) @ others @ np.abs(w))
    average = float(w @ (matrix * others) @ w) / among if among > 0 else np.nan
    risk = w * correlations.volatility[kept]
    alone, together = float(np.abs(risk).sum()), float(risk @ matrix @ risk)
    moves = together > _ROUNDING * alone * alone
    ratio = alone / float(np.sqrt(together)) if moves else np.nan
    partial = (Warning_.PARTIAL_COVERAGE,) if coverage < FULL_COVERAGE else ()
    return Diversification(
        average_correlation=average,
        diversification_ratio=ratio,
        effective_bets=ratio * ratio,
        coverage=coverage,
        average_reason=None if among > 0 else Reason.NOT_APPLICABLE,
        ratio_reason=None if moves else Reason.ZERO_VARIANCE,
        warnings=partial + ((Warning_.PSD_REPAIRED,) if correlations.psd_repaired else ()),
    )
