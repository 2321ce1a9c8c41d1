"""Scenarios, what they mean for factors, and what they do to portfolios (B5)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import DescrStatsW
from vollib.black_scholes_merton import black_scholes_merton

from glassfolio.analytics.bonds import duration, reprice
from glassfolio.analytics.factors import (
    DEMO,
    FACTOR_SETS,
    MODELS,
    US_ETF,
    FactorSet,
    Member,
    Role,
    factor_returns,
    fit,
)
from glassfolio.analytics.options import Terms, value
from glassfolio.analytics.returns import simple_returns
from glassfolio.analytics.scenarios import SCENARIOS, Group, Replay, Scenario
from glassfolio.analytics.shocks import (
    FactorState,
    Kind,
    Shock,
    conditional_returns,
    covariance,
    factor_state,
    replay_returns,
    shocks_at,
)
from glassfolio.analytics.stress import (
    Band,
    FactorBook,
    OptionBook,
    Outcomes,
    StressResult,
    results,
    stress,
)
from glassfolio.bundled import load_prices
from glassfolio.model.market import FloatArray, Panel
from glassfolio.model.results import NONE, Reason, Warning_
from tests.analytics.books import panel

NAN = float("nan")
RISK = MODELS["risk"]
FEW = settings(max_examples=100, deadline=None)
BY_KEY = {scenario.key: scenario for scenario in SCENARIOS}


# --- the scenarios themselves ---------------------------------------------------------------------------

# key: shocks, rate shift in basis points, volatility points
TABLE: dict[Group, dict[str, tuple[dict[str, float], float, float]]] = {
    Group.BASE: {
        "market_up_5": ({"market": 0.05}, 0, 0),
        "market_down_5": ({"market": -0.05}, 0, 0),
        "rates_up_50": ({}, 50, 0),
        "rates_down_50": ({}, -50, 0),
    },
    Group.MARKET: {
        "market_up_10": ({"market": 0.10}, 0, 0),
        "market_down_10": ({"market": -0.10}, 0, 0),
        "market_crash_35": ({"market": -0.35}, 0, 0),
        "market_rally_25": ({"market": 0.25}, 0, 0),
    },
    Group.RATES: {
        "rates_up_25": ({}, 25, 0),
        "rates_down_25": ({}, -25, 0),
        "rates_up_100": ({}, 100, 0),
        "rates_down_100": ({}, -100, 0),
        "rates_up_300": ({}, 300, 0),
    },
    Group.ROTATION: {
        "value_rotation": ({"value": 0.20, "growth": -0.10}, 0, 0),
        "growth_rally": ({"growth": 0.15, "momentum": 0.10}, 0, 0),
        "small_cap": ({"size": 0.10}, 0, 0),
        "flight_to_quality": ({"quality": 0.12, "market": -0.05}, 0, 0),
    },
    Group.VOLATILITY: {
        "volatility_spike": ({"market": -0.15, "low_vol": 0.05}, 0, 15),
        "liquidity_crisis": ({"market": -0.20, "size": -0.10, "quality": 0.05}, 0, 20),
    },
}
# market and spreads over it, in per cent, on the bundled prices
REPLAYS = {
    "replay_2015": (date(2015, 5, 21), date(2016, 2, 11), (-14.16, -5.41, 5.62, 4.99, 1.53, 10.74)),
    "replay_2018": (date(2018, 9, 20), date(2018, 12, 24), (-19.78, -2.39, -1.40, -0.52, 1.17, 7.27)),
    "replay_2020": (date(2020, 2, 19), date(2020, 3, 23), (-33.92, -4.84, -0.16, -0.13, -5.19, 0.90)),
    "replay_vaccine": (date(2020, 11, 6), date(2020, 11, 24), (3.59, 8.31, -4.97, 0.65, 4.52, -0.87)),
    "replay_2022": (date(2022, 1, 3), date(2022, 6, 16), (-23.55, 4.26, -3.62, -1.18, 1.42, 7.10)),
}


@pytest.mark.parametrize("group", TABLE)
def test_the_table_of_scenarios(group: Group) -> None:
    there = {s.key: s for s in SCENARIOS if s.group is group}
    assert there.keys() == TABLE[group].keys()
    for key, (shocks, basis_points, points) in TABLE[group].items():
        scenario = there[key]
        assert dict(scenario.shocks) == shocks
        assert scenario.rate_shift == pytest.approx(basis_points / 10_000)
        assert scenario.volatility_shift == pytest.approx(points / 100)
        assert scenario.replay is None


def test_the_table_of_replays() -> None:
    there = {s.key: s.replay for s in SCENARIOS if s.group is Group.REPLAY}
    assert there == {key: Replay(start, end) for key, (start, end, _) in REPLAYS.items()}


def test_every_scenario_has_a_title_and_a_key_of_its_own() -> None:
    assert len(BY_KEY) == len(SCENARIOS) == len({s.title for s in SCENARIOS}) == 24
    assert BY_KEY["rates_down_50"].title == "Rates down 50 basis points"


# --- from scenarios to factors --------------------------------------------------------------------------


def state(
    factors: FactorSet, sigma: FloatArray | None = None, out: Sequence[str] = (), members: int | None = None
) -> FactorState:
    """All factors of a set in the model but those of `out`; uncorrelated unless told otherwise."""
    there = RISK.members(factors)[:members]
    known = np.array([m.key not in out for m in there])
    return FactorState(there, known, np.diag(np.full(len(there), 1e-4)) if sigma is None else sigma)


def flat(factors: FactorSet, rows: int = 3) -> Panel:
    return panel(np.full((rows, len(factors.series)), 100.0), symbols=factors.series)


def shocks_of(key: str, factors: FactorSet, at: FactorState, rate_yield: float = 0.04) -> list[Shock]:
    return list(shocks_at(factors, at, flat(factors), rate_yield, [BY_KEY[key]]))


def moves(shock: Shock, at: FactorState) -> dict[str, float]:
    """The factors that move, by their keys."""
    return {m.key: float(move) for m, move in zip(at.members, shock.returns, strict=True) if move}


def test_every_name_of_a_scenario_is_known_to_the_factor_set_or_reported() -> None:
    """Pitfall: names that differed between map and store let the market leg contribute nothing."""
    for factors, unknown in ((US_ETF, set()), (DEMO, {"growth"})):
        at = state(factors)
        for scenario in SCENARIOS:
            if scenario.replay:
                continue
            (direct, _) = shocks_of(scenario.key, factors, at)
            named = {*scenario.shocks, *(["rate"] if scenario.rate_shift else [])}
            assert set(direct.missing) == named & unknown, scenario.key
            assert set(direct.missing.values()) <= {Reason.FACTOR_NOT_IN_SET}
            assert direct.given.any(), scenario.key


@pytest.mark.parametrize("factors", FACTOR_SETS.values(), ids=FACTOR_SETS.keys())
def test_a_market_shock_moves_the_market_factor_of_every_set(factors: FactorSet) -> None:
    at = state(factors)
    for key, move in (("market_crash_35", -0.35), ("market_up_5", 0.05)):
        assert moves(shocks_of(key, factors, at)[0], at) == {"market": move}


@pytest.mark.parametrize(
    ("factors", "key", "expected"),
    [
        (US_ETF, "value_rotation", {"growth_value": -0.30}),
        (US_ETF, "growth_rally", {"growth_value": 0.15, "momentum": 0.10}),
        (US_ETF, "small_cap", {"size": 0.10}),
        (US_ETF, "flight_to_quality", {"quality": 0.12, "market": -0.05}),
        (US_ETF, "liquidity_crisis", {"market": -0.20, "quality": 0.05, "size": -0.10}),
        (DEMO, "value_rotation", {"value": 0.20}),
        (DEMO, "growth_rally", {"momentum": 0.10}),
        (DEMO, "volatility_spike", {"market": -0.15, "low_vol": 0.05}),
    ],
)
def test_a_style_moves_the_spreads_that_it_is_a_leg_of(
    factors: FactorSet, key: str, expected: dict[str, float]
) -> None:
    """Shocks of styles are relative to the market; growth less value takes growth and gives value."""
    at = state(factors)
    assert moves(shocks_of(key, factors, at)[0], at) == pytest.approx(expected)


def test_a_spread_may_be_named_by_its_own_key() -> None:
    spread = Member("momentum", Role.SPREAD, "B", "A")
    two = FactorSet("two", (Member("market", Role.MARKET, "A"), spread))
    at = state(two)
    shock = shocks_of("growth_rally", two, at)[0]
    assert moves(shock, at) == {"momentum": 0.10}
    assert shock.missing == {"growth": Reason.FACTOR_NOT_IN_SET}


def test_a_factor_of_the_set_that_is_not_in_the_model_today_is_named_so() -> None:
    at = state(DEMO, out=["rate", "size"])
    (direct, correlated) = shocks_of("rates_up_100", DEMO, at)
    assert direct.missing == {"rate": Reason.NO_FACTOR_DATA}
    assert not direct.given.any()
    assert correlated.missing == {"rate": Reason.NO_FACTOR_DATA, "size": Reason.NO_FACTOR_DATA}
    (crisis, _) = shocks_of("liquidity_crisis", DEMO, at)
    assert crisis.missing == {"size": Reason.NO_FACTOR_DATA}
    assert moves(crisis, at) == {"market": -0.20, "quality": 0.05}


@pytest.mark.parametrize(("factors", "maturity"), [(US_ETF, 25.5), (DEMO, 20.0)])
def test_rates_up_the_long_bond_falls_by_about_its_duration(factors: FactorSet, maturity: float) -> None:
    """Pitfall: NAV times beta times the shift had the wrong sign and was sixteen times too small."""
    at = state(factors)
    assert {m.maturity for m in at.members if m.role is Role.RATE} == {maturity}
    assert [m.maturity for m in at.members if m.role is not Role.RATE] == [None] * (len(at.members) - 1)
    up, down = (shocks_of(key, factors, at)[0].returns[-1] for key in ("rates_up_25", "rates_down_25"))
    assert up < 0 < down
    assert (down - up) / 2 == pytest.approx(duration(maturity, 0.04) * 0.0025, rel=1e-9)
    hundred = shocks_of("rates_up_100", factors, at)[0].returns[-1]
    assert hundred == pytest.approx(reprice(maturity, 0.04, 0.01), abs=0.002)
    far = shocks_of("rates_up_300", factors, at, 0.03)[0].returns[-1]
    assert far == reprice(maturity, 0.03, 0.03)


def test_a_rate_factor_without_a_maturity_cannot_be_shocked() -> None:
    bond = Member("rate", Role.RATE, "B")
    two = FactorSet("two", (Member("market", Role.MARKET, "A"), bond))
    assert shocks_of("rates_up_50", two, state(two))[0].missing == {"rate": Reason.NO_MODEL_INPUTS}
    one = FactorSet("one", two.members[:1])
    assert shocks_of("rates_up_50", one, state(one))[0].missing == {"rate": Reason.FACTOR_NOT_IN_SET}


# --- correlated -----------------------------------------------------------------------------------------


def random_returns(rows: int, factors: int, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    mixed: FloatArray = rng.normal(0, 0.01, (rows, factors)) @ rng.normal(0, 1, (factors, factors))
    return mixed


def test_the_covariance_weighs_recent_sessions_more() -> None:
    """504 sessions, weights halving every 126; statsmodels' weighted covariance with numpy's divisor."""
    returns = random_returns(700, 4)
    weights = 0.5 ** (np.arange(503, -1, -1) / 126)
    truth = DescrStatsW(returns[-504:], weights=weights, ddof=0).cov
    truth = truth * weights.sum() / (weights.sum() - (weights**2).sum() / weights.sum())
    np.testing.assert_allclose(covariance(returns), truth, rtol=1e-9)
    np.testing.assert_allclose(covariance(returns), np.cov(returns[-504:].T, aweights=weights), rtol=1e-9)


def test_rows_with_a_hole_are_left_out_and_keep_their_age() -> None:
    returns = random_returns(504, 3)
    returns[[10, 400, 500], 1] = NAN
    rows = np.flatnonzero(np.isfinite(returns[:, 1]))
    truth = np.cov(returns[rows].T, aweights=0.5 ** ((503 - rows) / 126))
    np.testing.assert_allclose(covariance(returns), truth, rtol=1e-12)


def test_a_young_factor_is_left_out_and_the_others_stay() -> None:
    returns = random_returns(504, 3)
    returns[: 504 - 335, 2] = NAN
    got = covariance(returns)
    assert np.isnan(got[2]).all()
    assert np.isnan(got[:, 2]).all()
    np.testing.assert_array_equal(got[:2, :2], covariance(returns[:, :2]))
    returns[504 - 336, 2] = 0.01
    assert np.isfinite(covariance(returns)).all()
    assert np.isnan(covariance(returns[-335:])).all()
    assert np.isfinite(covariance(returns[-336:])).all()
    scattered = random_returns(504, 2)
    scattered[:100, 0], scattered[404:, 1] = NAN, NAN
    assert np.isnan(covariance(scattered)).all()


def sigma_of(volatility: Sequence[float], correlation: Sequence[Sequence[float]]) -> FloatArray:
    scale = np.array(volatility)
    full: FloatArray = np.array(correlation) * np.outer(scale, scale)
    return full


def test_one_shock_moves_another_factor_by_its_correlation_and_their_volatilities() -> None:
    """Closed form: s ρ σ_j / σ_k. Pitfall: shock times ρ."""
    sigma = sigma_of([0.2, 0.1, 0.05], [[1, 0.5, -0.4], [0.5, 1, 0], [-0.4, 0, 1]])
    got = conditional_returns(sigma, np.array([True, False, False]), np.array([-0.10, 0, 0]))
    np.testing.assert_allclose(got, [-0.10, -0.10 * 0.5 * 0.1 / 0.2, 0.10 * 0.4 * 0.05 / 0.2], rtol=1e-12)


def test_two_shocks_have_a_closed_form_too() -> None:
    """Partial slopes of two correlated regressors. Pitfall: adding up both single answers."""
    a, b, c = 0.6, 0.3, 0.5
    sigma = sigma_of([0.2, 0.1, 0.05], [[1, a, b], [a, 1, c], [b, c, 1]])
    got = conditional_returns(sigma, np.array([True, True, False]), np.array([-0.10, 0.04, 0]))
    first = (b - a * c) / (1 - a * a) * 0.05 / 0.2
    second = (c - a * b) / (1 - a * a) * 0.05 / 0.1
    np.testing.assert_allclose(got, [-0.10, 0.04, -0.10 * first + 0.04 * second], rtol=1e-12)


def test_the_conditional_mean_is_recovered_from_draws() -> None:
    """Of four million draws, those near the shock: their mean of the third factor, within 4 errors."""
    sigma = sigma_of([1.0, 2.0, 1.5], [[1, 0.6, 0.3], [0.6, 1, 0.5], [0.3, 0.5, 1]])
    draws = np.random.default_rng(7).multivariate_normal([0, 0, 0], sigma, 4_000_000)
    near = draws[(np.abs(draws[:, 0] + 1.0) < 0.05) & (np.abs(draws[:, 1] - 0.5) < 0.05)]
    (_, _, expected) = conditional_returns(sigma, np.array([True, True, False]), np.array([-1.0, 0.5, 0]))
    error = near[:, 2].std() / np.sqrt(len(near))
    assert len(near) > 1000
    assert abs(near[:, 2].mean() - expected) < 4 * error


def test_without_correlation_correlated_is_direct() -> None:
    at = state(US_ETF)
    for scenario in SCENARIOS:
        if not scenario.replay:
            direct, correlated = shocks_of(scenario.key, US_ETF, at)
            assert (direct.kind, correlated.kind) == (Kind.DIRECT, Kind.CORRELATED)
            np.testing.assert_allclose(correlated.returns, direct.returns, rtol=1e-12)
            np.testing.assert_array_equal(correlated.given, direct.given)


def test_two_near_identical_factors_are_not_clamped_and_two_identical_ones_do_no_harm() -> None:
    """Pitfall: correlation clamped at 0.95."""
    close = sigma_of([0.2, 0.2, 0.1], [[1, 0.9999, 0.5], [0.9999, 1, 0.5], [0.5, 0.5, 1]])
    got = conditional_returns(close, np.array([True, False, False]), np.array([-0.10, 0, 0]))
    assert got[1] == pytest.approx(-0.09999)
    twins = sigma_of([0.2, 0.2, 0.1], [[1, 1, 0.5], [1, 1, 0.5], [0.5, 0.5, 1]])
    got = conditional_returns(twins, np.array([True, True, False]), np.array([-0.10, -0.10, 0]))
    assert got[2] == pytest.approx(-0.10 * 0.5 * 0.1 / 0.2)


def test_a_factor_that_never_moves_follows_nothing_and_leads_nothing() -> None:
    sigma = sigma_of([0.2, 0.0, 0.1], [[1, 0, 0.5], [0, 0, 0], [0.5, 0, 1]])
    got = conditional_returns(sigma, np.array([True, False, False]), np.array([-0.10, 0, 0]))
    assert got[1] == 0
    led = conditional_returns(sigma, np.array([False, True, False]), np.array([0, -0.10, 0]))
    np.testing.assert_array_equal(led, [0, -0.10, 0])


def test_without_history_of_a_shocked_factor_there_is_no_correlated_answer() -> None:
    sigma = np.diag(np.full(7, 1e-4))
    sigma[0], sigma[:, 0] = NAN, NAN
    _, correlated = shocks_of("market_up_5", US_ETF, state(US_ETF, sigma))
    assert correlated.reason is Reason.INSUFFICIENT_HISTORY
    _, small = shocks_of("small_cap", US_ETF, state(US_ETF, sigma))
    assert small.reason is None
    assert small.missing == {"market": Reason.INSUFFICIENT_HISTORY}
    assert small.returns[0] == 0


def test_a_factor_that_left_the_model_does_not_follow() -> None:
    sigma = np.full((7, 7), 0.5e-4) + np.diag(np.full(7, 0.5e-4))
    _, correlated = shocks_of("market_up_5", DEMO, state(DEMO, sigma, out=["rate"]))
    assert correlated.returns[-1] == 0
    np.testing.assert_allclose(correlated.returns[1:-1], 0.025)
    assert correlated.missing == {"rate": Reason.NO_FACTOR_DATA}


# --- replay ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundled() -> Panel:
    table = load_prices()
    ones = np.ones_like(table.close)
    ordinals = np.arange(len(table.sessions), dtype=np.int64)
    return Panel(table.sessions, ordinals, table.symbols, table.close, ones, 0 * ones, {})


@pytest.mark.parametrize("key", REPLAYS)
def test_replays_of_the_bundled_prices(bundled: Panel, key: str) -> None:
    start, end, percents = REPLAYS[key]
    got = replay_returns(RISK.members(DEMO), bundled, Replay(start, end))
    np.testing.assert_array_equal(np.round(100 * got[:6], 2), percents)
    assert np.isfinite(got[6]) == (key == "replay_2015")


def two_series(rows: Sequence[Sequence[float]]) -> tuple[FactorSet, Panel]:
    members = (Member("market", Role.MARKET, "A"), Member("value", Role.SPREAD, "B", "A"))
    return FactorSet("two", members), panel(np.array(rows, dtype=np.float64), symbols=("A", "B"))


def test_a_replayed_spread_is_the_difference_of_compounded_legs() -> None:
    """Not the compounded difference: +10 % twice against -10 % twice is 21 + 19 = 40 %, not 44 %."""
    two, prices = two_series([[100, 100], [90, 110], [81, 121]])
    days = [day.item() for day in prices.sessions]
    got = replay_returns(two.members, prices, Replay(days[0], days[2]))
    np.testing.assert_allclose(got, [-0.19, 0.40])


def test_a_replay_reinvests_dividends_bears_splits_and_bridges_gaps() -> None:
    two, prices = two_series([[100, 100], [NAN, 51], [110, 50]])
    dividend, split = prices.dividend.copy(), prices.split.copy()
    dividend[1, 1], split[1, 1] = 1.0, 2.0
    days = [day.item() for day in prices.sessions]
    got = replay_returns(
        two.members, replace(prices, dividend=dividend, split=split), Replay(days[0], days[2])
    )
    np.testing.assert_allclose(got, [0.10, 2 * 52 / 100 * 50 / 51 - 1 - 0.10])


def test_a_replay_between_days_without_sessions_takes_the_sessions_before_them() -> None:
    two, prices = two_series([[100, 100], [90, 110], [81, 121]])
    fridays = np.array(["2020-01-03", "2020-01-10", "2020-01-17"], dtype="datetime64[D]")
    weekly = replace(prices, sessions=fridays)
    got = replay_returns(two.members, weekly, Replay(date(2020, 1, 5), date(2020, 1, 12)))
    np.testing.assert_allclose(got[0], -0.10)


def test_a_replay_is_missing_where_a_series_does_not_reach() -> None:
    two, prices = two_series([[100, NAN], [90, 110], [81, 121]])
    days = [day.item() for day in prices.sessions]
    got = replay_returns(two.members, prices, Replay(days[0], days[1]))
    assert got[0] == pytest.approx(-0.10)
    assert np.isnan(got[1])
    early = replay_returns(two.members, prices, Replay(date(2019, 1, 2), days[1]))
    assert np.isnan(early).all()
    gone = replace(two.members[0], valid_to=days[1])
    fresh = replace(two.members[0], valid_from=days[1])
    assert np.isfinite(replay_returns([gone], prices, Replay(days[0], days[1]))).all()
    assert np.isnan(replay_returns([gone], prices, Replay(days[0], days[2]))).all()
    assert np.isnan(replay_returns([fresh], prices, Replay(days[0], days[2]))).all()
    assert np.isfinite(replay_returns([fresh], prices, Replay(days[1], days[2]))).all()
    unknown = replace(two.members[0], series="C")
    assert np.isnan(replay_returns([unknown], prices, Replay(days[0], days[2]))).all()


def test_a_replay_of_later_sessions_is_not_known_yet(bundled: Panel) -> None:
    """No look-ahead: in the middle of 2020's crash its end has not happened."""
    until = int(np.searchsorted(bundled.sessions, np.datetime64("2020-03-20"))) + 1
    cut = replace(
        bundled,
        sessions=bundled.sessions[:until],
        ordinals=bundled.ordinals[:until],
        close=bundled.close[:until],
        split=bundled.split[:until],
        dividend=bundled.dividend[:until],
    )
    members = RISK.members(DEMO)
    at = factor_state(members, cut, np.array([m.role is not Role.RATE for m in members]))
    replays = {s.scenario.key: s for s in shocks_at(DEMO, at, cut, 0.04) if s.kind is Kind.REPLAY}
    assert not replays["replay_2020"].given.any()
    assert replays["replay_2020"].missing["market"] is Reason.INSUFFICIENT_HISTORY
    assert replays["replay_2018"].given[:6].all()
    assert replays["replay_2018"].missing == {"rate": Reason.NO_FACTOR_DATA}


