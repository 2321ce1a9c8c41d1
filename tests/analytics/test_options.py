"""Option prices, Greeks and implied volatilities against vollib, QuantLib, closed forms and bounds (B5)."""

from dataclasses import replace

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - the name everybody knows it by
from hypothesis import given, settings
from hypothesis import strategies as st
from vollib.black_scholes_merton import black_scholes_merton
from vollib.black_scholes_merton.greeks import analytical

from glassfolio.analytics.implied import implied_volatility
from glassfolio.analytics.options import Terms, Valuation, gamma_1pct, intrinsic, price, value
from glassfolio.model.market import FloatArray
from glassfolio.model.results import NONE, Reason

NAN, INF = float("nan"), float("inf")
FEW = settings(max_examples=200, deadline=None)
GREEKS = ("delta", "gamma", "vega", "theta", "rho")


def option(
    call: bool = True,
    spot: float = 100.0,
    strike: float = 100.0,
    years: float = 1.0,
    rate: float = 0.03,
    dividend_yield: float = 0.01,
    volatility: float = 0.2,
) -> Terms:
    numbers = (spot, strike, years, rate, dividend_yield, volatility)
    return Terms(np.array([call]), *(np.array([number], dtype=np.float64) for number in numbers))


def random_terms(count: int, seed: int = 0) -> Terms:
    """From an hour to five years, from 3 to 3,000 USD, from 3 to 300 % volatility."""
    rng = np.random.default_rng(seed)
    spot = np.exp(rng.uniform(1, 8, count))
    return Terms(
        call=rng.random(count) < 0.5,
        spot=spot,
        strike=spot * np.exp(rng.normal(0, 0.3, count)),
        years=np.exp(rng.uniform(np.log(1 / 8760), np.log(5), count)),
        rate=rng.uniform(-0.02, 0.1, count),
        dividend_yield=rng.uniform(0, 0.08, count),
        volatility=np.exp(rng.uniform(np.log(0.03), np.log(3), count)),
    )


Row = tuple[str, float, float, float, float, float, float]


def rows(terms: Terms) -> list[Row]:
    """Arguments in the order of vollib: flag, S, K, t, r, sigma, q."""
    flags = np.where(terms.call, "c", "p").tolist()
    numbers = (terms.spot, terms.strike, terms.years, terms.rate, terms.volatility, terms.dividend_yield)
    return list(zip(flags, *(n.tolist() for n in numbers), strict=True))


def test_prices_and_greeks_are_those_of_vollib() -> None:
    terms = random_terms(1000)
    got = value(terms)
    truth = [black_scholes_merton(flag, s, k, t, r, v, q) for flag, s, k, t, r, v, q in rows(terms)]
    np.testing.assert_allclose(got.price, truth, rtol=1e-9, atol=1e-12)
    for name in GREEKS:
        truth = [getattr(analytical, name)(*row) for row in rows(terms)]
        np.testing.assert_allclose(getattr(got, name), truth, rtol=1e-9, atol=1e-12, err_msg=name)


def process(
    today: ql.Date, spot: float, rate: float, dividend_yield: float, volatility: float
) -> ql.GeneralizedBlackScholesProcess:
    days = ql.Actual365Fixed()
    return ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, dividend_yield, days)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, rate, days)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), volatility, days)),
    )


def quantlib_option(terms: Terms, days: int, american: bool = False) -> ql.VanillaOption:
    """The same option on QuantLib, exactly `days` days before its expiry."""
    today = ql.Date(2, 1, 2024)
    ql.Settings.instance().evaluationDate = today
    kind = ql.Option.Call if terms.call[0] else ql.Option.Put
    exercise = ql.AmericanExercise(today, today + days) if american else ql.EuropeanExercise(today + days)
    made = ql.VanillaOption(ql.PlainVanillaPayoff(kind, float(terms.strike[0])), exercise)
    numbers = (terms.spot, terms.rate, terms.dividend_yield, terms.volatility)
    path = process(today, *(float(n[0]) for n in numbers))
    engine = ql.FdBlackScholesVanillaEngine(path, 400, 400) if american else ql.AnalyticEuropeanEngine(path)
    made.setPricingEngine(engine)
    return made


