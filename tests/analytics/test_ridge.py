"""Ridge on standardised factors against scikit-learn, and what says how much of it is the penalty."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from glassfolio.analytics.regression import Fit
from glassfolio.model.market import FloatArray
from tests.analytics.regressions import NAN, RIDGE, close, part, regress, sample


def styles(y: FloatArray, x: FloatArray, start: int = 0) -> Fit:
    return regress(y, x, 90, 60, start, RIDGE)


@pytest.mark.parametrize("symbol", range(5))
@pytest.mark.parametrize("at", [89, 110, 129, 199])
def test_ridge_slopes_and_quality_match_scikit_learn(symbol: int, at: int) -> None:
    """Ridge: StandardScaler and Ridge(alpha = n / 90). Ridge quality: R², n, effective degrees of freedom."""
    y, x = sample(200)
    x[150] = NAN
    fit = styles(y, x)
    window = slice(at - 89, at + 1)
    mask = np.isfinite(y[window, symbol]) & np.isfinite(x[window]).all(axis=1)
    n = mask.sum()
    assert fit.n[at, symbol] == n
    if n < 60:
        assert np.isnan(fit.value[at, symbol]).all()
        return
    scaler = StandardScaler().fit(x[window][mask])
    z, own = scaler.transform(x[window][mask]), y[window, symbol][mask]
    truth = Ridge(alpha=n / 90).fit(z, own)
    close(fit.value[at, symbol], truth.coef_ / scaler.scale_)
    close(fit.r2[at, symbol], truth.score(z, own))
    eigenvalues = np.linalg.eigvalsh(z.T @ z)
    close(fit.dof[at, symbol], (eigenvalues / (eigenvalues + n / 90)).sum())


def test_a_biased_estimator_has_no_standard_error() -> None:
    """Ridge quality: stderr null."""
    y, x = sample(200)
    assert np.isnan(styles(y, x).stderr).all()


def test_a_window_doubled_by_repetition_leaves_the_betas_unchanged() -> None:
    """Ridge: alpha / n is 1/90 whatever n is."""
    y, x = sample(100)
    once = regress(y[10:, :1], x[10:], 90, 60, 89, RIDGE)
    twice = regress(np.vstack([y[10:, :1]] * 2), np.vstack([x[10:]] * 2), 180, 120, 179, RIDGE)
    close(twice.value, once.value)
    close(twice.r2, once.r2)
    close(twice.dof, once.dof)


def test_the_penalty_shrinks_and_does_not_depend_on_the_scale_of_a_factor() -> None:
    """Ridge on raw returns gives about 0; on standardised ones it shrinks a little."""
    y, x = sample(200)
    ridge, ols = styles(y, x).value[-1, 4], regress(y, x, 90, 60).value[-1, 4]
    assert 0.9 < ridge[0] / ols[0] < 1
    scaled = styles(y, x * [1, 1000, 1]).value[-1, 4]
    close(scaled * [1, 1000, 1], ridge)


def test_equal_factors_share_a_beta() -> None:
    """What least squares calls singular, ridge splits evenly."""
    y, x = sample(200)
    fit = styles(y, np.column_stack([x[:, 0], x[:, 0]]))
    close(fit.value[-1, :, 0], fit.value[-1, :, 1])
    assert 0.98 < fit.dof[-1, 0] < 1


def test_a_factor_that_does_not_move_has_no_fit() -> None:
    y, x = sample(200)
    x[:, 1] = 0.0001
    assert np.isnan(styles(y, x).value).all()


def test_more_history_and_other_symbols_change_no_bit() -> None:
    y, x = sample(200)
    whole = styles(y, x)
    for field in ("value", "r2", "dof", "n"):
        alone = styles(y[:, [1]], x, 150)
        np.testing.assert_array_equal(getattr(part(whole, [1], 150), field), getattr(alone, field))