# --- from factors to portfolios -------------------------------------------------------------------------

FACTORS = RISK.members(US_ETF)
K = len(FACTORS)


def book(*dollars: Sequence[float], nav: float = 100_000.0, coverage: float = 1.0) -> FactorBook:
    """Portfolios by their dollars per factor; NaN is too little coverage."""
    d = np.array(dollars, dtype=np.float64)
    reason = np.where(np.isnan(d), Reason.LOW_COVERAGE.code, NONE).astype(np.int8)
    return FactorBook(FACTORS, d, reason, np.full(d.shape, coverage), np.full(len(d), nav))


def one_shock(returns: Sequence[float], **extra: float) -> Shock:
    moved = np.array(returns, dtype=np.float64)
    scenario = Scenario("test", Group.BASE, "Test", **extra)  # type: ignore[arg-type]
    return Shock(scenario, Kind.DIRECT, moved, moved != 0, {})


def only(outcomes: Outcomes) -> StressResult:
    (result,) = results(outcomes)
    return result


def pnl(outcomes: Outcomes) -> float:
    """The one P&L there must be."""
    amount = only(outcomes).pnl
    assert amount is not None
    return amount


MARKET = [1.0, 0, 0, 0, 0, 0, 0]


def market(move: float, **extra: float) -> Shock:
    return replace(one_shock([move * x for x in MARKET], **extra), given=np.array(MARKET) > 0)


