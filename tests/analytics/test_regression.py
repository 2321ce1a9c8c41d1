"""Rolling least squares against statsmodels and empyrical, and its invariances."""

import empyrical
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.rolling import RollingOLS

from glassfolio.analytics.rolling import rolling_sum, trailing_product
from glassfolio.analytics.significance import p_values
from tests.analytics.regressions import NAN, close, regress, sample


def test_ols_slopes_r2_and_stderr_match_statsmodels_rolling_ols() -> None:
    """OLS slopes; R²; stderr: RollingOLS over complete windows. Its p-values are those of a normal."""
    y, x = sample()
    for taken in (slice(1), slice(2), slice(3)):
        fit = regress(y, x[:, taken], 60, 40)
        for j in (0, 3, 4):
            truth = RollingOLS(y[:, j], sm.add_constant(x[:, taken]), window=60).fit()
            close(fit.value[59:, j], truth.params[59:, 1:])
            close(fit.stderr[59:, j], truth.bse[59:, 1:])
            close(fit.r2[59:, j], truth.rsquared[59:])


@pytest.mark.parametrize("at", [59, 60, 99, 119])
@pytest.mark.parametrize("symbol", range(5))
def test_joint_slopes_match_statsmodels_whatever_is_missing(at: int, symbol: int) -> None:
    """OLS slopes, R², stderr, p-value: holes, a late listing, sessions without a factor."""
    y, x = sample()
    x[70] = NAN
    x[90, 2] = NAN
    fit = regress(y, x, 60, 20)
    window = slice(at - 59, at + 1)
    mask = np.isfinite(y[window, symbol]) & np.isfinite(x[window]).all(axis=1)
    assert fit.n[at, symbol] == mask.sum()
    if mask.sum() < 20:
        assert np.isnan(fit.value[at, symbol]).all()
        return
    truth = sm.OLS(y[window, symbol][mask], sm.add_constant(x[window][mask])).fit()
    close(fit.value[at, symbol], truth.params[1:])
    close(fit.stderr[at, symbol], truth.bse[1:])
    close(fit.r2[at, symbol], truth.rsquared)
    assert fit.dof[at, symbol] == 3
    p = p_values(fit.value[at], fit.stderr[at], fit.n[at], fit.dof[at])
    close(p[symbol], truth.pvalues[1:], 1e-8)


def test_the_slope_on_one_factor_matches_empyrical() -> None:
    """OLS slopes: a third opinion."""
    y, x = sample()
    fit = regress(y, x[:, :1], 60, 40)
    for j in (0, 1, 4):
        close(fit.value[-1, j, 0], empyrical.beta(y[-60:, j], x[-60:, 0]))


