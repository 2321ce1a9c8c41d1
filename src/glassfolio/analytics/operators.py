"""Slopes of many series at once, by matrix products of one fixed shape.

A slope over a window is a row vector times the returns in it, and the row does not depend on the series. The
rows of 16 sessions stand below each other in a band; a product is always 16 x (W + 15) by (W + 15) x 64
series, padded with zeros, and cut where the session's ordinal divides by 16. A product of another shape may
add up in another order; so the bits of a series depend on neither its neighbours nor on where the data begin.
Knows nothing of missing returns.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from glassfolio.analytics.design import Design
from glassfolio.analytics.rolling import sum_of_squares
from glassfolio.model.market import BoolArray, FloatArray

# Small enough for OpenBLAS to stay in the calling thread: the threads are the caller's.
DATES = 16
SERIES = 64


@dataclass(frozen=True)
class Piece:
    """Returns of 64 series on the rows of B blocks, and what of them depends on no regressor.

    windows: (B, W + 15, 64), overlapping, 0 where there is no return. squares: (16 B, 64), centred sums of
    squares.
    """

    windows: FloatArray
    squares: FloatArray

    @classmethod
    def of(cls, returns: FloatArray, ones: FloatArray, n: FloatArray) -> "Piece":
        """A piece of (16 B + W - 1, 64) contiguous returns."""
        windows = _blocks(returns, ones.shape[1])
        total = (ones @ windows).reshape(-1, SERIES)
        squares = (ones @ _blocks(returns * returns, ones.shape[1])).reshape(-1, SERIES)
        with np.errstate(divide="ignore", invalid="ignore"):
            return cls(windows, sum_of_squares(squares, total, n))


def _blocks(rows: FloatArray, length: int) -> FloatArray:
    """(B, length, 64): `length` rows from every 16th on, without a copy."""
    count = (len(rows) - length) // DATES + 1
    steps = (DATES * rows.strides[0], *rows.strides)
    return as_strided(rows, (count, length, rows.shape[1]), steps, writeable=False)


@dataclass(frozen=True)
class Operators:
    """Row vectors of B blocks of 16 sessions; NaN where the design has no fit.

    slopes: (B, K, 16, W + 15). ones: (16, W + 15), sums over a window. quadratic: (16 B, K, K), what makes
    explained squares of slopes.
    """

    slopes: FloatArray
    ones: FloatArray
    quadratic: FloatArray

    def apply(self, piece: Piece, slopes: FloatArray) -> FloatArray:
        """Put the slopes into (16 B, K, 64); returns the share of the squares they explain, (16 B, 64)."""
        blocks = slopes.reshape(len(self.slopes), DATES, -1, SERIES, copy=False).transpose(0, 2, 1, 3)
        np.matmul(self.slopes, piece.windows[:, None], out=blocks)
        explained: FloatArray = np.einsum("dks,dks->ds", slopes, self.quadratic @ slopes)
        return explained


def make(x: FloatArray, present: BoolArray, design: Design, window: int, penalty: float) -> Operators:
    """The operators of a design of one pattern, for the last 16 B sessions.

    x: (16 B + window - 1, K), present: (16 B + window - 1, 1), as the design was built from.
    Slopes are A Xc' with A the design's matrix and Xc the regressors centred in the window. With G the
    centred products and p the penalty, slopes b explain b'Gb + 2 p b'diag(G)b.
    """
    count, sessions = x.shape[1], len(design.n)
    means = np.stack(design.means, axis=1)
    columns = np.ascontiguousarray(x.T)
    windows = sliding_window_view(columns, window, axis=1).transpose(1, 0, 2)
    centred = windows - means
    centred *= sliding_window_view(present, window, axis=0)
    rows = _square(design.slopes) @ centred
    band = np.zeros((sessions // DATES, count, DATES, window + DATES - 1))
    ones = np.zeros((DATES, window + DATES - 1))
    each = rows.reshape(-1, DATES, count, window)
    for date in range(DATES):
        band[:, :, date, date : date + window] = each[:, date]
        ones[date, date : date + window] = 1.0
    quadratic = centred @ centred.transpose(0, 2, 1)
    diagonal = np.einsum("dkk->dk", quadratic)
    diagonal *= 1 + 2 * penalty
    return Operators(band, ones, quadratic)


def _square(lower: list[list[FloatArray]]) -> FloatArray:
    """[i][j] with j <= i, each (D, 1), as (D, K, K)."""
    count = len(lower)
    full = np.empty((len(lower[0][0]), count, count))
    for i, row in enumerate(lower):
        for j, entry in enumerate(row):
            full[:, i, j] = full[:, j, i] = entry[:, 0]
    return full