def test_the_pnl_is_the_sum_of_dollars_times_shocks() -> None:
    got = only(
        stress(book([1000, -200, 0, 300, 0, 0, -5000]), [one_shock([-0.1, 0.3, 0.5, 0.2, 0, 0, -0.14])])
    )
    assert got.pnl == pytest.approx(-100 - 60 + 60 + 700)
    assert got.loss == pytest.approx(0.006)
    assert got.factors_used == ("market", "growth_value", "momentum", "quality", "rate")
    assert got.shocks == {"market": -0.1, "growth_value": 0.3, "momentum": 0.5, "quality": 0.2, "rate": -0.14}


def test_a_market_shock_moves_every_book_that_has_a_beta(bundled: Panel) -> None:
    """On real prices, from the regression to the P&L; the names agree all the way."""
    window = slice(-600, None)
    recent = replace(
        bundled,
        sessions=bundled.sessions[window],
        ordinals=bundled.ordinals[window],
        close=bundled.close[window],
        split=bundled.split[window],
        dividend=bundled.dividend[window],
    )
    returns = simple_returns(recent.close, recent.split, recent.dividend)
    betas = fit(RISK, DEMO, recent, returns, 599)
    members = RISK.members(DEMO)
    at = factor_state(members, recent, betas.in_model[-1])
    x = np.where(np.isin(recent.symbols, ["AAPL", "JPM"]), 50_000.0, 0.0)
    beta = betas.value[-1]
    dollars = np.nansum(np.where(x[:, None] != 0, x[:, None] * beta, 0), axis=0)
    known = betas.in_model[-1]
    real = FactorBook(
        members,
        np.where(known, dollars, NAN)[None, :],
        np.where(known, NONE, Reason.NO_FACTOR_DATA.code).astype(np.int8)[None, :],
        np.ones((1, len(members))),
        np.array([100_000.0]),
    )
    got = {(r.key, r.kind): r for r in results(stress(real, shocks_at(DEMO, at, bundled, 0.04)))}
    assert len(got) == 19 * 2 + 5
    crash = got["market_crash_35", Kind.DIRECT]
    assert crash.pnl == pytest.approx(-0.35 * dollars[0])
    assert dollars[0] > 60_000
    for (key, _), result in got.items():
        assert (result.pnl is None) == key.startswith("rates_"), key
        if BY_KEY[key].replay:
            _, _, percents = REPLAYS[key]
            assert result.pnl == pytest.approx(np.array(percents) / 100 @ dollars[:6], abs=60)
    spike = got["volatility_spike", Kind.CORRELATED]
    truth = np.cov(
        factor_returns(members, recent)[-504:, :6].T, aweights=0.5 ** (np.arange(503, -1, -1) / 126)
    )
    rest, given = [1, 2, 3, 4], [0, 5]
    followed = truth[np.ix_(rest, given)] @ np.linalg.inv(truth[np.ix_(given, given)]) @ [-0.15, 0.05]
    assert spike.pnl == pytest.approx(
        -0.15 * dollars[0] + 0.05 * dollars[5] + followed @ dollars[rest], rel=1e-9
    )


