"""Exposure of portfolios to factors, through what they hold."""

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from glassfolio.analytics.factor_exposures import join_as_of
from glassfolio.analytics.factors import MODELS, FactorSet, Member, Role, factor_returns, fit
from glassfolio.analytics.returns import simple_returns
from glassfolio.model.market import FloatArray
from glassfolio.model.results import NONE, Reason, Warning_
from tests.analytics.books import NAN, Trade, account, one_table, panel
from tests.analytics.test_exposures import option_on
from tests.analytics.test_ledger import BOOKS, odd


def weighed(
    exposures: list[float],
    beta: FloatArray,
    equity: float = 100.0,
    in_model: Any = None,
    sessions: int | None = None,
) -> Any:
    """A book with these dollars in as many symbols at a price of 1; beta: (B, S, K)."""
    days = len(beta) if sessions is None else sessions
    there = np.ones((len(beta), beta.shape[2]), dtype=np.bool_) if in_model is None else in_model
    book = account(
        [Trade(x, column=c) for c, x in enumerate(exposures)], [[1.0] * len(exposures)] * days, equity
    )
    return book.roll(betas=one_table(beta, there, days))


def test_dollar_exposure_is_signed() -> None:
    """D_k, beta_k. A short position takes its beta away; weights by size would add it."""
    got = weighed([100, -50], np.array([[[1.0, 2.0], [1.0, -1.0]]]), 200.0)
    np.testing.assert_array_equal(got.dollars, [[50, 250]])
    np.testing.assert_array_equal(got.beta, [[0.25, 1.25]])
    np.testing.assert_array_equal(got.coverage, [[1, 1]])
    np.testing.assert_array_equal(got.age, [[0, 0]])


@pytest.mark.parametrize(
    ("share", "reason", "bits"),
    [
        (0.49, Reason.LOW_COVERAGE.code, 0),
        (0.50, NONE, Warning_.PARTIAL_COVERAGE.bit),
        (0.94, NONE, Warning_.PARTIAL_COVERAGE.bit),
        (0.95, NONE, 0),
    ],
)
def test_positions_without_a_beta_are_left_out_and_counted(share: float, reason: int, bits: int) -> None:
    """coverage: never as 0 or 1; below half there is no value, below 95 % a warning."""
    got = weighed([share * 100, -(1 - share) * 100], np.array([[[2.0], [NAN]]]))
    assert got.coverage[0, 0] == pytest.approx(share)
    assert got.dollar_reason[0, 0] == reason
    assert got.warnings[0, 0] == bits
    if reason == NONE:
        assert got.dollars[0, 0] == pytest.approx(share * 200)


def test_positions_without_a_beta_are_named() -> None:
    betas = one_table(np.array([[[2.0, 1.0], [NAN, 3.0]]] * 2), np.ones((2, 2), dtype=np.bool_), 2)
    np.testing.assert_array_equal(betas.without(np.array([1, 0]), 1), [[True, False], [False, False]])


def test_private_positions_reduce_coverage() -> None:
    beta = np.array([[[1.0], [NAN]]])
    book = account([Trade(60), Trade(40, column=1, entry_price=1)], [[1]], 100.0, funds=[{}])
    got = book.roll(betas=one_table(beta, np.ones((1, 1), dtype=np.bool_), 1))
    assert got.coverage[0, 0] == 0.6


def test_an_option_moves_with_its_underlyings_beta_by_delta() -> None:
    """Pitfall: options weighted by delta x premium. Delta x S x quantity x multiplier x beta."""
    book = option_on(account([Trade(1, column=1, multiplier=100)], [[100, 3]], 1e4), 1, 0, [50.0])
    got = book.roll(betas=one_table(np.array([[[1.2], [NAN]]]), np.ones((1, 1), dtype=np.bool_), 1))
    assert got.dollars[0, 0] == pytest.approx(1.2 * 5000)
    assert got.coverage[0, 0] == 1


def test_a_beta_is_used_for_five_sessions_and_says_how_old_it_is() -> None:
    value = np.full((8, 1, 1), NAN)
    value[1] = 1.5
    got = weighed([10.0], value)
    np.testing.assert_array_equal(got.age[:, 0], [-1, 0, 1, 2, 3, 4, 5, -1])
    np.testing.assert_array_equal(got.dollars[:, 0], [NAN, *[15.0] * 6, NAN])


def test_a_beta_from_before_the_first_session_is_joined_too() -> None:
    """Pitfall: exact-date look-up, 0 % coverage on 253 of 254 dates."""
    value = np.full((6, 1, 1), NAN)
    value[1] = 1.5
    got = weighed([10.0], value, sessions=3)
    np.testing.assert_array_equal(got.age[:, 0], [2, 3, 4])
    np.testing.assert_array_equal(got.dollars[:, 0], [15, 15, 15])


