"""What the regressors alone say of each window, before any series is looked at.

Ridge and ordinary least squares are one thing here: a matrix per window that turns cross-moments into
slopes. It depends on which sessions a series has, not on the series, so series with the same sessions share
it. All of it is element by element: bits depend on nothing but the window.
Knows nothing of factors or symbols.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glassfolio.analytics.rolling import centred, rolling_sum, sum_of_squares
from glassfolio.model.market import BoolArray, FloatArray, IntArray

_COLLINEAR = 1e-10


@dataclass(frozen=True)
class Design:
    """For D windows, U patterns of sessions and K regressors; arrays are (D, U).

    n: sessions of the pattern that lie in the window.
    dof: sum of l / (l + penalty) over the eigenvalues l of the regressors' correlations: K without a penalty.
    means, squares: of each regressor; its centred sum of squares.
    slopes: [i][j], j <= i, of the symmetric matrix that makes slopes of centred cross-moments.
    dof, means, squares and slopes are NaN where there is no fit.
    """

    n: FloatArray
    dof: FloatArray
    means: list[FloatArray]
    squares: list[FloatArray]
    slopes: list[list[FloatArray]]

    def taken(self, pattern: IntArray) -> "Design":
        """The patterns in another order and number, one per series."""
        return Design(
            self.n[:, pattern],
            self.dof[:, pattern],
            [each[:, pattern] for each in self.means],
            [each[:, pattern] for each in self.squares],
            [[each[:, pattern] for each in row] for row in self.slopes],
        )


def build(
    x: FloatArray, weight: FloatArray, usable: BoolArray, window: int, minimum: int, penalty: float
) -> Design:
    """The design of the last `len(usable)` windows.

    x: (T, K), no NaN. weight: (T, U), 1 on the sessions of a pattern, else 0. usable: (D, 1), the windows
    that may be fitted at all. With R the correlations of the regressors and s the roots of their centred sums
    of squares, the matrix is inverse(R + penalty I) / (s s').
    No fit where n is below `minimum` or K + 2, or where one regressor keeps less than 1e-10 of its variance
    beside the others.
    """
    start, count = len(x) - len(usable), x.shape[1]
    n = rolling_sum(weight, window, start)
    with np.errstate(divide="ignore", invalid="ignore"):
        gram, means = _gram(x, weight, n, window, start)
        root = [np.sqrt(gram[k][k]) for k in range(count)]
        unit = np.full_like(n, 1 + penalty)
        matrix = [[*(gram[i][j] / (root[i] * root[j]) for j in range(i)), unit] for i in range(count)]
        fits = usable & (n >= max(minimum, count + 2)) & invert(matrix)
        for each in root:
            fits &= each > 0
        # NaN in the matrix leaves every slope that is made of it without a value.
        root = [np.where(fits, each, np.nan) for each in root]
        slopes = [[matrix[i][j] / (root[i] * root[j]) for j in range(i + 1)] for i in range(count)]
        dof = np.where(fits, count - penalty * sum(matrix[k][k] for k in range(count)), np.nan)
    return Design(n, dof, means, [gram[k][k] for k in range(count)], slopes)


def _gram(
    x: FloatArray, weight: FloatArray, n: FloatArray, window: int, start: int
) -> tuple[list[list[FloatArray]], list[FloatArray]]:
    """Centred sums of products, [i][j] with j <= i, and means."""
    columns = [x[:, k : k + 1] for k in range(x.shape[1])]
    sums = [rolling_sum(weight * each, window, start) for each in columns]
    gram = []
    for i, one in enumerate(columns):
        products = [rolling_sum(weight * (one * other), window, start) for other in columns[: i + 1]]
        row = [centred(products[j], sums[i], sums[j], n) for j in range(i)]
        gram.append([*row, sum_of_squares(products[i], sums[i], n)])
    return gram, [each / n for each in sums]


def invert(matrix: list[list[FloatArray]]) -> BoolArray:
    """Invert symmetric positive matrices in place, all at once; [i][j], j <= i. Returns where it is possible.

    The symmetric sweep (Goodnight 1979), one regressor after the other. A pivot that keeps less than 1e-10 of
    its diagonal, or is NaN, cannot be swept.
    """
    whole = [row[-1] for row in matrix]
    regular = np.ones_like(whole[0], dtype=np.bool_)
    for k in range(len(matrix)):
        pivot = matrix[k][k]
        regular = regular & (pivot > _COLLINEAR * whole[k])
        scaled = {i: _entry(matrix, i, k) / pivot for i in _others(matrix, k)}
        for i in _others(matrix, k):
            for j in range(i + 1):
                if j != k:
                    matrix[i][j] = matrix[i][j] - scaled[i] * _entry(matrix, j, k)
        for i, each in scaled.items():
            matrix[max(i, k)][min(i, k)] = each
        matrix[k][k] = -1 / pivot
    for row in matrix:
        row[:] = [-each for each in row]
    return regular


def _entry(matrix: list[list[FloatArray]], i: int, j: int) -> FloatArray:
    return matrix[max(i, j)][min(i, j)]


def _others(matrix: list[list[FloatArray]], k: int) -> Iterator[int]:
    return (i for i in range(len(matrix)) if i != k)