def test_a_market_neutral_book_can_lose_more_than_its_nav() -> None:
    """Pitfall: net exposure near 0 replaced by 1.0 and losses capped at 99 % of it: at most 99 cents."""
    neutral = book([0, -400_000, 0, 0, 0, 0, 0])
    got = only(stress(neutral, [one_shock([0, 0.3, 0, 0, 0, 0, 0])]))
    assert got.pnl == pytest.approx(-120_000)
    assert got.loss == pytest.approx(-1.2)
    assert got.wipe_out is True
    assert got.band is Band.EXTREME


def test_a_net_short_book_loses_when_the_market_rises() -> None:
    got = only(stress(book([-150_000, 0, 0, 0, 0, 0, 0]), [market(0.25)]))
    assert (got.pnl, got.loss, got.wipe_out) == (-37_500, -0.375, False)


def test_gains_are_not_capped_either() -> None:
    got = only(stress(book([9e6, 0, 0, 0, 0, 0, 0]), [market(0.25)]))
    assert got.loss == pytest.approx(22.5)
    assert got.wipe_out is False


@pytest.mark.parametrize(
    ("dollars", "band"),
    [
        (0, Band.BASE),
        (49_999, Band.BASE),
        (50_000, Band.MILD),
        (99_990, Band.MILD),
        (100_000, Band.MODERATE),
        (199_990, Band.MODERATE),
        (200_000, Band.SEVERE),
        (349_990, Band.SEVERE),
        (350_000, Band.EXTREME),
        (9e6, Band.EXTREME),
    ],
)
@pytest.mark.parametrize("move", [0.1, -0.1])
def test_bands_are_by_the_size_of_the_loss_and_begin_at_their_edge(
    dollars: float, band: Band, move: float
) -> None:
    """A move of exactly 5 % is mild, whatever its digits."""
    for nav in (100_000.0, 3.0, 1e9):
        scaled = dollars * nav / 100_000
        assert only(stress(book([scaled, 0, 0, 0, 0, 0, 0], nav=nav), [market(move)])).band is band