@pytest.mark.parametrize("call", [True, False])
@pytest.mark.parametrize("strike", [60.0, 95.0, 100.0, 105.0, 140.0])
@pytest.mark.parametrize("days", [1, 30, 365, 900])
def test_prices_and_greeks_are_those_of_quantlib(call: bool, strike: float, days: int) -> None:
    terms = option(call, 100, strike, days / 365, 0.045, 0.015, 0.27)
    got, truth = value(terms), quantlib_option(terms, days)
    there = (
        truth.NPV(),
        truth.delta(),
        truth.gamma(),
        truth.vega() / 100,
        truth.theta() / 365,
        truth.rho() / 100,
    )
    ours = [float(getattr(got, name)[0]) for name in ("price", *GREEKS)]
    np.testing.assert_allclose(ours, there, rtol=1e-9, atol=1e-12)


def test_a_rate_is_a_fraction_and_not_per_cent() -> None:
    """Pitfall: 0.05 passed where per cent is meant makes 2.861 of 3.063."""
    month = option(years=30 / 365, rate=0.05, dividend_yield=0.0, volatility=0.25)
    assert round(float(price(month)[0]), 3) == 3.063
    assert round(float(price(replace(month, rate=np.array([0.0005])))[0]), 3) == 2.861


@pytest.mark.parametrize("call", [True, False])
def test_greeks_are_per_point_per_day_and_per_percentage_point_once(call: bool) -> None:
    """Pitfall: vega and rho divided by 100 twice. Each is the price's change for its own unit."""
    base = option(call, 103, 97, 0.7, 0.04, 0.02, 0.3)
    got = value(base)

    def slope(name: str, step: float) -> float:
        up, down = (replace(base, **{name: getattr(base, name) + way}) for way in (step, -step))
        return float((price(up) - price(down))[0] / (2 * step))

    assert float(got.delta[0]) == pytest.approx(slope("spot", 1e-3), rel=1e-7)
    assert float(got.vega[0]) == pytest.approx(slope("volatility", 1e-4) * 0.01, rel=1e-6)
    assert float(got.theta[0]) == pytest.approx(-slope("years", 1e-5) / 365, rel=1e-6)
    assert float(got.rho[0]) == pytest.approx(slope("rate", 1e-5) * 0.01, rel=1e-7)
    up, down = (value(replace(base, spot=base.spot + way)).delta[0] for way in (1e-3, -1e-3))
    assert float(got.gamma[0]) == pytest.approx((up - down) / 2e-3, rel=1e-6)


def test_gamma_for_one_per_cent_is_the_change_of_the_positions_delta_dollars() -> None:
    """Γ q m S² / 100: two contracts of gamma 0.05 on a stock of 200 USD, and the same sold."""
    np.testing.assert_allclose(
        gamma_1pct(np.array([0.05, 0.05]), np.array([200.0, -200.0]), np.array([200.0, 200.0])),
        [4000, -4000],
    )


@pytest.mark.parametrize(
    ("call", "spot", "price_", "delta"),
    [(True, 110, 10, 1), (True, 90, 0, 0), (False, 90, 10, -1), (False, 110, 0, 0), (True, 100, 0, 0.5)],
)
def test_without_time_an_option_is_worth_its_intrinsic_value(
    call: bool, spot: float, price_: float, delta: float
) -> None:
    got = value(option(call, spot, 100, years=0))
    assert (got.price[0], got.delta[0]) == (price_, delta)
    assert got.vega[0] == got.theta[0] == got.rho[0] == 0
    assert np.isnan(got.gamma[0]) if spot == 100 else got.gamma[0] == 0