def test_the_oldest_beta_that_is_used_sets_the_age() -> None:
    value = np.array([[[1.0], [1.0], [1.0]], [[NAN], [NAN], [1.0]], [[NAN], [1.0], [1.0]]])
    np.testing.assert_array_equal(weighed([10.0, 10.0, 10.0], value).age[:, 0], [0, 1, 2])
    np.testing.assert_array_equal(weighed([0.0, 10.0, 10.0], value).age[:, 0], [0, 1, 0])


def test_a_factor_that_is_not_in_the_model_is_named_so() -> None:
    """Two factors, one of which ends: the dollars of the other stay."""
    value = np.array([[[1.0, 2.0]], [[1.0, NAN]]] + [[[1.0, NAN]]] * 6)
    in_model = np.isfinite(value[:, 0])
    got = weighed([10.0], value, in_model=in_model)
    np.testing.assert_array_equal(got.dollars[:, 0], [10] * 8)
    codes = [NONE] * 6 + [Reason.NO_FACTOR_DATA.code] * 2
    np.testing.assert_array_equal(got.dollar_reason[:, 1], codes)
    np.testing.assert_array_equal(got.beta_reason[:, 1], codes)


def test_without_positions_there_are_no_dollars() -> None:
    got = weighed([0.0], np.ones((1, 1, 1)))
    assert got.dollar_reason[0, 0] == Reason.NO_POSITIONS.code
    assert np.isnan([got.dollars[0, 0], got.coverage[0, 0]]).all()
    assert got.warnings[0, 0] == 0


def test_without_positive_nav_dollars_stay_and_beta_goes() -> None:
    got = weighed([10.0], np.ones((1, 1, 1)), equity=0.0)
    assert got.dollars[0, 0] == 10
    assert np.isnan(got.beta[0, 0])
    assert got.beta_reason[0, 0] == Reason.NONPOSITIVE_NAV.code


@pytest.mark.parametrize("name", BOOKS)
def test_every_kind_of_book_gives_numbers_or_reasons(name: str) -> None:
    book = odd(name)
    betas = one_table(np.ones((3, len(book.instruments), 1)), np.ones((3, 1), dtype=np.bool_), 3)
    got = book.roll(betas=betas)
    np.testing.assert_array_equal(np.isnan(got.dollars), got.dollar_reason != NONE)
    np.testing.assert_array_equal(np.isnan(got.beta), got.beta_reason != NONE)


def test_closed_lots_do_not_weigh_and_earlier_sessions_do_not_change() -> None:
    """Pitfall: exposure from closed lots and current marks."""
    kept, sold = Trade(10.0), Trade(10.0, column=1, exit=1, exit_price=1)
    beta = np.ones((2, 2, 1))
    betas = one_table(beta, np.ones((2, 1), dtype=np.bool_), 2)
    got = account([kept, sold], [[1, 1], [1, 1]], 100.0).roll(betas=betas)
    np.testing.assert_array_equal(got.dollars[:, 0], [20, 10])


def test_betas_of_other_instruments_or_sessions_are_refused() -> None:
    book = account([Trade(1)], [[1], [1]])
    for shape in ((2, 2, 1), (1, 1, 1)):
        betas = one_table(np.ones(shape), np.ones((shape[0], 1), dtype=np.bool_), shape[0])
        with pytest.raises(ValueError, match="betas are not of"):
            book.roll(betas=betas)


def test_joining_leaves_the_given_betas_alone() -> None:
    value = np.array([[[1.0]], [[NAN]]])
    join_as_of(("k",), value, np.ones((2, 1), dtype=np.bool_), 2)
    np.testing.assert_array_equal(value, [[[1.0]], [[NAN]]])


def test_beta_of_the_portfolio_is_the_portfolio_of_betas() -> None:
    """Linearity: with complete data the weighted betas equal a regression of the weighted returns."""
    rng = np.random.default_rng(0)
    prices = panel(
        100 * np.exp(np.cumsum(rng.normal(0, 0.01, (200, 5)), axis=0)), symbols=("M", "V", "A", "B", "C")
    )
    members = (Member("market", Role.MARKET, "M"), Member("value", Role.SPREAD, "V", "M"))
    returns = simple_returns(prices.close, prices.split, prices.dividend)
    fitted = fit(MODELS["risk"], FactorSet("two", members), prices, returns, 199)
    dollars = [0.0, 0.0, 900.0, -400.0, 300.0]
    got = weighed(dollars, fitted.value, 1000.0)
    x = factor_returns(members, prices)[20:]
    truth = sm.OLS(returns[20:] @ (np.array(dollars) / 1000), sm.add_constant(x)).fit()
    np.testing.assert_allclose(got.beta[0], truth.params[1:], rtol=1e-9)
