"""One regression at a time for the tests, and samples to regress."""

from dataclasses import fields

import numpy as np
from numpy.typing import ArrayLike

from glassfolio.analytics.regression import Fit, Regression, solve
from glassfolio.model.market import FloatArray

NAN = float("nan")
RIDGE = 1 / 90
K3 = np.array([[1.0, 0.3, -0.2], [0.5, 0.0, 1.0], [-1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [8.0, 1.0, 1.0]])


def regress(
    y: FloatArray,
    x: FloatArray,
    window: int,
    minimum: int,
    start: int = 0,
    penalty: float = 0.0,
    ordinal: int = 0,
) -> Fit:
    """The fit of every session from `start` on."""
    return solve(y, [Regression(x, window, minimum, start, len(y), penalty)], ordinal)[0]


def sample(sessions: int = 120, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Returns of five symbols, holes and a late listing among them, on three correlated factors."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.0004, 0.01, (sessions, 3))
    x[:, 1] += 0.5 * x[:, 0]
    y = x @ K3.T + rng.normal(0, 0.015, (sessions, 5))
    y[rng.random(sessions) < 0.1, 1] = NAN
    y[: sessions // 2, 2] = NAN
    return y, x


def part(fit: Fit, series: slice | list[int], start: int = 0) -> Fit:
    """Some series of a fit, from a session on."""
    return Fit(*(getattr(fit, field.name)[start:, series] for field in fields(Fit)))


def assert_same(left: Fit, right: Fit) -> None:
    """Equal to the last bit."""
    for field in fields(Fit):
        np.testing.assert_array_equal(
            getattr(left, field.name), getattr(right, field.name), err_msg=field.name
        )


def close(actual: ArrayLike, truth: ArrayLike, rtol: float = 1e-9) -> None:
    """Equal within the tolerance of all figures."""
    np.testing.assert_allclose(np.asarray(actual), np.asarray(truth), rtol=rtol, atol=1e-12)
