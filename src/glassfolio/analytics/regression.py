"""Linear regression of many series on a few shared regressors, at every session at once.

Ordinary least squares, or ridge where there is a penalty. A window in which a series has every session goes
through operators shared by all series (see `operators`); any other is solved with a design of its own,
element by element (see `design`). Which way is taken depends on the window alone, so a fit has the same bits
whichever other series or earlier sessions are computed beside it. Knows nothing of factors or symbols.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from glassfolio.analytics.design import Design, build
from glassfolio.analytics.operators import DATES, SERIES, Operators, Piece, make
from glassfolio.analytics.rolling import rolling_sum, sum_of_squares
from glassfolio.model.market import BoolArray, FloatArray, IntArray

_EXACT_FIT = 1e-6

T = TypeVar("T")


class Spread(Protocol):
    """Like `map`; may work on several pieces at a time."""

    def __call__(self, work: Callable[[T], None], pieces: Iterable[T], /) -> Iterable[None]:
        """Results in the order of the pieces."""


@dataclass(frozen=True)
class Regression:
    """Which regression, over which sessions.

    regressors: (T, K), NaN where missing; a session that lacks one is left out for all series.
    window, minimum: sessions up to and including each; the least number of pairs among them.
    start, end: the sessions to be fitted, as rows; end is exclusive.
    penalty: 0 for ordinary least squares; else that of ridge, per pair and on standardised regressors.
    """

    regressors: FloatArray
    window: int
    minimum: int
    start: int
    end: int
    penalty: float = 0.0


@dataclass(frozen=True)
class Fit:
    """Slopes for D sessions, S series, K regressors.

    value, stderr: (D, S, K); NaN where there is no fit. stderr is 0 where 1 - R² is at most 1e-6, and NaN
    where there is a penalty: the estimator is biased.
    r2: (D, S) in [0, 1]; NaN where there is no fit or the series does not vary.
    dof: (D, S) effective degrees of freedom of the slopes, K without a penalty; NaN if and only if there is
    no fit.
    n: (D, S) pairs in the window, kept where there is no fit.
    """

    value: FloatArray
    stderr: FloatArray
    r2: FloatArray
    dof: FloatArray
    n: IntArray


def solve(
    returns: FloatArray, regressions: Sequence[Regression], ordinal: int = 0, spread: Spread = map
) -> list[Fit]:
    """Regressions of each series with a free intercept, one fit for each.

    returns: (T, S), NaN where missing. ordinal: of the first row's session. spread: a `map` that may work on
    several pieces at a time; the bits are the same.
    There is no fit where the session itself lacks a regressor, where fewer than `minimum` pairs lie in the
    window, or where the regressors are collinear (one keeps less than 1e-10 of its variance beside the
    others).
    Without a penalty: b = (X'X)^-1 X'y, X centred; R² = 1 - RSS / Syy; stderr = sqrt(RSS / (n - K - 1)
    [(X'X)^-1]_kk). Checked against statsmodels OLS to 1e-9.
    With one: Z standardised (ddof 0), |y - a - Zb|² + n penalty |b|² is least, slopes are b / sd. Checked
    against sklearn StandardScaler and Ridge(alpha = n penalty) to 1e-9.
    """
    holes = ~np.isfinite(returns)
    works = [_Work.of(returns, holes, each, ordinal) for each in regressions]

    def solve_shared(first: int) -> None:
        pieces: dict[tuple[int, int, bytes], Piece] = {}
        for work in works:
            if work.grid not in pieces:
                pieces[work.grid] = work.piece(first)
            work.solve_shared(first, pieces[work.grid])

    list(spread(solve_shared, range(0, returns.shape[1], SERIES)))
    for work in works:
        own = work.alike()
        list(spread(work.solve_own, [own[first : first + SERIES] for first in range(0, len(own), SERIES)]))
    return [work.room.fit(work.wanted, returns.shape[1]) for work in works]


@dataclass(frozen=True)
class _Room:
    """Where a fit is put together, on whole blocks of sessions and of 64 series.

    value, stderr: (T, K, S); r2, dof, n: (T, S), dof and n as of series that lack nothing.
    """

    value: FloatArray
    stderr: FloatArray
    r2: FloatArray
    dof: FloatArray
    n: IntArray

    @classmethod
    def of(cls, shared: Design, series: int, *, biased: bool, complete: bool) -> "_Room":
        sessions, regressors, wide = len(shared.n), len(shared.means), -(-series // SERIES) * SERIES
        planes = (sessions, regressors, wide)
        # What is the same for all series, or never there, needs no room.
        dof = np.broadcast_to(shared.dof, (sessions, wide))
        n = np.broadcast_to(shared.n.astype(np.int64), (sessions, wide))
        return cls(
            np.empty(planes),
            np.broadcast_to(np.nan, planes) if biased else np.empty(planes),
            np.empty((sessions, wide)),
            dof if complete else dof.copy(),
            n if complete else n.copy(),
        )

    def fit(self, wanted: slice, series: int) -> Fit:
        """The part that was asked for."""
        own = slice(series)
        value, stderr = (each[wanted, :, own].transpose(0, 2, 1) for each in (self.value, self.stderr))
        return Fit(value, stderr, self.r2[wanted, own], self.dof[wanted, own], self.n[wanted, own])


@dataclass(frozen=True)
class _Work:
    """One regression, on a grid that begins a window before a block of 16 sessions and ends with one.

    returns: (t, S) and inside, the rows of the grid they lie on. x: (T, K), 0 where missing; present: (T, 1).
    grid: names what a piece of the returns depends on. wanted: the windows that were asked for.
    lacking: the series that lack a session in some window.
    """

    regression: Regression
    returns: FloatArray
    inside: slice
    x: FloatArray
    present: BoolArray
    grid: tuple[int, int, bytes]
    wanted: slice
    shared: Design
    operators: Operators
    lacking: IntArray
    room: _Room

    @classmethod
    def of(cls, returns: FloatArray, holes: BoolArray, regression: Regression, ordinal: int) -> "_Work":
        start, end, window = regression.start, regression.end, regression.window
        lead = (ordinal + start) % DATES
        sessions = -(-(lead + end - start) // DATES) * DATES
        first = start - lead - window + 1
        rows = slice(max(first, 0), end)
        inside = slice(rows.start - first, rows.stop - first)
        x = np.full((window - 1 + sessions, regression.regressors.shape[1]), np.nan)
        x[inside] = regression.regressors[rows]
        present = np.isfinite(x.sum(axis=1, keepdims=True))
        x = np.where(present, x, 0.0)
        wanted = slice(lead, lead + end - start)
        shared = _design(regression, x, present, present)
        operators = make(x, present, shared, window, regression.penalty)
        grid = (first, window, present.tobytes())
        lacking = np.flatnonzero((holes[rows] & present[inside]).any(axis=0))
        room = _Room.of(shared, returns.shape[1], biased=regression.penalty > 0, complete=not lacking.size)
        return cls(
            regression, returns[rows], inside, x, present, grid, wanted, shared, operators, lacking, room
        )

    def piece(self, first: int) -> Piece:
        """The returns of the 64 series from `first` on, 0 where there is none."""
        own = self.returns[:, first : first + SERIES]
        y = np.zeros((len(self.x), SERIES))
        y[self.inside, : own.shape[1]] = own
        missing = ~np.isfinite(y) | ~self.present
        if missing.any():
            y[missing] = 0.0
        return Piece.of(y, self.operators.ones, self.shared.n)

    def solve_shared(self, first: int, piece: Piece) -> None:
        """All windows of the 64 series from `first` on, as if each had every session."""
        room, columns = self.room, slice(first, first + SERIES)
        explained = self.operators.apply(piece, room.value[:, :, columns])
        noise, r2 = _quality(piece.squares, explained, self.shared.n, self.x.shape[1])
        room.r2[:, columns] = r2
        if not self.regression.penalty:
            root = np.stack([np.sqrt(row[-1]) for row in self.shared.slopes], axis=1)
            np.multiply(noise[:, None, :], root, out=room.stderr[:, :, columns])

    def pairs(self, columns: IntArray) -> BoolArray:
        """(T, S) where a series and all regressors have a return."""
        pairs = np.zeros((len(self.x), len(columns)), dtype=np.bool_)
        pairs[self.inside] = np.isfinite(self.returns[:, columns]) & self.present[self.inside]
        return pairs

    def alike(self) -> IntArray:
        """The lacking series, those with the same sessions side by side."""
        order: IntArray = np.lexsort(np.packbits(self.pairs(self.lacking), axis=0))
        return self.lacking[order]

    def solve_own(self, columns: IntArray) -> None:
        """Those windows of up to 64 series that lack a session."""
        pairs = self.pairs(columns)
        patterns, own = np.unique(pairs, axis=1, return_inverse=True)
        design = _design(self.regression, self.x, patterns, self.present).taken(own)
        y = np.zeros(pairs.shape, order="F")
        np.copyto(y[self.inside], self.returns[:, columns], where=pairs[self.inside])
        slopes, squares, explained = _solve(design, self.x, y, self.regression)
        noise, r2 = _quality(squares, explained, design.n, len(slopes))
        room, lacks = self.room, design.n < self.shared.n

        def put(target: FloatArray | IntArray, plane: FloatArray) -> None:
            target[:, columns] = np.where(lacks, plane, target[:, columns])

        put(room.r2, r2)
        put(room.dof, design.dof)
        put(room.n, design.n)
        for k, slope in enumerate(slopes):
            put(room.value[:, k], slope)
            if not self.regression.penalty:
                put(room.stderr[:, k], noise * np.sqrt(design.slopes[k][k]))


def _design(regression: Regression, x: FloatArray, patterns: BoolArray, present: BoolArray) -> Design:
    weight = np.asarray(patterns, dtype=np.float64, order="F")
    usable = present[regression.window - 1 :]
    return build(x, weight, usable, regression.window, regression.minimum, regression.penalty)


def _solve(
    design: Design, x: FloatArray, y: FloatArray, regression: Regression
) -> tuple[list[FloatArray], FloatArray, FloatArray]:
    """Slopes, squares and explained squares of series with a pattern each."""
    window, penalty = regression.window, regression.penalty
    start = window - 1
    total = rolling_sum(y, window, start)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = sum_of_squares(rolling_sum(y * y, window, start), total, design.n)
    cross = [
        rolling_sum(x[:, k : k + 1] * y, window, start) - mean * total for k, mean in enumerate(design.means)
    ]
    slopes, explained = [], np.zeros_like(squares)
    for k in range(len(cross)):
        slope = design.slopes[k][0] * cross[0]
        for j in range(1, len(cross)):
            slope += design.slopes[max(k, j)][min(k, j)] * cross[j]
        explained += slope * (cross[k] + penalty * design.squares[k] * slope)
        slopes.append(slope)
    return slopes, squares, explained


def _quality(
    squares: FloatArray, explained: FloatArray, n: FloatArray, count: int
) -> tuple[FloatArray, FloatArray]:
    """Standard deviation of the residuals, 0 where nothing but rounding is left of them; R²."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rss = squares - explained
        np.maximum(rss, 0.0, out=rss)
        unexplained = rss / np.where(squares > 0, squares, np.nan)
        rss /= n - count - 1
        noise = np.sqrt(rss, out=rss)
        # Also where that share is NaN, for a series that does not vary.
        noise *= unexplained > _EXACT_FIT
        r2 = np.maximum(1 - unexplained, 0.0)
    return noise, r2
