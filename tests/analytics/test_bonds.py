"""Par bonds against the published table and QuantLib (B5)."""

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - the name everybody knows it by

from glassfolio.analytics.bonds import convexity, duration, price_change, reprice

# yield, maturity, duration, convexity, price change at +100 basis points in per cent
TABLE = [
    (0.0275, 20.0, 15.30, 282, -13.98),
    (0.0400, 20.0, 13.68, 240, -12.55),
    (0.0475, 20.0, 12.82, 218, -11.79),
    (0.0275, 25.5, 18.24, 415, -16.33),
    (0.0400, 25.5, 15.89, 339, -14.32),
    (0.0475, 25.5, 14.69, 302, -13.29),
]


@pytest.mark.parametrize(("yield_", "maturity", "years", "squared", "change"), TABLE)
def test_the_table_of_par_bonds(
    yield_: float, maturity: float, years: float, squared: float, change: float
) -> None:
    assert round(duration(maturity, yield_), 2) == years
    assert round(convexity(maturity, yield_)) == squared
    assert round(100 * reprice(maturity, yield_, 0.01), 2) == change


def quantlib_bond(maturity: float, yield_: float) -> ql.FixedRateBond:
    today = ql.Date(15, 1, 2024)
    ql.Settings.instance().evaluationDate = today
    end = ql.NullCalendar().advance(today, int(maturity * 12), ql.Months)
    half, none = ql.Period(ql.Semiannual), ql.NullCalendar()
    dates = ql.Schedule(
        today, end, half, none, ql.Unadjusted, ql.Unadjusted, ql.DateGeneration.Backward, False
    )
    return ql.FixedRateBond(0, 100.0, dates, [yield_], ql.Thirty360(ql.Thirty360.BondBasis))


def quantlib_rate(yield_: float) -> ql.InterestRate:
    days = ql.Thirty360(ql.Thirty360.BondBasis)
    return ql.InterestRate(yield_, days, ql.Compounded, ql.Semiannual)


@pytest.mark.parametrize("yield_", [0.001, 0.01, 0.0275, 0.04, 0.12])
@pytest.mark.parametrize("maturity", [0.5, 2.0, 20.0, 25.5, 30.0])
def test_duration_convexity_and_price_are_those_of_quantlib(maturity: float, yield_: float) -> None:
    bond, rate = quantlib_bond(maturity, yield_), quantlib_rate(yield_)
    truth = ql.BondFunctions.duration(bond, rate, ql.Duration.Modified)
    assert duration(maturity, yield_) == pytest.approx(truth, rel=1e-9)
    assert convexity(maturity, yield_) == pytest.approx(ql.BondFunctions.convexity(bond, rate), rel=1e-9)
    for shift in (-0.005, 0.0005, 0.01, 0.03):
        moved = ql.BondFunctions.cleanPrice(bond, quantlib_rate(yield_ + shift)) / 100 - 1
        assert reprice(maturity, yield_, shift) == pytest.approx(moved, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("yield_", [0.0275, 0.04, 0.0475])
@pytest.mark.parametrize("maturity", [20.0, 25.5])
def test_duration_and_convexity_leave_out_only_the_third_order(maturity: float, yield_: float) -> None:
    """0.2 % of the price at 100 basis points at most."""
    for shift in (-0.01, 0.01):
        left_out = reprice(maturity, yield_, shift) - price_change(maturity, yield_, shift)
        assert 0 < abs(left_out) < 0.002
        assert np.sign(left_out) == -np.sign(shift)


def test_up_to_200_basis_points_the_change_is_by_duration_and_convexity() -> None:
    d, c = duration(25.5, 0.04), convexity(25.5, 0.04)
    for shift in (-0.02, -0.0001, 0.0, 0.005, 0.02):
        assert price_change(25.5, 0.04, shift) == pytest.approx(-d * shift + c * shift**2 / 2, abs=1e-15)


def test_beyond_200_basis_points_all_payments_are_discounted_anew() -> None:
    """At 300, duration and convexity alone would miss 1.6 to 3.9 % of the price on the table's bonds."""
    missed = []
    for yield_, maturity, *_ in TABLE:
        assert price_change(maturity, yield_, 0.03) == reprice(maturity, yield_, 0.03)
        assert price_change(maturity, yield_, -0.0201) == reprice(maturity, yield_, -0.0201)
        expansion = -duration(maturity, yield_) * 0.03 + convexity(maturity, yield_) * 0.03**2 / 2
        missed.append(expansion - price_change(maturity, yield_, 0.03))
    assert 0.015 < min(missed) < max(missed) < 0.039


def test_a_bond_of_one_period_and_one_without_yield_have_closed_forms() -> None:
    assert duration(0.5, 0.04) == pytest.approx(0.5 / 1.02)
    assert convexity(0.5, 0.04) == pytest.approx(0.5 / 1.02**2)
    assert duration(10, 0.0) == 10
    assert convexity(10, 0.0) == pytest.approx(10 * 10.5)
    assert reprice(10, 0.0, 0.02) == pytest.approx(1.01**-20 - 1)


@pytest.mark.parametrize("maturity", [0.0, -1.0, 0.25, 20.3])
def test_a_maturity_is_a_whole_number_of_half_years(maturity: float) -> None:
    with pytest.raises(ValueError, match="half a year"):
        duration(maturity, 0.04)