def test_a_window_holds_exactly_its_number_of_sessions() -> None:
    """Pitfall: a 90-day window that holds 78 to 85 returns. The 91st return has no effect, the 90th has."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(120, 1)), rng.normal(size=(120, 1))
    before = regress(y, x, 90, 60).value[110, 0, 0]
    y[20] += 5
    assert regress(y, x, 90, 60).value[110, 0, 0] == before
    y[21] += 5
    assert regress(y, x, 90, 60).value[110, 0, 0] != before


def test_a_session_without_a_factor_has_no_fit_and_keeps_its_n() -> None:
    y, x = sample()
    x[100, 1] = NAN
    fit = regress(y, x, 60, 40)
    for missing in (fit.value, fit.stderr, fit.r2, fit.dof):
        assert np.isnan(missing[100]).all()
    assert fit.n[100, 0] == 59
    assert np.isfinite(fit.value[101, 0]).all()


@pytest.mark.parametrize("minimum", [40, 41])
@pytest.mark.parametrize("missing", ["of the symbol", "of the factors"])
def test_fewer_pairs_than_the_minimum_give_no_value(minimum: int, missing: str) -> None:
    y, x = sample()
    if missing == "of the symbol":
        y[: 120 - 40, 0] = NAN
    else:
        x[: 120 - 40] = NAN
    fit = regress(y, x, 60, minimum)
    assert fit.n[119, 0] == 40
    assert np.isnan(fit.value[119, 0]).all() == (minimum == 41)


@pytest.mark.parametrize("pairs", [4, 5])
def test_three_slopes_need_five_pairs_whatever_the_minimum(pairs: int) -> None:
    """With n - K - 1 = 0 there is nothing to tell the noise from."""
    y, x = sample()
    fit = regress(y[-pairs:, :1], x[-pairs:], 60, 1)
    assert np.isfinite(fit.value[-1]).all() == (pairs == 5)


def test_a_holding_that_is_the_factor_has_beta_one_and_no_error() -> None:
    """R² 1, stderr 0 where 1 - R² is rounding; no p-value can be stated."""
    _, x = sample()
    fit = regress(x[:, :1] + 0.001, x, 60, 40)
    np.testing.assert_allclose(fit.value[-1, 0], [1, 0, 0], atol=1e-12)
    assert fit.r2[-1, 0] == pytest.approx(1)
    np.testing.assert_array_equal(fit.stderr[-1, 0], 0)
    assert np.isnan(p_values(fit.value, fit.stderr, fit.n, fit.dof)[-1]).all()


@pytest.mark.parametrize(("left", "known"), [(1.03e-6, True), (0.97e-6, False)])
@pytest.mark.parametrize("hole", [False, True])
def test_the_error_is_zero_up_to_a_millionth_of_unexplained_variance(
    left: float, known: bool, hole: bool
) -> None:
    """stderr: 0 where 1 - R² is at most 1e-6."""
    rng = np.random.default_rng(2)
    x, noise = rng.normal(size=(60, 1)), rng.normal(size=60)
    if hole:
        x, noise = np.vstack([x[:1], x]), np.concatenate([[0.0], noise])
    own = slice(1, None) if hole else slice(None)
    noise[own] -= np.polyval(np.polyfit(x[own, 0], noise[own], 1), x[own, 0])
    spread = x[own, 0] - x[own, 0].mean()
    scale = np.sqrt(left / (1 - left) * (spread @ spread) / (noise[own] @ noise[own]))
    y = (x[:, 0] + scale * noise)[:, None]
    if hole:
        y[0] = NAN
    fit = regress(y, x, len(y), 40)
    assert 1 - fit.r2[-1, 0] == pytest.approx(left, rel=1e-6)
    assert (fit.stderr[-1, 0, 0] > 0) == known


def test_a_constant_added_to_a_series_changes_no_slope() -> None:
    """y + c unchanged."""
    y, x = sample()
    close(regress(y + 0.01, x, 60, 40).value, regress(y, x, 60, 40).value)


def test_adding_a_multiple_of_a_factor_adds_to_its_beta() -> None:
    y, x = sample()
    moved = regress(y + 2.5 * x[:, 2:], x, 60, 40).value - regress(y, x, 60, 40).value
    np.testing.assert_allclose(moved[-1], np.tile([0, 0, 2.5], (5, 1)), atol=1e-9)


@pytest.mark.parametrize("penalty", [0.0, 1 / 90])
def test_permuted_factors_permute_the_betas(penalty: float) -> None:
    y, x = sample()
    straight = regress(y, x, 60, 40, penalty=penalty)
    turned = regress(y, x[:, [2, 0, 1]], 60, 40, penalty=penalty)
    close(turned.value, straight.value[:, :, [2, 0, 1]])
    close(turned.stderr, straight.stderr[:, :, [2, 0, 1]])


def test_the_beta_of_a_portfolio_is_the_portfolio_of_betas() -> None:
    y, x = sample()
    weights = np.array([0.7, 0.5, -0.2])
    whole = regress((y[:, [0, 3, 4]] @ weights)[:, None], x, 60, 40).value[-1, 0]
    close(whole, weights @ regress(y[:, [0, 3, 4]], x, 60, 40).value[-1])


@pytest.mark.parametrize("second", ["copy", "constant"])
@pytest.mark.parametrize("symbol", [0, 1])
def test_collinear_factors_have_no_fit(second: str, symbol: int) -> None:
    """By the shared way and by the own."""
    y, x = sample()
    x = np.column_stack([x[:, 0], x[:, 0] * 2 if second == "copy" else np.full(len(x), 0.0003)])
    fit = regress(y[:, symbol : symbol + 1], x, 60, 40)
    assert np.isnan(fit.value).all()
    assert np.isnan(fit.stderr).all()
    assert np.isnan(fit.dof).all()
    assert fit.n[-1, 0] > 40


@pytest.mark.parametrize(("kept", "fits"), [(1.2e-10, True), (0.8e-10, False)])
def test_a_factor_must_keep_some_variance_beside_the_others(kept: float, fits: bool) -> None:
    rng = np.random.default_rng(4)
    one, two = rng.normal(size=(2, 60))
    one, two = one - one.mean(), two - two.mean()
    two -= one * (one @ two) / (one @ one)
    two *= np.sqrt(kept / (1 - kept) * (one @ one) / (two @ two))
    fit = regress(rng.normal(size=(60, 1)), np.column_stack([one, one + two]), 60, 40)
    assert np.isfinite(fit.value[-1]).all() == fits


def test_one_factor_that_does_not_move_has_no_fit() -> None:
    y, _ = sample()
    assert np.isnan(regress(y, np.full((120, 1), 0.0003), 60, 40).value).all()


@pytest.mark.parametrize("listed", [0, 30])
def test_a_series_that_does_not_move_has_beta_zero_and_no_r2(listed: int) -> None:
    _, x = sample()
    y = np.full((120, 1), 0.0001)
    y[: 60 + listed] = NAN
    fit = regress(y, x, 60, 20)
    np.testing.assert_allclose(fit.value[-1], 0, atol=1e-12)
    np.testing.assert_array_equal(fit.stderr[-1], 0)
    assert np.isnan(fit.r2[-1, 0])


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.6))
@settings(max_examples=25, deadline=None)
def test_r2_lies_between_zero_and_one(seed: int, holes: float) -> None:
    rng = np.random.default_rng(seed)
    y, x = sample(90, seed)
    y[rng.random(y.shape) < holes] = NAN
    for penalty in (0.0, 1 / 90):
        r2 = regress(y, x, 30, 6, penalty=penalty).r2
        assert ((r2 >= 0) & (r2 <= 1) | np.isnan(r2)).all()
        assert np.isfinite(r2[-1, 0])


@pytest.mark.parametrize("window", [1, 2, 7, 64, 90])
def test_rolling_sums_match_a_plain_sum(window: int) -> None:
    values = np.random.default_rng(0).normal(size=(100, 3))
    rolled = rolling_sum(values, window, 5)
    for row in (5, 50, 99):
        np.testing.assert_allclose(
            rolled[row - 5], values[max(row - window + 1, 0) : row + 1].sum(axis=0), atol=1e-12
        )


def test_trailing_products_match_a_plain_product() -> None:
    values = np.random.default_rng(0).uniform(0.9, 1.1, size=(60, 2))
    lengths = np.minimum(np.arange(60), np.random.default_rng(1).integers(0, 40, 60))
    products = trailing_product(values, lengths)
    for row in range(60):
        np.testing.assert_allclose(
            products[row], values[row + 1 - lengths[row] : row + 1].prod(axis=0), rtol=1e-13
        )
