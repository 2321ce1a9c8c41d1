"""The four models on real prices and on data whose truth is known."""

from collections.abc import Callable

import empyrical
import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from glassfolio.analytics.factors import (
    DEMO,
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
from glassfolio.analytics.significance import p_values
from glassfolio.model.market import FloatArray, Panel
from glassfolio.model.results import Warning_
from tests.analytics.books import panel
from tests.analytics.prices import real
from tests.analytics.regressions import close

DAYS = ("2017-03-29", "2022-12-28")


class Day:
    """Every model's betas on one day of real prices, and what went into them."""

    def __init__(self, day: str) -> None:
        self.prices = real("2016-01-04", "2017-04-10") if day < "2018" else real("2022-01-03", "2022-12-28")
        self.at = int(np.searchsorted(self.prices.sessions, np.datetime64(day)))
        self.returns = simple_returns(self.prices.close, self.prices.split, self.prices.dividend)
        self.betas = {
            key: fit(model, DEMO, self.prices, self.returns, self.at) for key, model in MODELS.items()
        }

    def y(self, model: str, symbol: str) -> FloatArray:
        window = slice(self.at - MODELS[model].window + 1, self.at + 1)
        y: FloatArray = self.returns[window, self.prices.column(symbol)]
        return y

    def x(self, model: str) -> FloatArray:
        """The returns of the factors that take part."""
        window = slice(self.at - MODELS[model].window + 1, self.at + 1)
        x = factor_returns(MODELS[model].members(DEMO), self.prices)[window]
        return x[:, self.betas[model].in_model[0]]

    def beta(self, key: str, symbol: str) -> float:
        betas = next(each for each in self.betas.values() if key in each.keys)
        return float(betas.value[0, self.prices.column(symbol), betas.keys.index(key)])


@pytest.fixture(scope="module")
def days() -> dict[str, Day]:
    return {day: Day(day) for day in DAYS}


OTHER_FACTORS = {
    ("market", "2017-03-29"): 1,
    ("market", "2022-12-28"): 1,
    ("market_rate", "2017-03-29"): 2,
    ("market_rate", "2022-12-28"): 0,
    ("risk", "2017-03-29"): 7,
    ("risk", "2022-12-28"): 6,
}


@pytest.mark.parametrize(("model", "day"), OTHER_FACTORS)
@pytest.mark.parametrize("symbol", ["AAPL", "JPM", "KO"])
def test_market_market_rate_and_risk_match_statsmodels(
    days: dict[str, Day], symbol: str, model: str, day: str
) -> None:
    """Models `market`, `market_rate`, `risk`: slopes, R², stderr, p-value, n on real prices."""
    own = days[day]
    betas, column = own.betas[model], own.prices.column(symbol)
    taken = np.flatnonzero(betas.in_model[0])
    assert len(taken) == OTHER_FACTORS[model, day]
    if not len(taken):
        assert np.isnan(betas.value[0, column]).all()
        return
    truth = sm.OLS(own.y(model, symbol), sm.add_constant(own.x(model))).fit()
    close(betas.value[0, column, taken], truth.params[1:])
    close(betas.stderr[0, column, taken], truth.bse[1:])
    close(betas.r2[0, column], truth.rsquared)
    assert betas.n[0, column] == truth.nobs
    p = p_values(betas.value[0], betas.stderr[0], betas.n[0], betas.dof[0])
    close(p[column, taken], truth.pvalues[1:], 1e-8)


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("symbol", ["AAPL", "JPM", "KO"])
def test_market_beta_matches_empyrical(days: dict[str, Day], symbol: str, day: str) -> None:
    """Model `market`: a third opinion."""
    own = days[day]
    close(own.beta("market_beta", symbol), empyrical.beta(own.y("market", symbol), own.x("market")[:, 0]))


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("symbol", ["AAPL", "JPM", "KO"])
def test_style_matches_scikit_learn(days: dict[str, Day], symbol: str, day: str) -> None:
    """Model `style`: slopes, R², effective degrees of freedom, sum of betas; no standard error."""
    own = days[day]
    betas, column = own.betas["style"], own.prices.column(symbol)
    scaler = StandardScaler().fit(own.x("style"))
    z, y = scaler.transform(own.x("style")), own.y("style", symbol)
    truth = Ridge(alpha=1.0).fit(z, y)
    close(betas.value[0, column], truth.coef_ / scaler.scale_)
    close(betas.value[0, column].sum(), (truth.coef_ / scaler.scale_).sum())
    close(betas.r2[0, column], truth.score(z, y))
    eigenvalues = np.linalg.eigvalsh(z.T @ z)
    close(betas.dof[0, column], (eigenvalues / (eigenvalues + 1)).sum())
    assert np.isnan(betas.stderr[0, column]).all()


def test_single_style_betas_are_mostly_alpha(days: dict[str, Day]) -> None:
    """Ridge quality: QUAL for AAPL, 2.47 by least squares, 1.77 at alpha 1; the sum moves far less."""
    own = days["2022-12-28"]
    z = own.x("style")
    ols = sm.OLS(own.y("style", "AAPL"), sm.add_constant(z)).fit().params[1:]
    ridge = own.betas["style"].value[0, own.prices.column("AAPL")]
    quality = own.betas["style"].keys.index("style.quality")
    assert ols[quality] == pytest.approx(2.47, abs=0.005)
    assert ridge[quality] == pytest.approx(1.77, abs=0.005)
    assert abs(ridge.sum() - ols.sum()) < 0.2 * abs(ridge[quality] - ols[quality])


@pytest.mark.parametrize(("symbol", "alone", "joint"), [("AAPL", -0.15, 0.04), ("JPM", -0.90, -0.64)])
def test_a_rate_beta_is_another_number_next_to_the_market(
    days: dict[str, Day], symbol: str, alone: float, joint: float
) -> None:
    """Why joint: the sign itself can be wrong."""
    own = days["2017-03-29"]
    lone = empyrical.beta(own.y("market_rate", symbol), own.x("market_rate")[:, 1])
    assert lone == pytest.approx(alone, abs=0.005)
    assert own.beta("rate_beta", symbol) == pytest.approx(joint, abs=0.005)


def inflation(x: FloatArray) -> float:
    """The largest variance inflation factor."""
    return float(np.diag(np.linalg.inv(np.corrcoef(x.T))).max())


def test_spreads_do_not_count_the_market_twice(days: dict[str, Day]) -> None:
    """Why spreads: variance inflation is 99 with the market and long-only styles, 3.1 with spreads."""
    own = days["2022-12-28"]
    styles = np.column_stack([own.x("market"), own.x("style")])
    assert inflation(styles) == pytest.approx(99, abs=0.5)
    assert inflation(own.x("risk")[-90:]) == pytest.approx(3.1, abs=0.05)


def synthetic(moves: FloatArray, symbols: tuple[str, ...]) -> tuple[Panel, FloatArray]:
    """Prices of the us-etf series and of symbols after them, from daily returns."""
    prices = panel(
        np.multiply(100.0, np.cumprod(1 + moves, axis=0), dtype=np.float64),
        symbols=(*US_ETF.series, *symbols),
    )
    return prices, simple_returns(prices.close, prices.split, prices.dividend)


def market_and_styles(rng: np.random.Generator, sessions: int) -> FloatArray:
    """SPY, six funds that are mostly market, and TLT."""
    market = rng.normal(0.0004, 0.01, sessions)
    funds = market[:, None] + rng.normal(0, 0.003, (sessions, 6))
    return np.column_stack([market, funds, -0.3 * market + rng.normal(0, 0.008, sessions)])


def betas_of(model: str, moves: FloatArray, names: tuple[str, ...]) -> Betas:
    prices, returns = synthetic(moves, names)
    return fit(MODELS[model], US_ETF, prices, returns[:, -len(names) :], len(moves) - 1)


def test_a_pure_market_stock_has_spread_betas_of_about_zero() -> None:
    """Model `risk`: nothing of the market leaks into the spreads; long-only style betas sum to almost 1."""
    rng = np.random.default_rng(0)
    factors = market_and_styles(rng, 400)
    stock = factors[:, :1] + rng.normal(0, 0.0005, (400, 1))
    risk = betas_of("risk", np.hstack([factors, stock]), ("PURE",))
    assert risk.value[0, 0, 0] == pytest.approx(1, abs=0.03)
    assert (np.abs(risk.value[0, 0, 1:]) < 4 * risk.stderr[0, 0, 1:]).all()
    assert (np.abs(risk.value[0, 0, 1:]) < 0.06).all()
    style = betas_of("style", np.hstack([factors, stock]), ("PURE",))
    assert style.value[0, 0].sum() == pytest.approx(0.97, abs=0.03)


def test_an_omitted_factor_biases_separate_regressions_not_the_joint_one() -> None:
    """Pitfall: spread betas by separate regressions. Two spreads that move together, one of which matters."""
    rng = np.random.default_rng(1)
    factors = market_and_styles(rng, 400)
    tilt = rng.normal(0, 0.004, 400)
    momentum, quality = factors[:, 0] + tilt, factors[:, 0] + 0.7 * tilt + rng.normal(0, 0.002, 400)
    factors[:, US_ETF.series.index("MTUM")], factors[:, US_ETF.series.index("QUAL")] = momentum, quality
    stock = (factors[:, 0] + 1.0 * tilt + rng.normal(0, 0.002, 400))[:, None]
    betas = betas_of("risk", np.hstack([factors, stock]), ("X",))
    at = betas.keys.index("spread.quality")
    lone = empyrical.beta(stock[-180:, 0] - factors[-180:, 0], (quality - factors[:, 0])[-180:])
    assert lone > 0.8
    assert abs(betas.value[0, 0, at]) < 4 * betas.stderr[0, 0, at] < 0.5
    assert betas.value[0, 0, betas.keys.index("spread.momentum")] == pytest.approx(1, abs=0.2)


def test_a_beta_of_eight_is_not_clipped_and_warns() -> None:
    """Pitfall: a silent clip at 5."""
    rng = np.random.default_rng(2)
    factors = market_and_styles(rng, 200)
    wild = 8 * factors[:, :1] + rng.normal(0, 0.001, (200, 1))
    betas = betas_of("market", np.hstack([factors, wild]), ("WILD",))
    assert betas.value[0, 0, 0] == pytest.approx(8, abs=0.1)
    assert betas.warnings[0, 0, 0] == Warning_.EXTREME.bit


Draw = Callable[[np.random.Generator, tuple[int, int]], FloatArray]
MONTE_CARLO: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "t5": lambda rng, shape: rng.standard_t(5, shape),
}