@pytest.mark.parametrize(("loss", "gone"), [(99_999, False), (100_000, True), (150_000, True)])
def test_nothing_is_left_when_the_loss_reaches_the_nav(loss: float, gone: bool) -> None:
    assert only(stress(book([loss, 0, 0, 0, 0, 0, 0]), [market(-1.0)])).wipe_out is gone


@pytest.mark.parametrize("nav", [0.0, -5.0])
def test_without_positive_nav_the_money_stays_and_the_loss_goes(nav: float) -> None:
    got = only(stress(book([1000, 0, 0, 0, 0, 0, 0], nav=nav), [market(-0.1)]))
    assert (got.pnl, got.loss, got.band, got.reason) == (-100, None, None, None)
    assert got.loss_reason is Reason.NONPOSITIVE_NAV
    assert got.wipe_out is True


def test_a_factor_without_dollars_is_left_out_and_named() -> None:
    got = only(
        stress(book([1000, 0, 0, 0, NAN, 0, 0], coverage=0.97), [one_shock([-0.2, 0, 0, 0.05, -0.1, 0, 0])])
    )
    assert got.pnl == pytest.approx(-200)
    assert got.factors_used == ("market", "quality")
    assert got.factors_missing == {"size": Reason.LOW_COVERAGE}
    assert got.warnings == (Warning_.PARTIAL_COVERAGE,)