@pytest.mark.parametrize("call", [True, False])
@pytest.mark.parametrize("strike", [80.0, 120.0])
def test_without_volatility_an_option_is_the_discounted_exercise_at_the_forward(
    call: bool, strike: float
) -> None:
    got = value(option(call, 100, strike, 2, 0.05, 0.02, 0.0))
    stock, bond = 100 * np.exp(-0.04), strike * np.exp(-0.10)
    sign = 1 if call else -1
    exercised = sign * (stock - bond) > 0
    assert got.price[0] == pytest.approx(max(sign * (stock - bond), 0))
    assert got.delta[0] == pytest.approx(sign * np.exp(-0.04) * exercised)
    assert got.gamma[0] == got.vega[0] == 0
    assert got.rho[0] == pytest.approx(sign * bond * 2 / 100 * exercised)
    assert got.theta[0] == pytest.approx(sign * (0.02 * stock - 0.05 * bond) / 365 * exercised)


def test_on_a_worthless_stock_a_put_is_the_discounted_strike_and_a_call_is_nothing() -> None:
    assert price(option(True, spot=0))[0] == 0
    assert price(option(False, spot=0))[0] == pytest.approx(100 * np.exp(-0.03))


@pytest.mark.parametrize("name", ["spot", "strike", "years", "rate", "dividend_yield", "volatility"])
@pytest.mark.parametrize("years", [0.0, 1.0])
def test_a_missing_term_leaves_no_number(name: str, years: float) -> None:
    got = value(replace(option(years=years), **{name: np.array([NAN])}))
    assert all(np.isnan(number[0]) for number in vars(got).values())


@pytest.mark.parametrize(
    ("name", "number"),
    [("spot", -1.0), ("strike", 0.0), ("strike", -5.0), ("years", -0.1), ("volatility", -0.1)],
)
def test_impossible_terms_leave_no_price(name: str, number: float) -> None:
    got = value(replace(option(), **{name: np.array([number])}))
    assert np.isnan([got.price[0], got.delta[0], got.gamma[0]]).all()


def test_terms_broadcast_against_each_other() -> None:
    spots, strikes = np.array([[90.0], [110.0]]), np.array([80.0, 100.0, 120.0])
    one = np.array(1.0)
    terms = Terms(np.array(True), spots, strikes, one, one * 0.02, one * 0.0, one * 0.3)
    assert {field.shape for field in vars(value(terms)).values()} == {(2, 3)}


SPOTS = st.floats(1, 2000)
RATIOS = st.floats(0.3, 3)
YEARS = st.floats(0, 5)
RATES, YIELDS, VOLATILITIES = st.floats(-0.02, 0.15), st.floats(0, 0.1), st.floats(0, 3)


@st.composite
def calls(draw: st.DrawFn) -> Terms:
    spot = draw(SPOTS)
    return option(True, spot, spot * draw(RATIOS), draw(YEARS), draw(RATES), draw(YIELDS), draw(VOLATILITIES))


def put(terms: Terms) -> Terms:
    return replace(terms, call=~terms.call)


def parity(terms: Terms) -> tuple[FloatArray, FloatArray]:
    stock = terms.spot * np.exp(-terms.dividend_yield * terms.years)
    return stock, terms.strike * np.exp(-terms.rate * terms.years)


@given(calls())
@FEW
def test_put_call_parity(terms: Terms) -> None:
    """Prices and every Greek: a call less a put is a forward."""
    stock, bond = parity(terms)
    call, other = value(terms), value(put(terms))
    scale = 1e-12 * float(terms.spot[0] + terms.strike[0])
    np.testing.assert_allclose(call.price - other.price, stock - bond, atol=scale)
    np.testing.assert_allclose(call.delta - other.delta, stock / terms.spot, atol=1e-12)
    np.testing.assert_array_equal(call.gamma, other.gamma)
    np.testing.assert_array_equal(call.vega, other.vega)
    np.testing.assert_allclose(call.rho - other.rho, bond * terms.years / 100, atol=scale)
    if terms.years[0] > 0:
        drift = terms.dividend_yield * stock - terms.rate * bond
        np.testing.assert_allclose(call.theta - other.theta, drift / 365, atol=scale)