@pytest.mark.parametrize("errors", MONTE_CARLO)
def test_true_betas_are_recovered_within_sampling_error(errors: str) -> None:
    """Monte Carlo, joint: the mean of 4,000 estimates lies within four standard errors, and 95 % intervals
    cover 93.5 to 96.5 %.
    """
    rng, draws, days = np.random.default_rng(11), 4000, 180
    truth = np.array([1.2, -0.4, 0.3, 0.0, 0.5, -0.2, 0.1])
    factors = market_and_styles(rng, days + 1)
    prices, _ = synthetic(factors, ())
    x = factor_returns(MODELS["risk"].members(US_ETF), prices)
    y = (x @ truth)[:, None] + 0.02 * MONTE_CARLO[errors](rng, (days + 1, draws))
    betas = fit(MODELS["risk"], US_ETF, prices, y, days)
    error = betas.value[0] - truth
    assert (np.abs(error.mean(axis=0)) < 4 * error.std(axis=0) / np.sqrt(draws)).all()
    covered = (p_values(error, betas.stderr[0], betas.n[0], betas.dof[0]) > 0.05).mean(axis=0)
    assert ((covered > 0.935) & (covered < 0.965)).all()


def test_a_set_may_have_a_market_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    prices, returns = synthetic(market_and_styles(rng, 200), ())
    bare = FactorSet("bare", (Member("market", Role.MARKET, "SPY"),))
    betas = fit(MODELS["risk"], bare, prices, returns, 199)
    close(betas.value[0, 0], [1.0])