def test_a_scenario_none_of_whose_factors_is_left_has_no_answer() -> None:
    """Never 0: what it would do is not known."""
    got = only(stress(book([NAN] * K, coverage=0.4), [market(-0.1)]))
    assert (got.pnl, got.loss, got.band, got.wipe_out) == (None, None, None, None)
    assert got.reason is got.loss_reason is Reason.LOW_COVERAGE
    assert got.coverage == 0.4
    assert got.factors_used == ()
    assert got.warnings == ()
    unknown = Shock(
        BY_KEY["growth_rally"],
        Kind.DIRECT,
        np.zeros(K),
        np.zeros(K, np.bool_),
        {"growth": Reason.FACTOR_NOT_IN_SET},
    )
    assert only(stress(book([1.0] * K), [unknown])).reason is Reason.FACTOR_NOT_IN_SET
    early = replace(market(-0.1), reason=Reason.INSUFFICIENT_HISTORY)
    assert only(stress(book([1.0] * K), [early])).reason is Reason.INSUFFICIENT_HISTORY


def test_correlation_alone_does_not_answer_for_a_factor_that_is_missing() -> None:
    """The book has no market dollars; that the others follow the market is no answer to a market shock."""
    shock = replace(one_shock([-0.1, 0.02, 0, 0, 0, 0, 0]), given=np.array([True] + [False] * 6))
    got = only(stress(book([NAN, 1000, 0, 0, 0, 0, 0]), [shock]))
    assert got.reason is Reason.LOW_COVERAGE


@pytest.mark.parametrize(("coverage", "warned"), [(0.94, True), (0.95, False), (1.0, False)])
def test_coverage_is_the_least_of_the_factors_that_move(coverage: float, warned: bool) -> None:
    covered = book([1000.0] * K)
    covered.coverage[0, :] = [0.99, 0.3, 1, 1, coverage, 1, 1]
    got = only(stress(covered, [one_shock([-0.2, 0, 0, 0.05, -0.1, 0, 0])]))
    assert got.coverage == min(0.99, coverage)
    assert (Warning_.PARTIAL_COVERAGE in got.warnings) is warned