@given(calls())
@FEW
def test_prices_lie_between_certain_exercise_and_the_bound(terms: Terms) -> None:
    stock, bond = parity(terms)
    slack = 1e-12 * (stock + bond)
    for each, low, high in ((terms, stock - bond, stock), (put(terms), bond - stock, bond)):
        got = price(each)
        assert (got >= np.maximum(low, 0) - slack).all()
        assert (got <= high + slack).all()


@given(calls(), st.floats(1.0001, 2))
@FEW
def test_prices_rise_and_fall_as_they_must(terms: Terms, factor: float) -> None:
    slack = 1e-12 * float(terms.spot[0] + terms.strike[0]) * factor
    more_volatile = replace(terms, volatility=terms.volatility * factor)
    higher_spot = replace(terms, spot=terms.spot * factor)
    higher_strike = replace(terms, strike=terms.strike * factor)
    assert (price(more_volatile) >= price(terms) - slack).all()
    assert (price(higher_spot) >= price(terms) - slack).all()
    assert (price(higher_strike) <= price(terms) + slack).all()
    assert (price(put(higher_spot)) <= price(put(terms)) + slack).all()
    assert (price(put(higher_strike)) >= price(put(terms)) - slack).all()


@given(calls())
@FEW
def test_greeks_lie_in_their_bounds(terms: Terms) -> None:
    call, other = value(terms), value(put(terms))
    assert 0 <= call.delta[0] <= 1
    assert -1 <= other.delta[0] <= 0
    assert not call.gamma[0] < 0
    assert call.vega[0] >= 0
    assert other.rho[0] <= 0 <= call.rho[0]


# --- implied volatility ---------------------------------------------------------------------------------


def test_a_price_gives_its_volatility_back() -> None:
    """To 1e-8, wherever the time value is more than a billionth of the strike."""
    terms = random_terms(20_000, seed=1)
    got = implied_volatility(terms, price(terms))
    solved = got.reason == NONE
    stock, bond = parity(terms)
    time_value = price(terms) - np.maximum(np.where(terms.call, stock - bond, bond - stock), 0)
    np.testing.assert_array_equal(solved, time_value > 1e-9 * np.maximum(stock, bond))
    assert solved.mean() > 0.5
    np.testing.assert_allclose(got.volatility[solved], terms.volatility[solved], rtol=0, atol=1e-8)
    assert set(got.reason[~solved]) == {Reason.NO_ROOT.code}


def test_a_volatility_gives_its_price_back() -> None:
    terms = option(True, 100, 110, 0.4)
    for cents in (1, 37, 250, 1999, 9800):
        stated = np.array([cents / 100])
        found = implied_volatility(terms, stated).volatility
        np.testing.assert_allclose(price(replace(terms, volatility=found)), stated, rtol=1e-10)


def test_at_the_money_the_volatility_has_a_closed_form() -> None:
    """With strike and forward equal, the price is S [2 N(σ √T / 2) - 1]."""
    terms = option(True, 100, 100, 0.25, 0.0, 0.0)
    stated = np.array([100 * (2 * 0.519938805838372 - 1)])
    np.testing.assert_allclose(implied_volatility(terms, stated).volatility, 0.2, rtol=1e-12)


BELOW, ABOVE = 100 * np.exp(-0.01) - 80 * np.exp(-0.03), 100 * np.exp(-0.01)


