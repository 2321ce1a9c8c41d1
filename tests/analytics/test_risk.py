"""Exposure, concentration and factor exposure of a portfolio."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from glassfolio.analytics.factors import MODELS, Betas, FactorSet, Member, Role, factor_returns, fit
from glassfolio.analytics.returns import simple_returns
from glassfolio.analytics.risk import (
    Exposures,
    FactorExposures,
    Positions,
    factor_exposures,
    measure,
    net_positions,
)
from glassfolio.model.market import FloatArray
from glassfolio.model.results import NONE, Reason, Warning_
from tests.analytics.books import Account, Trade, account, accounts, assert_close, assert_same_bits, panel
from tests.analytics.test_ledger import BOOKS

NAN = float("nan")
FEW = settings(max_examples=60, deadline=None)


def exposures(book: Account) -> Exposures:
    ledger = book.roll()
    return measure(net_positions(book.lots, ledger), ledger.nav)


def betas(value: FloatArray, in_model: FloatArray | None = None) -> Betas:
    """Given betas of (D, S, K), as if a model had fitted them."""
    d, s, k = value.shape
    there = np.ones((d, k), dtype=np.bool_) if in_model is None else in_model.astype(np.bool_)
    zeros = np.zeros((d, s, k))
    codes = np.full((d, s, k), NONE, dtype=np.int8)
    n = np.full((d, s), 90)
    keys = tuple(f"k{i}" for i in range(k))
    return Betas(
        MODELS["market"],
        keys,
        value,
        zeros,
        zeros[:, :, 0],
        zeros[:, :, 0],
        n,
        codes,
        zeros.astype(np.int16),
        there,
    )


def positions(*rows: list[float]) -> Positions:
    x = np.array(rows, dtype=np.float64)
    return Positions(x, np.arange(x.shape[1]))


def test_lots_are_netted_inside_an_instrument_only() -> None:
    book = account(
        [Trade(100), Trade(-40), Trade(-20, column=1), Trade(500, column=-1, cash_like=True)], [[10, 50]]
    )
    x = exposures(book)
    assert (x.long[0], x.short[0], x.gross[0], x.net[0]) == (600, -1000, 1600, -400)


def test_leverage_is_over_nav_even_when_net_exposure_vanishes() -> None:
    """Never over the sum of signed values: long 100k against short 95k on 100k is 1.95, not 39."""
    x = exposures(account([Trade(1000), Trade(-950, column=1)], [[100, 100]]))
    assert x.leverage[0] == 1.95
    assert x.net_leverage[0] == pytest.approx(0.05)


def test_concentration_is_by_instrument_and_not_by_lot() -> None:
    """Two lots of 90 and 10 beside 100 of another name are two halves."""
    x = exposures(account([Trade(90), Trade(10), Trade(100, column=1)], [[1, 1]]))
    assert x.hhi[0] == 0.5
    assert x.effective_n[0] == 2
    assert x.top_3[0] == x.top_10[0] == 1


def test_the_largest_positions_count_by_size_short_or_long() -> None:
    x = measure(positions([5, -4, 3, 2, *[1.0] * 8]), np.array([100.0]))
    assert x.top_3[0] == pytest.approx(12 / 22)
    assert x.top_10[0] == pytest.approx(20 / 22)


def test_each_private_position_stands_by_itself() -> None:
    fund = Trade(1, column=-1, stated_price=100)
    x = exposures(account([fund, fund, Trade(-2, column=0)], [[100]]))
    np.testing.assert_allclose(x.hhi, 0.25**2 * 2 + 0.5**2)


def test_without_positive_nav_money_stays_and_leverage_goes() -> None:
    x = exposures(account([Trade(10)], [[100]], equity=-1))
    assert x.gross[0] == 1000
    assert np.isnan(x.leverage[0])
    assert x.nav_reason[0] == Reason.NONPOSITIVE_NAV.code


def test_an_all_cash_book_has_no_concentration() -> None:
    x = exposures(account([Trade(10, column=-1, cash_like=True)], [[100]]))
    assert np.isnan([x.hhi[0], x.effective_n[0], x.top_3[0]]).all()
    assert x.concentration_reason[0] == Reason.NO_POSITIONS.code
    assert x.leverage[0] == 0


@pytest.mark.parametrize("name", BOOKS)
def test_every_kind_of_book_gives_numbers_or_reasons(name: str) -> None:
    book = account(BOOKS[name], [[10, 20], [11, 19], [12, 22]])
    ledger = book.roll()
    held = net_positions(book.lots, ledger)
    x = measure(held, ledger.nav)
    np.testing.assert_array_equal(np.isnan(x.leverage), x.nav_reason != NONE)
    np.testing.assert_array_equal(np.isnan(x.hhi), x.concentration_reason != NONE)
    weighed = factor_exposures(held, betas(np.ones((3, 2, 1))), ledger.nav)
    np.testing.assert_array_equal(np.isnan(weighed.dollars), weighed.dollar_reason != NONE)
    np.testing.assert_array_equal(np.isnan(weighed.beta), weighed.beta_reason != NONE)


@given(accounts())
@FEW
def test_bounds_hold_for_every_book(book: Account) -> None:
    x = exposures(book)
    assert (x.gross >= np.abs(x.net) - 1e-9).all()
    assert (x.short <= 0).all()
    there = np.isfinite(x.hhi)
    assert (x.hhi[there] <= 1 + 1e-12).all()
    count = (net_positions(book.lots, book.roll()).exposure != 0).sum(axis=1)
    assert (x.hhi[there] >= 1 / count[there] - 1e-12).all()
    assert (x.top_3[there] <= x.top_10[there] + 1e-12).all()


@given(accounts(), st.randoms(use_true_random=False))
@FEW
def test_the_order_of_lots_changes_no_bit(book: Account, random: Random) -> None:
    trades = list(book.trades)
    random.shuffle(trades)
    assert_same_bits(vars(exposures(book)), vars(exposures(replace(book, trades=tuple(trades)))))


@given(accounts())
@FEW
def test_a_reversed_book_swaps_long_and_short(book: Account) -> None:
    turned = exposures(replace(book, trades=tuple(replace(t, quantity=-t.quantity) for t in book.trades)))
    x = exposures(book)
    assert_close(turned.long, -x.short, 1e5)
    assert_close(turned.net, -x.net, 1e5)
    assert_close(turned.hhi, x.hhi)


def test_dollar_exposure_is_signed() -> None:
    """A short position takes its beta away; weights by size would add it."""
    got = factor_exposures(
        positions([100, -50]), betas(np.array([[[1.0, 2.0], [1.0, -1.0]]])), np.array([200.0])
    )
    np.testing.assert_array_equal(got.dollars, [[50, 250]])
    np.testing.assert_array_equal(got.beta, [[0.25, 1.25]])
    np.testing.assert_array_equal(got.coverage, [[1, 1]])
    np.testing.assert_array_equal(got.age, [[0, 0]])


def _covered(share: float) -> FactorExposures:
    x = positions([share * 100, -(1 - share) * 100])
    return factor_exposures(x, betas(np.array([[[2.0], [NAN]]])), np.array([100.0]))


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
    """Never as 0 or 1: below half there is no value, below 95 % a warning."""
    got = _covered(share)
    assert got.coverage[0, 0] == pytest.approx(share)
    assert got.dollar_reason[0, 0] == reason
    assert got.warnings[0, 0] == bits
    if reason == NONE:
        assert got.dollars[0, 0] == pytest.approx(share * 200)
    np.testing.assert_array_equal(got.without_beta[0, :, 0], [False, True])


def test_private_positions_reduce_coverage() -> None:
    x = Positions(np.array([[60.0, 40.0]]), np.array([0, -2]))
    got = factor_exposures(x, betas(np.ones((1, 1, 1))), np.array([100.0]))
    assert got.coverage[0, 0] == 0.6


def test_a_beta_is_used_for_five_sessions_and_says_how_old_it_is() -> None:
    value = np.full((8, 1, 1), NAN)
    value[1] = 1.5
    got = factor_exposures(positions(*[[10.0]] * 8), betas(value), np.full(8, 100.0))
    np.testing.assert_array_equal(got.age[:, 0], [-1, 0, 1, 2, 3, 4, 5, -1])
    np.testing.assert_array_equal(got.dollars[:, 0], [NAN, *[15.0] * 6, NAN])


def test_a_factor_that_is_not_in_the_model_is_named_so() -> None:
    got = factor_exposures(
        positions([10.0]), betas(np.full((1, 1, 1), NAN), np.zeros((1, 1))), np.array([100.0])
    )
    assert got.dollar_reason[0, 0] == got.beta_reason[0, 0] == Reason.NO_FACTOR_DATA.code


def test_without_positive_nav_dollars_stay_and_beta_goes() -> None:
    got = factor_exposures(positions([10.0]), betas(np.ones((1, 1, 1))), np.array([0.0]))
    assert got.dollars[0, 0] == 10
    assert np.isnan(got.beta[0, 0])
    assert got.beta_reason[0, 0] == Reason.NONPOSITIVE_NAV.code


def test_beta_of_the_portfolio_is_the_portfolio_of_betas() -> None:
    """With complete data the weighted betas equal a regression of the weighted returns."""
    rng = np.random.default_rng(0)
    prices = panel(
        100 * np.exp(np.cumsum(rng.normal(0, 0.01, (200, 5)), axis=0)), symbols=("M", "V", "A", "B", "C")
    )
    members = (Member("market", Role.MARKET, "M"), Member("value", Role.SPREAD, "V", "M"))
    returns = simple_returns(prices.close, prices.split, prices.dividend)
    fitted = fit(MODELS["risk"], FactorSet("two", members), prices, returns, 199)
    dollars = np.array([0.0, 0.0, 900.0, -400.0, 300.0])
    got = factor_exposures(Positions(dollars[None, :], np.arange(5)), fitted, np.array([1000.0]))
    x = factor_returns(members, prices)[20:]
    truth = sm.OLS(returns[20:] @ (dollars / 1000), sm.add_constant(x)).fit()
    np.testing.assert_allclose(got.beta[0], truth.params[1:], rtol=1e-9)