def test_what_a_factor_carries_its_results_carry() -> None:
    members = RISK.members(DEMO)
    demo = replace(book([1000.0] * K), members=members)
    assert only(stress(demo, [market(-0.1)])).warnings == (Warning_.PRICE_ONLY_MARKET,)
    size = one_shock([0, 0, 0, 0, 0.1, 0, 0])
    assert only(stress(demo, [size])).warnings == (Warning_.PROXY_FACTOR, Warning_.PRICE_ONLY_MARKET)


def test_dollars_without_a_number_need_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        replace(book([1.0] * K), reason=np.zeros((1, K), dtype=np.int8))


def test_a_result_says_which_scenario_it_is() -> None:
    at = state(US_ETF)
    shocks = shocks_at(US_ETF, at, flat(US_ETF), 0.04)
    assert [s.kind for s in shocks] == [Kind.DIRECT] * 19 + [Kind.REPLAY] * 5 + [Kind.CORRELATED] * 19
    got = results(stress(book([1000.0] * K), shocks))
    assert [(r.key, r.kind) for r in got] == [(s.scenario.key, s.kind) for s in shocks]
    spike = next(r for r in got if r.key == "volatility_spike")
    assert (spike.group, spike.title) == (Group.VOLATILITY, "Volatility spike")
    assert (spike.rate_shift, spike.volatility_shift) == (0.0, 0.15)
    assert {r.rate_shift for r in got if r.key == "rates_up_50"} == {0.005}


dollar_rows = st.lists(st.one_of(st.just(NAN), st.floats(-1e6, 1e6)), min_size=K, max_size=K)
shock_rows = st.lists(st.floats(-0.5, 0.5), min_size=K, max_size=K)


@given(st.lists(dollar_rows, min_size=1, max_size=6), st.lists(shock_rows, min_size=1, max_size=5))
@FEW
def test_a_portfolios_figures_do_not_depend_on_the_others(
    dollars: list[list[float]], shocks: list[list[float]]
) -> None:
    """To the last bit, nor on the other scenarios; and every number is there or has its reason."""
    drawn = [one_shock(row) for row in shocks]
    together = stress(book(*dollars), drawn)
    np.testing.assert_array_equal(np.isnan(together.pnl), together.reason != NONE)
    np.testing.assert_array_equal(np.isnan(together.loss), together.loss_reason != NONE)
    np.testing.assert_array_equal(together.band == NONE, together.loss_reason != NONE)
    for p, row in enumerate(dollars):
        for n, shock in enumerate(drawn):
            alone = only(stress(book(row), [shock]))
            assert results(together, p)[n] == alone
            assert (alone.pnl is None) == (alone.reason is not None)


@given(dollar_rows, shock_rows)
@FEW
def test_a_linear_book_gains_what_its_mirror_loses(dollars: list[float], shocks: list[float]) -> None:
    """Odd in the shocks and odd in the book."""
    there, back = one_shock(shocks), one_shock([-move for move in shocks])
    got = stress(book(dollars, [-d for d in dollars]), [there, back])
    np.testing.assert_array_equal(got.pnl[0], -got.pnl[1])
    np.testing.assert_array_equal(got.pnl[:, 0], -got.pnl[:, 1])


# --- options --------------------------------------------------------------------------------------------


def options(
    *sizes: float,
    call: bool = True,
    strike: float = 100.0,
    years: float = 0.25,
    volatility: float = 0.25,
    beta: Sequence[float] = MARKET,
    stated: float | None = None,
) -> OptionBook:
    """Positions in one contract on a stock of 100 USD, one portfolio each."""
    shape = len(sizes)

    def each(number: float) -> FloatArray:
        return np.full(shape, number)

    terms = Terms(
        np.full(shape, call), each(100.0), each(strike), each(years), each(0.03), each(0.01), each(volatility)
    )
    now = value(terms)
    paid = now.price if stated is None else each(stated)
    return OptionBook(
        np.arange(shape), np.array(sizes), terms, paid, now.delta, np.tile(np.array(beta), (shape, 1))
    )


def option_book(positions: OptionBook, nav: float = 100_000.0) -> FactorBook:
    """Portfolios that hold nothing else: dollars are delta exposure times beta."""
    exposure = positions.size * positions.delta * positions.terms.spot
    return book(*(exposure[:, None] * np.nan_to_num(positions.beta)), nav=nav)


def bsm(flag: str, spot: float, volatility: float = 0.25, rate: float = 0.03, strike: float = 100.0) -> float:
    return float(black_scholes_merton(flag, spot, strike, 0.25, rate, volatility, 0.01))


@pytest.mark.parametrize("call", [True, False])
@pytest.mark.parametrize("move", [-0.35, -0.1, 0.05, 0.25])
def test_options_are_valued_anew_instead_of_by_their_delta(call: bool, move: float) -> None:
    """At S (1 + Σ β s), r + Δy and σ + points; floored at intrinsic value as their prices are."""
    held = options(300.0, call=call, beta=[1.2, 0, 0, 0.5, 0, 0, 0])
    shock = one_shock([move, 0, 0, 0.04, 0, 0, 0], rate_shift=0.01, volatility_shift=0.15)
    got = only(stress(option_book(held), [shock], held))
    spot, flag, sign = 100 * (1 + 1.2 * move + 0.5 * 0.04), "c" if call else "p", 1 if call else -1
    after = max(bsm(flag, spot, 0.40, 0.04), sign * (spot - 100), 0.0)
    assert got.pnl == pytest.approx(300 * (after - bsm(flag, 100)), rel=1e-9)
    assert Warning_.MODEL_PRICE in got.warnings


