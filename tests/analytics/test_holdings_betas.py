"""Betas of today's holdings and their standard errors against statsmodels, and what leaves them out."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from glassfolio.analytics.factors import MODELS
from glassfolio.analytics.holdings_betas import HoldingsFit, fit_holdings
from glassfolio.analytics.holdings_risk import HoldingsReturns, books_of, holdings_returns
from glassfolio.model.market import BoolArray, FloatArray
from glassfolio.model.results import NONE, Reason, Warning_

NAN = float("nan")
SESSIONS, FIRST = 320, 260
AT = np.arange(FIRST, SESSIONS)
MARKET, RISK = MODELS["market"], MODELS["risk"]
LOADS = np.array([[1.1, 0.4, -0.2], [0.8, 0.0, 0.9], [1.3, -0.6, 0.1], [0.2, 0.1, 0.0]])


def sample(seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Returns of four names on three correlated factors, and the factors'."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(0.0004, 0.01, (SESSIONS, 3))
    factors[:, 1] += 0.5 * factors[:, 0]
    return factors @ LOADS.T + rng.normal(0, 0.012, (SESSIONS, 4)), factors


def weights(seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(0.2, 0.5, (len(AT), 4))


def series_of(returns: FloatArray, exposure: FloatArray | None = None) -> HoldingsReturns:
    """One book on the sessions AT, NAV 1."""
    x = weights() if exposure is None else exposure
    return holdings_returns(books_of(x, np.ones(len(AT)), AT), returns)


def every(factors: FloatArray) -> BoolArray:
    return np.ones((len(AT), factors.shape[1]), dtype=np.bool_)


def assert_same(left: HoldingsFit, right: HoldingsFit) -> None:
    for name in ("value", "stderr", "r2", "n", "reason", "r2_reason", "warnings"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)


@pytest.mark.parametrize("d", [0, 1, 30, 44, 59])
@pytest.mark.parametrize(("model", "members"), [("market", 1), ("risk", 3)])
def test_betas_errors_and_systematic_share_match_statsmodels(model: str, members: int, d: int) -> None:
    """§ portfolio betas: stderr from the regression of the weighted series; systematic share is its R²."""
    returns, factors = sample()
    returns[[200, 270], 1] = NAN
    factors = factors[:, :members]
    factors[[190, 265], 0] = NAN
    series, window = series_of(returns), MODELS[model].window
    found = fit_holdings(series, MODELS[model], factors, every(factors))
    y, x = series.value[d, -window:], factors[AT[d] - window + 1 : AT[d] + 1]
    pairs = np.isfinite(y) & np.isfinite(x).all(axis=1)
    truth = sm.OLS(y[pairs], sm.add_constant(x[pairs])).fit()
    assert found.n[d] == pairs.sum()
    np.testing.assert_allclose(found.value[d], truth.params[1:], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.stderr[d], truth.bse[1:], rtol=1e-9, atol=1e-12)
    assert found.r2[d] == pytest.approx(truth.rsquared, rel=1e-9)
    assert found.r2_reason[d] == NONE
    assert found.warnings[d] == (Warning_.PARTIAL_HISTORY.bit if pairs.sum() < window else 0)


def test_the_beta_of_the_holdings_is_the_sum_of_weighted_betas() -> None:
    """Linearity: with complete data, sum of w_u beta_u equals the regression of the sum of w_u r_u."""
    returns, factors = sample()
    found = fit_holdings(series_of(returns), RISK, factors, every(factors))
    for d in (0, 30, 59):
        rows = slice(AT[d] - 179, AT[d] + 1)
        betas = [sm.OLS(returns[rows, u], sm.add_constant(factors[rows])).fit().params[1:] for u in range(4)]
        np.testing.assert_allclose(found.value[d], weights()[d] @ np.array(betas), rtol=1e-9)


def test_residuals_that_cancel_leave_no_error() -> None:
    """Adding up the errors of single names would miss that two of them move against each other."""
    returns, factors = sample()
    apart = np.random.default_rng(9).normal(0, 0.02, SESSIONS)
    returns[:, 0], returns[:, 1] = factors[:, 0] + apart, factors[:, 0] - apart
    both = np.tile([0.5, 0.5, 0.0, 0.0], (len(AT), 1))
    alone = np.tile([1.0, 0.0, 0.0, 0.0], (len(AT), 1))
    found = fit_holdings(series_of(returns, both), RISK, factors, every(factors))
    np.testing.assert_allclose(found.value[-1], [1, 0, 0], atol=1e-12)
    np.testing.assert_array_equal(found.stderr, 0)
    np.testing.assert_allclose(found.r2, 1, rtol=1e-12)
    assert fit_holdings(series_of(returns, alone), RISK, factors, every(factors)).stderr[-1, 0] > 0.1


@pytest.mark.parametrize(("noise", "exact"), [(0.998e-3, True), (1.002e-3, False)])
def test_an_error_below_the_limit_of_an_exact_fit_is_zero(noise: float, exact: bool) -> None:
    """1 - R² of at most 1e-6."""
    _, factors = sample()
    y = factors[-180:, 0] - factors[-180:, 0].mean()
    e = np.random.default_rng(2).normal(size=180)
    design = np.column_stack([np.ones(180), factors[-180:, 0]])
    e -= design @ np.linalg.lstsq(design, e, rcond=None)[0]
    returns = np.full((SESSIONS, 4), 0.001)
    returns[-180:, 0] = y + noise * e * np.sqrt((y @ y) / (e @ e))
    found = fit_holdings(
        series_of(returns, np.tile([1.0, 0, 0, 0], (len(AT), 1))),
        replace(MARKET, window=180),
        factors[:, :1],
        every(factors[:, :1]),
    )
    assert (found.stderr[-1, 0] == 0) == exact


def test_a_factor_outside_the_model_is_left_out_on_its_sessions_only() -> None:
    returns, factors = sample()
    factors[300:, 2] = NAN
    taken = every(factors)
    taken[300 - FIRST :, 2] = False
    found = fit_holdings(series_of(returns), RISK, factors, taken)
    two = fit_holdings(series_of(returns), RISK, factors[:, :2], every(factors[:, :2]))
    np.testing.assert_array_equal(found.value[40:, :2], two.value[40:])
    np.testing.assert_array_equal(
        found.reason[40:], np.tile([NONE, NONE, Reason.NO_FACTOR_DATA.code], (20, 1))
    )
    np.testing.assert_array_equal(found.r2_reason, NONE)
    assert np.isnan(found.value[40:, 2]).all()
    assert np.isfinite(found.value[:40]).all()
    np.testing.assert_array_equal(found.stderr[:, 2] > 0, np.arange(60) < 40)


def test_a_session_without_a_factors_return_has_no_fit() -> None:
    returns, factors = sample()
    factors[280, 1] = NAN
    found = fit_holdings(series_of(returns), RISK, factors, every(factors))
    missing = np.isnan(found.r2)
    np.testing.assert_array_equal(AT[missing], [280])
    np.testing.assert_array_equal(found.reason[missing], Reason.NO_FACTOR_DATA.code)
    assert found.r2_reason[missing] == Reason.NO_FACTOR_DATA.code
    assert found.warnings[missing] == 0
    assert found.n[missing] == 179


def test_a_session_without_any_factor_has_no_fit() -> None:
    returns, factors = sample()
    taken = every(factors)
    taken[5] = False
    found = fit_holdings(series_of(returns), RISK, factors, taken)
    assert np.isnan(found.r2[5])
    np.testing.assert_array_equal(found.reason[5], Reason.NO_FACTOR_DATA.code)
    assert np.isfinite(found.r2[4])


@pytest.mark.parametrize(("n", "enough"), [(120, True), (119, False)])
def test_the_risk_model_needs_120_of_180_pairs(n: int, enough: bool) -> None:
    returns, factors = sample()
    returns[SESSIONS - 180 : SESSIONS - n, 0] = NAN
    found = fit_holdings(series_of(returns), RISK, factors, every(factors))
    assert found.n[-1] == n
    assert np.isfinite(found.value[-1]).all() == enough
    expected = NONE if enough else Reason.INSUFFICIENT_HISTORY.code
    np.testing.assert_array_equal(found.reason[-1], expected)
    assert found.r2_reason[-1] == expected


@pytest.mark.parametrize(("kept", "fits"), [(0.0, False), (0.996e-10, False), (1.004e-10, True)])
def test_collinear_factors_have_no_fit(kept: float, fits: bool) -> None:
    """Singular where a factor keeps at most 1e-10 of its variance beside the others."""
    returns, factors = sample()
    window = slice(SESSIONS - 180, None)
    f, e = (factors[:, k] - factors[window, k].mean() for k in (0, 2))
    e -= f * (f[window] @ e[window]) / (f[window] @ f[window])
    size = np.sqrt(kept * (f[window] @ f[window]) / (e[window] @ e[window]))
    factors = np.column_stack([f, f + size * e])
    found = fit_holdings(series_of(returns), RISK, factors, every(factors))
    assert np.isfinite(found.value[-1]).all() == fits
    np.testing.assert_array_equal(found.reason[-1], NONE if fits else Reason.SINGULAR.code)
    assert found.r2_reason[-1] == (NONE if fits else Reason.SINGULAR.code)


@pytest.mark.parametrize(("n", "fits"), [(4, False), (5, True)])
def test_a_regression_keeps_a_degree_of_freedom(n: int, fits: bool) -> None:
    """Three slopes and an intercept from four pairs leave nothing to judge an error by."""
    returns, factors = sample()
    model = replace(RISK, window=n, minimum=4)
    found = fit_holdings(series_of(returns), model, factors, every(factors))
    assert np.isfinite(found.value).all() == fits
    np.testing.assert_array_equal(found.reason, NONE if fits else Reason.SINGULAR.code)


def test_holdings_that_do_not_move_have_beta_zero_and_no_share() -> None:
    _, factors = sample()
    found = fit_holdings(series_of(np.full((SESSIONS, 4), 0.0001)), RISK, factors, every(factors))
    np.testing.assert_allclose(found.value, 0, atol=1e-12)
    assert np.isnan(found.r2).all()
    np.testing.assert_array_equal(found.r2_reason, Reason.ZERO_VARIANCE.code)
    np.testing.assert_array_equal(found.reason, NONE)


def test_a_book_without_a_series_keeps_its_reason() -> None:
    returns, factors = sample()
    books = books_of(np.ones((len(AT), 4)), np.where(AT > 300, 1.0, -1.0), AT)
    found = fit_holdings(holdings_returns(books, returns), RISK, factors, every(factors))
    np.testing.assert_array_equal(found.reason[:41], Reason.NONPOSITIVE_NAV.code)
    np.testing.assert_array_equal(found.r2_reason[:41], Reason.NONPOSITIVE_NAV.code)
    np.testing.assert_array_equal(found.r2_reason[41:], NONE)
    assert np.isnan(found.value[:41]).all()


def test_partial_coverage_is_passed_on() -> None:
    returns, factors = sample()
    returns[:, 3] = NAN
    x = np.tile([60.0, 20.0, 10.0, 10.0], (len(AT), 1))
    found = fit_holdings(series_of(returns, x), RISK, factors, every(factors))
    np.testing.assert_array_equal(found.warnings, Warning_.PARTIAL_COVERAGE.bit)


def test_a_window_holds_exactly_its_sessions() -> None:
    returns, factors = sample()
    before = fit_holdings(series_of(returns), RISK, factors, every(factors))
    returns[SESSIONS - 181] += 0.5
    after = fit_holdings(series_of(returns), RISK, factors, every(factors))
    np.testing.assert_array_equal(after.value[-1], before.value[-1])
    returns[SESSIONS - 180] += 0.5
    assert (
        fit_holdings(series_of(returns), RISK, factors, every(factors)).value[-1] != before.value[-1]
    ).all()


@given(st.integers(0, 59), st.integers(1, 60), st.booleans())
@settings(max_examples=40, deadline=None)
def test_any_part_of_a_history_has_the_bits_of_the_whole(start: int, count: int, holes: bool) -> None:
    """Also without the factors' later returns: no look-ahead."""
    returns, factors = sample()
    if holes:
        returns[np.random.default_rng(1).random(returns.shape) < 0.03] = NAN
        factors[200] = NAN
    stop = min(start + count, 60)
    whole = fit_holdings(series_of(returns), RISK, factors, every(factors))
    books = books_of(weights()[start:stop], np.ones(stop - start), AT[start:stop])
    seen = FIRST + stop
    part = fit_holdings(
        holdings_returns(books, returns[:seen]), RISK, factors[:seen], every(factors)[start:stop]
    )
    for name in ("value", "stderr", "r2", "n", "reason"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[start:stop], err_msg=name)