@pytest.mark.parametrize(
    ("call", "stated", "solved"),
    [
        (True, BELOW - 0.01, False),
        (True, BELOW, False),
        (True, BELOW + 0.01, True),
        (True, ABOVE - 0.01, True),
        (True, ABOVE, False),
        (True, ABOVE + 1, False),
        (False, 0.0, False),
        (False, -1.0, False),
        (False, 0.01, True),
        (False, 80 * np.exp(-0.03) - 0.01, True),
        (False, 80 * np.exp(-0.03), False),
    ],
)
def test_outside_its_bounds_a_price_has_no_volatility(call: bool, stated: float, solved: bool) -> None:
    got = implied_volatility(option(call, 100, 80), np.array([stated]))
    assert np.isfinite(got.volatility[0]) == solved
    assert got.reason[0] == (NONE if solved else Reason.NO_ROOT.code)


def test_without_time_or_with_a_term_missing_there_is_no_volatility() -> None:
    stated = np.array([10.0])
    assert implied_volatility(option(years=0), stated).reason[0] == Reason.NO_ROOT.code
    assert implied_volatility(option(years=-0.1), stated).reason[0] == Reason.NO_ROOT.code
    for name in ("spot", "strike", "years", "rate", "dividend_yield"):
        for odd in (NAN, INF):
            got = implied_volatility(replace(option(), **{name: np.array([odd])}), stated)
            assert got.reason[0] == Reason.NO_MODEL_INPUTS.code
            assert np.isnan(got.volatility[0])
    assert implied_volatility(option(), np.array([NAN])).reason[0] == Reason.NO_MODEL_INPUTS.code
    assert implied_volatility(option(strike=0), stated).reason[0] == Reason.NO_MODEL_INPUTS.code
    assert implied_volatility(option(spot=-1), stated).reason[0] == Reason.NO_MODEL_INPUTS.code


# --- early exercise -------------------------------------------------------------------------------------


@pytest.mark.parametrize("strike", [80.0, 90.0, 100.0, 110.0, 120.0])
@pytest.mark.parametrize("days", [30, 180, 365])
@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_early_exercise_is_worth_no_more_than_the_interest_on_the_strike(
    strike: float, days: int, rate: float
) -> None:
    """The stated limit, for puts without dividends: American less European is in [0, K (1 - e^(-rT))]."""
    terms = option(False, 100, strike, days / 365, rate, 0.0, 0.25)
    gap = quantlib_option(terms, days, american=True).NPV() - float(price(terms)[0])
    # The grid of 400 by 400 is itself right to about a cent.
    assert -0.01 <= gap <= strike * (1 - np.exp(-rate * days / 365)) + 0.01


def test_a_deep_put_moves_less_than_its_american_twin() -> None:
    """The same limit in deltas: -0.964 where immediate exercise makes -1."""
    terms = option(False, 75, 100, 180 / 365, 0.05, 0.0, 0.20)
    american = quantlib_option(terms, 180, american=True)
    assert float(value(terms).delta[0]) == pytest.approx(-0.964, abs=5e-4)
    assert american.delta() == pytest.approx(-1, abs=5e-4)
    assert american.NPV() - float(price(terms)[0]) == pytest.approx(2.29, abs=0.01)


def test_a_call_without_dividends_is_never_exercised_early() -> None:
    for strike in (80.0, 100.0, 120.0):
        terms = option(True, 100, strike, 1, 0.05, 0.0, 0.25)
        american = quantlib_option(terms, 365, american=True).NPV()
        assert american == pytest.approx(float(price(terms)[0]), abs=0.01)


def test_intrinsic_value_is_what_exercise_would_bring() -> None:
    got = intrinsic(
        np.array([True, True, False, False]), np.array([110.0, 90, 110, 90]), np.array([100.0] * 4)
    )
    np.testing.assert_array_equal(got, [10, 0, 0, 10])
    assert np.isnan(intrinsic(np.array([True]), np.array([NAN]), np.array([100.0])))


def test_a_valuation_has_the_price_alone_for_its_price() -> None:
    terms = random_terms(50)
    assert isinstance(value(terms), Valuation)
    np.testing.assert_array_equal(value(terms).price, price(terms))
