"""Rolling least squares against statsmodels, its invariances, and sameness to the last bit."""

from dataclasses import fields

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.rolling import RollingOLS

from glassfolio.analytics.regression import Fit, rolling_regression
from glassfolio.analytics.rolling import rolling_sum, trailing_product
from glassfolio.model.market import FloatArray

NAN = float("nan")
K3 = np.array([[1.0, 0.3, -0.2], [0.5, 0.0, 1.0], [-1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [8.0, 1.0, 1.0]])


def sample(sessions: int = 120, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Returns of five symbols, holes and a late listing among them, on three correlated factors."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.0004, 0.01, (sessions, 3))
    x[:, 1] += 0.5 * x[:, 0]
    y = x @ K3.T + rng.normal(0, 0.015, (sessions, 5))
    y[rng.random(sessions) < 0.1, 1] = NAN
    y[: sessions // 2, 2] = NAN
    return y, x


def columns(fit: Fit, taken: slice | list[int]) -> Fit:
    return Fit(fit.value[:, taken], fit.stderr[:, taken], fit.r2[:, taken], fit.n[:, taken])


def assert_same(left: Fit, right: Fit) -> None:
    for field in fields(Fit):
        np.testing.assert_array_equal(
            getattr(left, field.name), getattr(right, field.name), err_msg=field.name
        )


def test_a_complete_series_matches_statsmodels_rolling_regression() -> None:
    y, x = sample()
    fit = rolling_regression(y, x[:, :1], 60, 40)
    for j in (0, 3, 4):
        truth = RollingOLS(y[:, j], sm.add_constant(x[:, :1]), window=60).fit()
        np.testing.assert_allclose(fit.value[59:, j, 0], truth.params[59:, 1], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(fit.stderr[59:, j, 0], truth.bse[59:, 1], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(fit.r2[59:, j], truth.rsquared[59:], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("at", [59, 60, 99, 119])
@pytest.mark.parametrize("symbol", range(5))
def test_joint_slopes_match_statsmodels_whatever_is_missing(at: int, symbol: int) -> None:
    y, x = sample()
    x[70] = NAN
    x[90, 2] = NAN
    fit = rolling_regression(y, x, 60, 20)
    window = slice(at - 59, at + 1)
    mask = np.isfinite(y[window, symbol]) & np.isfinite(x[window]).all(axis=1)
    assert fit.n[at, symbol] == mask.sum()
    if mask.sum() < 20:
        assert np.isnan(fit.value[at, symbol]).all()
        return
    truth = sm.OLS(y[window, symbol][mask], sm.add_constant(x[window][mask])).fit()
    np.testing.assert_allclose(fit.value[at, symbol], truth.params[1:], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fit.stderr[at, symbol], truth.bse[1:], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fit.r2[at, symbol], truth.rsquared, rtol=1e-9, atol=1e-12)


def test_a_window_holds_exactly_its_number_of_sessions() -> None:
    """A return that leaves the window of 90 has no effect, the 90th one has."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(120, 1)), rng.normal(size=(120, 1))
    before = rolling_regression(y, x, 90, 60).value[110, 0, 0]
    y[20] += 5
    assert rolling_regression(y, x, 90, 60).value[110, 0, 0] == before
    y[21] += 5
    assert rolling_regression(y, x, 90, 60).value[110, 0, 0] != before


def test_a_session_without_a_factor_has_no_fit_and_keeps_its_n() -> None:
    y, x = sample()
    x[100, 1] = NAN
    fit = rolling_regression(y, x, 60, 40)
    assert np.isnan(fit.value[100]).all()
    assert np.isnan(fit.r2[100]).all()
    assert fit.n[100, 0] == 59
    assert np.isfinite(fit.value[101, 0]).all()


@pytest.mark.parametrize("minimum", [40, 41])
def test_fewer_pairs_than_the_minimum_give_no_value(minimum: int) -> None:
    y, x = sample()
    y[: 120 - 40, 0] = NAN
    fit = rolling_regression(y, x, 60, minimum)
    assert fit.n[119, 0] == 40
    assert np.isnan(fit.value[119, 0]).all() == (minimum == 41)


def test_a_late_listing_changes_nobody_else() -> None:
    y, x = sample()
    assert_same(
        columns(rolling_regression(y, x, 60, 40), [0, 1, 3]), rolling_regression(y[:, [0, 1, 3]], x, 60, 40)
    )


@given(st.permutations(range(5)), st.integers(1, 5), st.integers(0, 119))
@settings(max_examples=40, deadline=None)
def test_any_subset_order_and_start_give_the_same_bits(order: list[int], count: int, start: int) -> None:
    y, x = sample()
    whole = columns(rolling_regression(y, x, 60, 40), order[:count])
    part = rolling_regression(y[:, order[:count]], x, 60, 40, start)
    assert_same(Fit(whole.value[start:], whole.stderr[start:], whole.r2[start:], whole.n[start:]), part)


def test_more_history_before_the_window_gives_the_same_bits() -> None:
    y, x = sample()
    for cut in (1, 7, 33, 40):
        assert_same(
            rolling_regression(y, x, 60, 40, 110), rolling_regression(y[cut:], x[cut:], 60, 40, 110 - cut)
        )


def test_two_hundred_symbols_have_the_bits_of_each_alone() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(80, 2)), rng.normal(size=(80, 200))
    y[40, 150] = NAN
    whole = rolling_regression(y, x, 50, 30, 60)
    for j in (0, 63, 64, 150, 199):
        assert_same(columns(whole, [j]), rolling_regression(y[:, [j]], x, 50, 30, 60))


def test_later_data_do_not_change_earlier_betas() -> None:
    y, x = sample()
    before = rolling_regression(y, x, 60, 40)
    y[100:] *= -3
    x[100:] += 0.01
    after = rolling_regression(y, x, 60, 40)
    np.testing.assert_array_equal(after.value[:100], before.value[:100])
    assert not np.allclose(after.value[105, 0], before.value[105, 0])


def test_a_holding_that_is_the_factor_has_beta_one_and_no_error() -> None:
    _, x = sample()
    fit = rolling_regression(x[:, :1] + 0.001, x, 60, 40)
    np.testing.assert_allclose(fit.value[-1, 0], [1, 0, 0], atol=1e-12)
    assert fit.r2[-1, 0] == pytest.approx(1)
    np.testing.assert_array_equal(fit.stderr[-1, 0], 0)


def test_adding_a_multiple_of_a_factor_adds_to_its_beta() -> None:
    y, x = sample()
    moved = rolling_regression(y + 2.5 * x[:, 2:], x, 60, 40).value - rolling_regression(y, x, 60, 40).value
    np.testing.assert_allclose(moved[-1], np.tile([0, 0, 2.5], (5, 1)), atol=1e-9)


def test_permuted_factors_permute_the_betas() -> None:
    y, x = sample()
    straight, turned = rolling_regression(y, x, 60, 40), rolling_regression(y, x[:, [2, 0, 1]], 60, 40)
    np.testing.assert_allclose(turned.value, straight.value[:, :, [2, 0, 1]], rtol=1e-9, atol=1e-12)


def test_a_large_beta_is_not_clipped() -> None:
    y, x = sample()
    assert rolling_regression(y, x, 60, 40).value[-1, 4, 0] > 7


@pytest.mark.parametrize("second", ["copy", "constant"])
def test_collinear_factors_have_no_fit(second: str) -> None:
    y, x = sample()
    x = np.column_stack([x[:, 0], x[:, 0] * 2 if second == "copy" else np.full(len(x), 0.0003)])
    fit = rolling_regression(y, x, 60, 40)
    assert np.isnan(fit.value).all()
    assert fit.n[-1, 0] == 60


def test_a_series_that_does_not_move_has_beta_zero_and_no_r2() -> None:
    _, x = sample()
    fit = rolling_regression(np.full((120, 1), 0.0001), x, 60, 40)
    np.testing.assert_allclose(fit.value[-1], 0, atol=1e-12)
    assert np.isnan(fit.r2[-1, 0])


def test_r2_lies_between_zero_and_one() -> None:
    y, x = sample(400, seed=9)
    r2 = rolling_regression(y, x, 30, 20).r2
    assert ((r2 >= 0) & (r2 <= 1) | np.isnan(r2)).all()
    assert np.isfinite(r2[-1]).all()


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


def test_true_betas_are_recovered_within_sampling_error() -> None:
    """The mean of 4,000 estimates lies within four standard errors; 95 % intervals cover 93.5 to 96.5 %."""
    rng = np.random.default_rng(11)
    draws, n, truth = 4000, 90, np.array([1.2, -0.4])
    x = rng.normal(0, 0.01, (n, 2)) @ np.array([[1, 0.4], [0, 1]])
    y = (x @ truth)[:, None] + 0.02 * rng.standard_t(5, (n, draws))
    fit = rolling_regression(y, x, n, 60, n - 1)
    error = fit.value[0] - truth
    assert (np.abs(error.mean(axis=0)) < 4 * error.std(axis=0) / np.sqrt(draws)).all()
    covered = (np.abs(error) < 1.98761 * fit.stderr[0]).mean(axis=0)
    assert ((covered > 0.935) & (covered < 0.965)).all()
