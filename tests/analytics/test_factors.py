"""Factor sets and models: names, members over time, warnings, and real prices against statsmodels."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import statsmodels.api as sm

from glassfolio.analytics.factors import (
    DEMO,
    FACTOR_SETS,
    MODELS,
    US_ETF,
    Betas,
    FactorSet,
    Member,
    Role,
    absent,
    factor_returns,
    fit,
    fit_all,
)
from glassfolio.analytics.returns import simple_returns
from glassfolio.model.market import FloatArray, Panel
from glassfolio.model.results import NONE, Reason, Warning_, warnings_of
from tests.analytics.books import panel, weekdays
from tests.analytics.prices import real

NAN = float("nan")
END_OF_RATE = np.datetime64("2017-03-29")


def returns_of(prices: Panel) -> FloatArray:
    return simple_returns(prices.close, prices.split, prices.dividend)


def small() -> tuple[FactorSet, Panel]:
    """Two factors and a rate that ends, 200 sessions; columns M, V, R and two symbols."""
    rng = np.random.default_rng(0)
    moves = rng.normal(0, 0.01, (200, 5))
    moves[:, 3] = 1.3 * moves[:, 0] + 0.4 * moves[:, 2] + rng.normal(0, 0.005, 200)
    close = np.multiply(100.0, np.cumprod(1 + moves, axis=0), dtype=np.float64)
    prices = panel(close, weekdays(200), ("M", "V", "R", "A", "B"))
    ends: date = prices.sessions[160].item()
    members = (
        Member("market", Role.MARKET, "M"),
        Member("value", Role.SPREAD, "V", "M"),
        Member("rate", Role.RATE, "R", valid_to=ends),
    )
    return FactorSet("small", members), prices


def risk(factors: FactorSet, prices: Panel, start: int = 0) -> Betas:
    return fit(MODELS["risk"], factors, prices, returns_of(prices), start)


def test_published_names_come_from_the_set() -> None:
    """The column "published as", for both sets."""
    assert MODELS["market"].published(US_ETF) == ("market_beta",)
    assert MODELS["market_rate"].published(US_ETF) == ("market_beta_joint", "rate_beta")
    assert MODELS["style"].published(US_ETF) == tuple(
        f"style.{key}" for key in ("value", "growth", "momentum", "quality", "size", "low_vol")
    )
    assert MODELS["style"].published(DEMO) == tuple(
        f"style.{key}" for key in ("value", "momentum", "quality", "size", "low_vol")
    )
    assert MODELS["risk"].published(US_ETF) == (
        "risk.market",
        "spread.growth_value",
        "spread.momentum",
        "spread.quality",
        "spread.size",
        "spread.low_vol",
        "risk.rate",
    )
    assert MODELS["risk"].published(DEMO)[1:-1] == tuple(
        f"spread.{key}" for key in ("value", "momentum", "quality", "size", "low_vol")
    )


def test_a_set_names_the_series_it_needs_once() -> None:
    assert US_ETF.series == ("SPY", "VTV", "VUG", "MTUM", "QUAL", "IWM", "USMV", "TLT")
    assert DEMO.series == ("SP500", "VLUE", "MTUM", "QUAL", "SIZE", "USMV", "UST20_TR")


@pytest.mark.parametrize("name", FACTOR_SETS)
def test_every_set_has_one_market_and_unique_names(name: str) -> None:
    factors = FACTOR_SETS[name]
    assert factors.name == name
    assert len(factors.having([Role.MARKET])) == 1
    keys = [key for model in MODELS.values() for key in model.published(factors)]
    assert len(keys) == len(set(keys))


def test_windows_minima_and_estimators_are_the_documented_ones() -> None:
    """Least n is two thirds of the window."""
    assert {key: (m.window, m.minimum, m.estimator) for key, m in MODELS.items()} == {
        "market": (90, 60, "OLS"),
        "market_rate": (90, 60, "OLS"),
        "style": (90, 60, "ridge"),
        "risk": (180, 120, "OLS"),
    }
    assert all(3 * model.minimum == 2 * model.window for model in MODELS.values())
    assert MODELS["style"].penalty == pytest.approx(1 / 90, rel=1e-15)


def test_a_spread_is_the_difference_of_two_simple_returns() -> None:
    factors, prices = small()
    got = factor_returns(factors.members, prices)
    returns = returns_of(prices)
    np.testing.assert_array_equal(got[:, 1], returns[:, 1] - returns[:, 0])
    assert np.isfinite(got[160, 2])
    assert np.isnan(got[161:, 2]).all()


def test_a_member_without_prices_is_missing_not_zero() -> None:
    """One factor without data is null with a reason; the others are still estimated."""
    _, prices = small()
    members = (Member("market", Role.MARKET, "M"), Member("gone", Role.SPREAD, "NOWHERE", "M"))
    betas = risk(FactorSet("lame", members), prices, 190)
    assert np.isnan(betas.value[:, :, 1]).all()
    assert (betas.reason[:, :, 1] == Reason.NO_FACTOR_DATA.code).all()
    assert np.isfinite(betas.value[:, :, 0]).all()


@pytest.mark.parametrize("key", MODELS)
def test_as_many_betas_come_out_as_the_set_has_members_in_the_model(key: str) -> None:
    """Incident 8: three of twelve factors. A missing one is a reason, never 0 and never absent."""
    factors, prices = small()
    gone = Member("gone", Role.STYLE, "NOWHERE")
    styles = (gone, Member("value", Role.STYLE, "V"), Member("size", Role.STYLE, "R"))
    factors = FactorSet("lame", (*factors.members, *styles, Member("gone", Role.SPREAD, "NOWHERE", "M")))
    betas = fit(MODELS[key], factors, prices, returns_of(prices), 150)
    members = MODELS[key].members(factors)
    assert len(betas.keys) == len(members) == betas.value.shape[2] == betas.in_model.shape[1]
    assert (np.isnan(betas.value) == (betas.reason != NONE)).all()
    for k, member in enumerate(members):
        lost = member.key == "gone"
        assert (betas.reason[0, :, k] == (Reason.NO_FACTOR_DATA.code if lost else NONE)).all()


def test_betas_of_another_number_of_factors_are_refused() -> None:
    """The post-condition of incident 8."""
    factors, prices = small()
    betas = risk(factors, prices, 190)
    with pytest.raises(ValueError, match="risk"):
        replace(betas, value=betas.value[:, :, :2])
    with pytest.raises(ValueError, match="risk"):
        replace(betas, keys=betas.keys[:2])


def test_joint_betas_need_both_market_and_rate() -> None:
    """Without a rate there is no beta beside one; the plain market beta is the same with or without."""
    factors, prices = small()
    returns = returns_of(prices)
    betas = fit(MODELS["market_rate"], factors, prices, returns, 150)
    assert (betas.reason[:11] == NONE).all()
    assert (betas.reason[11:] == Reason.NO_FACTOR_DATA.code).all()
    plain = fit(MODELS["market"], factors, prices, returns, 150)
    bare = FactorSet("bare", factors.members[:1])
    np.testing.assert_array_equal(plain.value, fit(MODELS["market"], bare, prices, returns, 150).value)
    betas = fit(MODELS["market_rate"], bare, prices, returns, 150)
    assert betas.keys == ("market_beta_joint",)
    assert (betas.reason == Reason.FACTOR_NOT_IN_SET.code).all()
    assert fit(MODELS["style"], bare, prices, returns, 150).value.shape == (50, 5, 0)


def test_factors_without_data_are_named_once_and_by_their_own_fault() -> None:
    factors, prices = small()
    assert absent(tuple(MODELS.values()), factors, prices, 160) == []
    assert absent(tuple(MODELS.values()), factors, prices, 161) == ["rate_beta", "risk.rate"]
    prices.close[150, 1] = NAN
    assert absent(tuple(MODELS.values()), factors, prices, 150) == ["spread.value"]


def test_all_models_at_once_have_the_bits_of_each_alone() -> None:
    factors, prices = small()
    returns = returns_of(prices)
    returns[100, 4] = NAN
    for whole in fit_all(tuple(MODELS.values()), factors, prices, returns, 70):
        alone = fit(whole.model, factors, prices, returns, 70)
        for name in ("value", "stderr", "r2", "dof", "n", "reason", "warnings", "in_model"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(alone, name))


def test_the_ordinals_of_the_panel_decide_the_bits_not_its_first_day() -> None:
    """The same sessions in a longer panel."""
    factors, prices = small()
    returns = returns_of(prices)
    later = replace(
        prices,
        sessions=prices.sessions[13:],
        ordinals=prices.ordinals[13:],
        close=prices.close[13:],
        split=prices.split[13:],
        dividend=prices.dividend[13:],
    )
    for model in MODELS.values():
        whole = fit(model, factors, prices, returns, 199)
        part = fit(model, factors, later, returns[13:], 186)
        if model.window < 180:
            np.testing.assert_array_equal(whole.value, part.value)


def test_without_the_market_there_are_no_betas() -> None:
    members = (Member("market", Role.MARKET, "NOWHERE"), Member("value", Role.SPREAD, "V", "M"))
    betas = risk(FactorSet("lame", members), small()[1], 190)
    assert (betas.reason == Reason.NO_FACTOR_DATA.code).all()
    assert not betas.in_model.any()


def test_a_factor_leaves_the_regression_when_it_ends() -> None:
    """Up to its last session it is a regressor; after it the whole window is regressed without it."""
    factors, prices = small()
    betas = risk(factors, prices)
    returns, x = returns_of(prices), factor_returns(factors.members, prices)
    for at, taken in ((160, [0, 1, 2]), (161, [0, 1])):
        window = slice(max(at - 179, 1), at + 1)
        truth = sm.OLS(returns[window, 3], sm.add_constant(x[window][:, taken])).fit()
        np.testing.assert_allclose(betas.value[at, 3, taken], truth.params[1:], rtol=1e-9)
        np.testing.assert_allclose(betas.stderr[at, 3, taken], truth.bse[1:], rtol=1e-9)
        assert betas.n[at, 3] == truth.nobs
    assert betas.reason[161, 3, 2] == Reason.NO_FACTOR_DATA.code
    assert betas.reason[160, 3, 2] == NONE


def test_a_young_factor_waits_for_its_minimum() -> None:
    factors, prices = small()
    prices.close[:40, 2] = NAN
    betas = risk(factors, prices)
    assert np.flatnonzero(betas.in_model[:, 2])[0] == 160
    assert np.isfinite(betas.value[159, 3, 0])


def test_a_session_that_lacks_a_factor_has_no_betas() -> None:
    factors, prices = small()
    prices.close[150, 1] = NAN
    betas = risk(factors, prices)
    assert (betas.reason[150:152] == Reason.NO_FACTOR_DATA.code).all()
    assert np.isfinite(betas.value[152, 3]).all()
    assert betas.n[152, 3] == 150


def test_reasons_tell_a_short_history_from_no_price() -> None:
    factors, prices = small()
    prices.close[:150, 3] = NAN
    prices.close[:, 4] = NAN
    betas = fit(MODELS["market"], factors, prices, returns_of(prices), 199)
    assert betas.reason[0, 3, 0] == Reason.INSUFFICIENT_HISTORY.code
    assert betas.n[0, 3] == 49
    assert betas.reason[0, 4, 0] == Reason.NO_PRICE.code


def test_warnings_say_what_to_keep_in_mind() -> None:
    """A beta of 8 is kept and flagged, idle days and a short history are named; a missing beta warns not."""
    factors, prices = small()
    returns = returns_of(prices)
    returns[:, 3] *= 8
    returns[::4, 4] = 0
    returns[:130, 1] = NAN
    betas = fit(MODELS["market"], factors, prices, returns, 199)
    flags = [warnings_of(int(bits)) for bits in betas.warnings[0, :, 0]]
    assert flags[3] == (Warning_.EXTREME,)
    assert betas.value[0, 3, 0] > 8
    assert flags[4] == (Warning_.THIN_TRADING,)
    assert flags[1] == (Warning_.PARTIAL_HISTORY,)
    returns[:150, 1] = NAN
    assert fit(MODELS["market"], factors, prices, returns, 199).warnings[0, 1, 0] == 0


@pytest.mark.parametrize(("factor", "flagged"), [(4.97, False), (5.03, True), (-5.03, True)])
def test_a_beta_beyond_five_is_extreme(factor: float, flagged: bool) -> None:
    factors, prices = small()
    returns = returns_of(prices)
    returns[:, 3] = factor * returns[:, 0]
    betas = fit(MODELS["market"], factors, prices, returns, 199)
    assert betas.value[0, 3, 0] == pytest.approx(factor)
    assert bool(betas.warnings[0, 3, 0] & Warning_.EXTREME.bit) == flagged


@pytest.mark.parametrize(
    ("idle", "observed", "flagged"), [(18, 90, False), (19, 90, True), (14, 70, False), (15, 70, True)]
)
def test_more_than_a_fifth_of_idle_days_is_thin_trading(idle: int, observed: int, flagged: bool) -> None:
    factors, prices = small()
    returns = returns_of(prices)
    returns[200 - idle :, 4] = 0
    returns[: 200 - observed, 4] = NAN
    betas = fit(MODELS["market"], factors, prices, returns, 199)
    assert bool(betas.warnings[0, 4, 0] & Warning_.THIN_TRADING.bit) == flagged
    assert not betas.warnings[0, 3, 0] & Warning_.THIN_TRADING.bit


@pytest.mark.parametrize("observed", [59, 60, 89, 90, 120])
def test_a_history_is_full_when_n_is_the_window(observed: int) -> None:
    """partial_history: n/W; n and the window are kept with every beta."""
    factors, prices = small()
    returns = returns_of(prices)
    returns[: 200 - observed, 4] = NAN
    betas = fit(MODELS["market"], factors, prices, returns, 199)
    assert betas.n[0, 4] == min(observed, betas.model.window)
    assert (betas.reason[0, 4, 0] == NONE) == (observed >= 60)
    assert bool(betas.warnings[0, 4, 0] & Warning_.PARTIAL_HISTORY.bit) == (60 <= observed < 90)


def test_the_rate_of_the_demo_set_ends_with_its_data() -> None:
    prices = real("2016-01-04", "2017-06-30")
    betas = risk(DEMO, prices, 200)
    there = prices.sessions[200:] <= END_OF_RATE
    assert np.isfinite(betas.value[there][:, prices.column("JPM"), -1]).all()
    assert (betas.reason[~there][:, prices.column("JPM"), -1] == Reason.NO_FACTOR_DATA.code).all()
    assert np.isfinite(betas.value[:, prices.column("JPM"), :-1]).all()


def test_the_demo_set_says_what_its_series_are_not() -> None:
    prices = real("2021-06-01", "2022-12-28")
    at = len(prices.sessions) - 1
    flags = dict(zip(MODELS["risk"].published(DEMO), risk(DEMO, prices, at).warnings[0, 0], strict=True))
    market = fit(MODELS["market"], DEMO, prices, returns_of(prices), at).warnings[0, 0, 0]
    assert warnings_of(int(market)) == (Warning_.PRICE_ONLY_MARKET,)
    assert warnings_of(int(flags["spread.value"])) == (Warning_.PROXY_FACTOR, Warning_.PRICE_ONLY_MARKET)
    assert warnings_of(int(flags["spread.momentum"])) == (Warning_.PRICE_ONLY_MARKET,)
    assert flags["risk.rate"] == 0
