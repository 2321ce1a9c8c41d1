"""Factor sets and models: names, members over time, warnings, and real prices against statsmodels."""

from datetime import date
from importlib.resources import files

import numpy as np
import polars as pl
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
    factor_returns,
    fit,
)
from glassfolio.analytics.returns import simple_returns
from glassfolio.model.market import FloatArray, Panel
from glassfolio.model.results import NONE, Reason, Warning_, warnings_of
from tests.analytics.books import panel, weekdays

NAN = float("nan")
PRICES = files("glassfolio") / "bundled" / "prices.parquet"
END_OF_RATE = np.datetime64("2017-03-29")


def real(first: str, last: str) -> Panel:
    """The bundled prices of a range of dates."""
    if not PRICES.is_file():
        pytest.skip("no bundled prices")
    frame = pl.read_parquet(str(PRICES)).filter(
        pl.col("session").is_between(date.fromisoformat(first), date.fromisoformat(last))
    )
    symbols = tuple(name for name in frame.columns if name != "session")
    close = frame.select(pl.col(*symbols).cast(pl.Float64)).to_numpy() / 1000
    return panel(np.ascontiguousarray(close), frame["session"].to_numpy().astype("datetime64[D]"), symbols)


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
    assert MODELS["market"].published(US_ETF) == ("market_beta",)
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


def test_minimum_is_two_thirds_of_the_window() -> None:
    assert [(m.window, m.minimum) for m in MODELS.values()] == [(90, 60), (180, 120)]


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


@pytest.mark.parametrize("day", ["2017-03-29", "2022-12-28"])
@pytest.mark.parametrize("symbol", ["AAPL", "JPM", "KO"])
def test_real_betas_match_statsmodels(symbol: str, day: str) -> None:
    prices = real("2016-01-04", "2017-04-10") if day < "2018" else real("2022-01-03", "2022-12-28")
    at = int(np.searchsorted(prices.sessions, np.datetime64(day)))
    returns = returns_of(prices)
    for model in MODELS.values():
        betas = fit(model, DEMO, prices, returns, at)
        window = slice(at - model.window + 1, at + 1)
        taken = np.flatnonzero(betas.in_model[0])
        x = factor_returns(model.members(DEMO), prices)[window][:, taken]
        truth = sm.OLS(returns[window, prices.column(symbol)], sm.add_constant(x)).fit()
        own = prices.column(symbol)
        np.testing.assert_allclose(betas.value[0, own, taken], truth.params[1:], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(betas.stderr[0, own, taken], truth.bse[1:], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(betas.r2[0, own], truth.rsquared, rtol=1e-9)
        assert len(taken) == (1 if model.key == "market" else 7 if day < "2018" else 6)


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