def test_many_books_have_the_bits_of_each_alone() -> None:
    """Whatever holes the others have."""
    rng = np.random.default_rng(6)
    factors = rng.normal(0, 0.01, (300, 4))
    returns = factors @ rng.normal(size=(4, 60)) + rng.normal(0, 0.01, (300, 60))
    returns[rng.random(returns.shape) < 0.0005] = NAN
    exposure = np.where(rng.random((200, 60)) < 0.1, rng.normal(size=(200, 60)), 0.0)
    taken = np.ones((200, 4), dtype=np.bool_)

    def fit(rows: list[int]) -> HoldingsFit:
        books = books_of(exposure[rows], np.ones(len(rows)), np.full(len(rows), 299))
        return fit_holdings(holdings_returns(books, returns), RISK, factors, taken[rows])

    whole = fit(list(range(200)))
    assert 0 < (whole.n < 180).sum() < 200
    for i in (0, 1, 63, 64, 130, 199):
        np.testing.assert_array_equal(fit([i]).value[0], whole.value[i])
        np.testing.assert_array_equal(fit([i]).stderr[0], whole.stderr[i])
    order = list(reversed(range(0, 200, 3)))
    np.testing.assert_array_equal(fit(order).stderr, whole.stderr[order])


@pytest.mark.parametrize("factor", [-2.0, 1e-6, 1e6])
def test_betas_follow_the_size_and_side_of_a_book_and_its_share_does_not(factor: float) -> None:
    returns, factors = sample()
    base = fit_holdings(series_of(returns), RISK, factors, every(factors))
    turned = fit_holdings(series_of(returns, factor * weights()), RISK, factors, every(factors))
    np.testing.assert_allclose(turned.value, factor * base.value, rtol=1e-9)
    np.testing.assert_allclose(turned.stderr, abs(factor) * base.stderr, rtol=1e-9)
    np.testing.assert_allclose(turned.r2, base.r2, rtol=1e-9)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """95 % intervals of the joint betas hold 93.5 to 96.5 % of 4,000 books with fat-tailed residuals."""
    rng = np.random.default_rng(11)
    factors = rng.normal(0, 0.01, (252, 2)) @ np.array([[1, 0.4], [0, 1]])
    returns = (factors @ [1.2, -0.4])[:, None] + 0.02 * rng.standard_t(5, (252, 4000))
    books = books_of(np.eye(4000), np.ones(4000), np.full(4000, 251))
    found = fit_holdings(holdings_returns(books, returns), RISK, factors, np.ones((4000, 2), dtype=np.bool_))
    error = found.value - [1.2, -0.4]
    assert (np.abs(error.mean(axis=0)) < 4 * error.std(axis=0) / 4000**0.5).all()
    covered = (np.abs(error) < 1.97353 * found.stderr).mean(axis=0)
    assert ((covered > 0.935) & (covered < 0.965)).all()


def test_the_same_books_fitted_twice_have_the_same_bits() -> None:
    returns, factors = sample()
    first = fit_holdings(series_of(returns), RISK, factors, every(factors))
    assert_same(fit_holdings(series_of(returns), RISK, factors, every(factors)), first)