def test_a_long_option_cannot_lose_more_than_its_value() -> None:
    """By its delta a call would lose several times what it cost."""
    held = options(1000.0, years=0.05, beta=[1.5, 0, 0, 0, 0, 0, 0])
    worth = 1000 * float(held.price[0])
    assert pnl(stress(option_book(held), [market(-0.35)])) < -5 * worth
    assert pnl(stress(option_book(held), [market(-0.35)], held)) == pytest.approx(-worth, rel=1e-9)
    cheap = options(1000.0, years=0.05, stated=0.5)
    assert only(stress(option_book(cheap), [market(-0.35)], cheap)).pnl == pytest.approx(-500)


def test_a_short_call_can_lose_without_limit() -> None:
    sold = options(-1000.0, years=0.05, beta=[3.0, 0, 0, 0, 0, 0, 0])
    got = stress(option_book(sold, nav=50_000), [market(0.25)], sold)
    assert pnl(got) < -70_000
    assert only(got).wipe_out is True


def test_an_option_gains_from_a_move_in_either_direction_beside_its_hedge() -> None:
    """Calls, and a short position in the stock that cancels their delta."""
    held = options(1000.0)
    hedged = book([0.0] * K)
    assert pnl(stress(hedged, [market(0.1)], held)) > 0
    assert pnl(stress(hedged, [market(-0.1)], held)) > 0


def test_volatility_points_move_options_by_their_vega() -> None:
    held = options(1000.0)
    vega = float(value(held.terms).vega[0])
    calm = one_shock([1e-9, 0, 0, 0, 0, 0, 0], volatility_shift=0.01)
    got = only(stress(option_book(held), [calm], held))
    assert got.pnl == pytest.approx(1000 * vega, rel=1e-3)
    collapse = one_shock([1e-9, 0, 0, 0, 0, 0, 0], volatility_shift=-0.5)
    assert only(stress(option_book(held), [collapse], held)).pnl is not None


def test_rates_move_options_by_their_rho() -> None:
    held = options(1000.0, beta=[0, 0, 0, 0, 0, 0, 0.0])
    rates = one_shock([0, 0, 0, 0, 0, 0, -1e-9], rate_shift=0.0001)
    got = only(stress(option_book(held), [rates], held))
    assert got.pnl == pytest.approx(1000 * float(value(held.terms).rho[0]) / 100, rel=1e-3)


def test_nothing_happens_to_options_when_nothing_happens() -> None:
    """Whatever the stated price was, and whatever volatility explains it."""
    for stated in (None, 0.5, 30.0):
        held = options(1000.0, stated=stated)
        still = replace(market(1.0), returns=np.zeros(K))
        assert only(stress(option_book(held), [still], held)).pnl == 0


def test_a_stock_cannot_fall_below_nothing() -> None:
    held = options(100.0, call=False, beta=[4.0, 0, 0, 0, 0, 0, 0])
    got = only(stress(option_book(held), [market(-0.35)], held))
    assert got.pnl == pytest.approx(100 * (100 - bsm("p", 100)), rel=1e-9)


@pytest.mark.parametrize("what", ["beta", "volatility", "delta"])
def test_an_option_that_cannot_be_valued_anew_stays_linear(what: str) -> None:
    """Without a beta it is in no exposure either, and contributes nothing."""
    held = options(1000.0)
    whole = option_book(held)
    unknown = {
        "beta": replace(held, beta=np.full((1, K), NAN)),
        "volatility": replace(held, terms=replace(held.terms, volatility=np.array([NAN]))),
        "delta": replace(held, delta=np.array([NAN])),
    }[what]
    shock = market(-0.2, volatility_shift=0.3)
    got, linear = stress(whole, [shock], unknown), stress(whole, [shock])
    np.testing.assert_array_equal(got.pnl, linear.pnl)
    assert Warning_.MODEL_PRICE not in only(got).warnings


def test_a_factor_that_the_portfolio_lacks_does_not_move_its_options() -> None:
    held = options(1000.0, beta=[1, 0, 0, 2, 0, 0, 0])
    lacking = option_book(held)
    lacking.dollars[0, 3], lacking.reason[0, 3] = NAN, Reason.LOW_COVERAGE.code
    got = only(stress(lacking, [one_shock([0.1, 0, 0, 0.5, 0, 0, 0])], held))
    assert got.pnl == pytest.approx(1000 * (bsm("c", 110) - bsm("c", 100)), rel=1e-9)


def test_options_of_several_portfolios_stay_apart() -> None:
    held = options(100.0, -200.0, 300.0)
    apart = replace(held, portfolio=np.array([0, 2, 2]))
    exposure = held.size * held.delta * held.terms.spot
    rows = [[exposure[0]], [0.0], [exposure[1] + exposure[2]]]
    three = book(*([row[0], 0, 0, 0, 0, 0, 0] for row in rows))
    got = stress(three, [market(-0.1)], apart)
    each = bsm("c", 90) - bsm("c", 100)
    np.testing.assert_allclose(got.pnl[0], [100 * each, 0, 100 * each], rtol=1e-9)
    np.testing.assert_array_equal(got.revalued[0], [True, False, True])


@given(st.floats(-0.9, 2), st.floats(-500, 500).filter(bool), st.booleans(), st.floats(40, 250))
@FEW
def test_a_sold_option_loses_what_a_bought_one_gains(
    move: float, size: float, call: bool, strike: float
) -> None:
    both = options(size, -size, call=call, strike=strike)
    got = stress(option_book(both), [market(move)], both)
    np.testing.assert_allclose(got.pnl[0, 0], -got.pnl[0, 1], rtol=1e-12, atol=1e-9)
    long = float(got.pnl[0, 0 if size > 0 else 1])
    assert long >= -abs(size) * float(both.price[0]) - 1e-9
