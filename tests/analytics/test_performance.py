"""Performance of portfolios against empyrical, pandas, pyxirr and brentq."""

from datetime import date

import empyrical
import numpy as np
import pandas as pd
import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from glassfolio.analytics.ledger import perform
from glassfolio.analytics.performance import Daily, Figure, performance, time_weighted
from glassfolio.analytics.periods import PERIODS, base_sessions
from glassfolio.analytics.ratios import daily_rate
from glassfolio.analytics.xirr import Xirr, xirr
from glassfolio.model.market import DateArray, FloatArray
from glassfolio.model.results import NONE, Reason
from tests.analytics.books import weekdays

INSUFFICIENT, BROKEN = Reason.INSUFFICIENT_HISTORY.code, Reason.NONPOSITIVE_NAV.code
NAN = float("nan")


def daily_of(returns: FloatArray, reason: int = BROKEN, sessions: DateArray | None = None) -> Daily:
    codes = np.where(np.isnan(returns), reason, NONE).astype(np.int8)
    return Daily(returns, codes, weekdays(len(returns) + 1) if sessions is None else sessions)


def random_daily(days: int = 400, portfolios: int = 3, seed: int = 0) -> Daily:
    return daily_of(np.random.default_rng(seed).normal(0.0004, 0.012, (days, portfolios)))


class TestTimeWeighted:
    def test_the_whole_history_matches_empyrical(self) -> None:
        """twr_cum; twr_annual from 252 sessions on."""
        daily = random_daily()
        figures = time_weighted(daily)
        for row in (0, 100, 251, 399):
            truth = empyrical.cum_returns_final(pd.DataFrame(daily.returns[: row + 1]))
            np.testing.assert_allclose(figures["twr_cum"].value[row], truth, rtol=1e-9)
        annual = empyrical.annual_return(pd.DataFrame(daily.returns))
        np.testing.assert_allclose(figures["twr_annual"].value[-1], annual, rtol=1e-9)
        assert (figures["twr_annual"].reason[250] == Reason.SHORT_PERIOD.code).all()
        assert (figures["twr_annual"].reason[251] == NONE).all()
        assert np.isnan(figures["twr_annual"].value[250]).all()

    def test_each_period_compounds_from_its_base_on(self) -> None:
        """twr_1d, twr_mtd, twr_1m, twr_3m, twr_ytd, twr_1y: the base may be the opening session."""
        daily = random_daily()
        figures, bases = time_weighted(daily), base_sessions(daily.sessions)
        index = np.vstack([np.ones((1, 3)), np.cumprod(1 + daily.returns, axis=0)])
        for name in PERIODS:
            figure = figures[f"twr_{name}"]
            for row in range(400):
                base = bases[name][row + 1]
                if base < 0:
                    assert (figure.reason[row] == INSUFFICIENT).all()
                    assert (figure.n[row] == 0).all()
                    continue
                np.testing.assert_allclose(figure.value[row], index[row + 1] / index[base] - 1, rtol=1e-9)
                assert (figure.n[row] == row + 1 - base).all()

    def test_a_deposit_is_no_gain(self) -> None:
        """Pitfall: 900k paid in that morning on yesterday's 100k is 1 %, not 7 %."""
        performed = perform(
            np.array([[50_000.0, 10_000.0]]),
            np.array([[100_000.0, 150_000.0]]),
            np.array([[0.0, 900_000.0]]),
            np.array([[True, True]]),
        )
        daily = Daily(performed.daily_return.T, performed.daily_reason.T, weekdays(3))
        np.testing.assert_allclose(
            time_weighted(daily)["twr_cum"].value[-1], 1.5 * (1 + 10_000 / 1_050_000) - 1, rtol=1e-12
        )

    def test_the_chain_ends_where_the_base_is_not_above_zero(self) -> None:
        returns = random_daily().returns
        returns[200, 1] = NAN
        figures = time_weighted(daily_of(returns))
        cum = figures["twr_cum"]
        assert (cum.reason[200:, 1] == BROKEN).all()
        assert (cum.reason[:200, 1] == NONE).all()
        assert (cum.reason[:, 0] == NONE).all()
        assert figures["twr_1d"].reason[200, 1] == BROKEN
        assert figures["twr_1d"].reason[201, 1] == NONE
        assert figures["twr_mtd"].reason[-1, 1] == NONE
        assert figures["twr_annual"].reason[-1, 1] == BROKEN

    def test_a_first_day_that_is_not_known_is_a_short_history_and_no_break(self) -> None:
        returns = random_daily().returns
        returns[0] = NAN
        figures = time_weighted(daily_of(returns, INSUFFICIENT))
        assert (figures["twr_1d"].reason[0] == INSUFFICIENT).all()
        assert (figures["twr_cum"].reason == NONE).all()
        np.testing.assert_allclose(
            figures["twr_cum"].value[-1], np.prod(1 + returns[1:], axis=0) - 1, rtol=1e-9
        )
        assert (figures["twr_cum"].n[-1] == 399).all()

    def test_a_total_loss_has_no_annual_rate(self) -> None:
        returns = random_daily().returns
        returns[-1, 0] = -1.2
        figures = time_weighted(daily_of(returns))
        assert figures["twr_annual"].reason[-1, 0] == BROKEN
        assert np.isnan(figures["twr_annual"].value[-1, 0])
        assert figures["twr_cum"].value[-1, 0] < -1


class TestRisk:
    @pytest.mark.parametrize("rate", [0.0, 0.03])
    def test_the_figures_match_empyrical(self, rate: float) -> None:
        """realised_vol_21, realised_vol_63, realised_vol_252, downside_vol, sortino, sharpe."""
        daily = random_daily()
        figures = performance(daily, rate)
        series = pd.DataFrame(daily.returns)
        risk_free = float(daily_rate(rate))
        for window in (21, 63, 252):
            truth = empyrical.annual_volatility(series.tail(window))
            np.testing.assert_allclose(figures[f"realised_vol_{window}"].value[-1], truth, rtol=1e-9)
            assert (figures[f"realised_vol_{window}"].n[-1] == window).all()
        last = series.tail(252)
        for portfolio in range(3):
            one = last[portfolio]
            truths = {
                "sharpe": empyrical.sharpe_ratio(one, risk_free=risk_free),
                "sortino": empyrical.sortino_ratio(one, required_return=risk_free),
                "downside_vol": empyrical.downside_risk(one, required_return=risk_free),
            }
            for key, truth in truths.items():
                np.testing.assert_allclose(figures[key].value[-1, portfolio], truth, rtol=1e-9)
            h = (one - risk_free).mean() / one.std()
            np.testing.assert_allclose(
                figures["sharpe"].details["stderr"][-1, portfolio], np.sqrt(252 * (1 + h * h / 2) / 252)
            )

    def test_the_maximum_drawdown_and_its_sessions_match_a_plain_loop(self) -> None:
        """max_drawdown, with the opening session as the first base."""
        daily = random_daily(600)
        figure = performance(daily)["max_drawdown"]
        index = np.vstack([np.ones((1, 3)), np.cumprod(1 + daily.returns, axis=0)])
        for row in range(167, 600, 9):
            first = max(row + 1 - 252, 0)
            for portfolio in range(3):
                window = pd.Series(index[first : row + 2, portfolio])
                fall = window / window.cummax() - 1
                trough = int(fall.idxmin())
                np.testing.assert_allclose(figure.value[row, portfolio], fall.min(), rtol=1e-9)
                assert figure.details["trough"][row, portfolio] == first + trough
                assert figure.details["peak"][row, portfolio] == first + window[: trough + 1].idxmax()
        assert (figure.reason[166] == INSUFFICIENT).all()
        assert (figure.details["peak"][166] == -1).all()

    def test_there_is_no_drawdown_after_the_chain_has_ended(self) -> None:
        returns = random_daily().returns
        returns[300, 0], returns[310, 1] = NAN, -1.0
        figure = performance(daily_of(returns))["max_drawdown"]
        assert (figure.reason[300:, 0] == BROKEN).all()
        assert (figure.reason[310:, 1] == BROKEN).all()
        assert (figure.reason[200:300] == NONE).all()
        assert (figure.details["peak"][310:, 1] == -1).all()

    def test_an_account_that_does_not_move_has_no_ratio(self) -> None:
        figures = performance(daily_of(np.zeros((300, 1))))
        assert figures["sharpe"].reason[-1, 0] == Reason.ZERO_VARIANCE.code
        assert figures["realised_vol_252"].value[-1, 0] == 0.0
        assert figures["max_drawdown"].value[-1, 0] == 0.0

    def test_too_few_returns_are_a_reason(self) -> None:
        figures = performance(random_daily(200))
        for key, least in (("realised_vol_21", 14), ("realised_vol_63", 42), ("realised_vol_252", 168)):
            assert (figures[key].reason[: least - 1] == INSUFFICIENT).all()
            assert (figures[key].reason[least - 1 :] == NONE).all()


def same(left: Figure, right: Figure) -> None:
    for name in ("value", "n", "reason"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    for key, detail in left.details.items():
        np.testing.assert_array_equal(detail, right.details[key])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 330), st.integers(0, 3))
def test_portfolios_do_not_depend_on_each_other_nor_on_what_comes_later(
    seed: int, days: int, broken: int
) -> None:
    """Bits; no look-ahead; a value or a reason."""
    rng = np.random.default_rng(seed)
    returns = rng.normal(0, 0.02, (days, 4))
    returns[rng.integers(0, days, broken), rng.integers(0, 4, broken)] = NAN
    whole = performance(daily_of(returns))
    alone = performance(daily_of(returns[:, [2]]))
    early = performance(daily_of(returns[: (days + 1) // 2]))
    for key, figure in whole.items():
        np.testing.assert_array_equal(np.isnan(figure.value), figure.reason != NONE)
        assert not np.isinf(figure.value).any()
        columns = {name: detail[:, [2]] for name, detail in figure.details.items()}
        same(alone[key], Figure(figure.value[:, [2]], figure.n[:, [2]], figure.reason[:, [2]], columns))
        rows = slice(0, (days + 1) // 2)
        details = {name: detail[rows] for name, detail in figure.details.items()}
        same(early[key], Figure(figure.value[rows], figure.n[rows], figure.reason[rows], details))


def solve(opening: float, flows: list[float], closing: float, days: DateArray) -> Xirr:
    return xirr(np.array([opening]), np.array(flows)[:, None], np.array([closing]), days)


def rate_of(dates: list[date], amounts: list[float]) -> float:
    rate = pyxirr.xirr(dates, amounts)
    assert rate is not None
    return float(rate)


def present_value(rate: float, amounts: FloatArray, years: FloatArray) -> float:
    return float(np.sum(amounts * (1 + rate) ** -years))


def span(*days: str) -> DateArray:
    return np.array(days, dtype="datetime64[D]")


class TestMoneyWeighted:
    def test_the_contrast_of_the_two_rates(self) -> None:
        """xirr: 100k to 150k, 900k more, to 1.01m is +1.6 %, where time-weighted it is +44.3 %."""
        days = span("2021-01-04", "2021-07-05", "2022-01-04")
        found = solve(100_000, [900_000, 0], 1_010_000, days)
        np.testing.assert_allclose(found.annual[0], 0.018, atol=0.003)
        twr = 1.5 * 1_010_000 / 1_050_000 - 1
        np.testing.assert_allclose(twr, 0.443, atol=5e-4)
        assert found.annual[0] < twr / 20

    @pytest.mark.parametrize("seed", range(10))
    def test_the_annual_rate_matches_pyxirr_and_brentq(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        days = weekdays(500)
        flows = np.where(rng.random((499, 6)) < 0.02, rng.normal(3_000, 9_000, (499, 6)), 0.0)
        opening, closing = rng.uniform(5e4, 2e5, 6), rng.uniform(5e4, 4e5, 6)
        found = xirr(opening, flows, closing, days)
        for p in range(6):
            amounts = [-opening[p], *-flows[:, p]]
            amounts[-1] += closing[p]
            dates = [day.item() for day in days]
            truth = rate_of(dates, amounts)
            years = np.array([(day - dates[0]).days / 365 for day in dates])
            root = brentq(present_value, -0.99, 50, (np.array(amounts), years), xtol=1e-14)
            np.testing.assert_allclose(found.annual[p], truth, rtol=1e-8, atol=1e-10)
            np.testing.assert_allclose(found.annual[p], root, rtol=1e-8, atol=1e-10)
            length = (dates[-1] - dates[0]).days
            np.testing.assert_allclose(found.period[p], (1 + root) ** (length / 365) - 1, rtol=1e-8)

    def test_without_flows_it_is_the_growth(self) -> None:
        found = solve(100, [0.0] * 2, 121, span("2020-01-02", "2020-06-01", "2022-01-01"))
        np.testing.assert_allclose(found.annual, 0.1, rtol=1e-12)
        np.testing.assert_allclose(found.period, 0.21, rtol=1e-12)
        np.testing.assert_allclose(
            solve(100, [0.0], 100, span("2020-01-02", "2022-01-01")).annual, 0, atol=1e-14
        )

    def test_under_365_days_there_is_only_the_figure_of_the_period(self) -> None:
        short = solve(100, [0.0], 110, span("2021-01-04", "2022-01-03"))
        assert short.annual_reason[0] == Reason.SHORT_PERIOD.code
        assert np.isnan(short.annual[0])
        np.testing.assert_allclose(short.period[0], 0.1, rtol=1e-12)
        assert short.period_reason[0] == NONE
        year = solve(100, [0.0], 110, span("2021-01-04", "2022-01-04"))
        assert year.annual_reason[0] == NONE
        np.testing.assert_allclose(year.annual[0], 0.1, rtol=1e-12)

    @pytest.mark.parametrize(
        ("opening", "flow", "closing"),
        [
            (100.0, 0.0, -5.0),  # all lost and more
            (100.0, 0.0, 0.0),
            (0.0, 0.0, 0.0),
            (-100.0, 0.0, 50.0),
            (100.0, -230.0, -132.0),  # two roots: 10 % and 20 %
        ],
    )
    def test_no_root_or_several_are_no_rate(self, opening: float, flow: float, closing: float) -> None:
        found = solve(opening, [flow, 0.0], closing, span("2020-01-01", "2020-12-31", "2021-12-31"))
        assert found.annual_reason[0] == found.period_reason[0] == Reason.NO_ROOT.code
        assert np.isnan(found.annual[0])
        assert np.isnan(found.period[0])

    def test_one_root_among_several_changes_of_sign_is_found(self) -> None:
        days = span("2020-01-01", "2020-12-31", "2021-12-31")
        found = solve(100.0, [-150.0, 0.0], -10.0 + 20.0, days)
        assert found.annual_reason[0] == NONE
        amounts = [-100.0, 150.0, 10.0]
        np.testing.assert_allclose(found.annual[0], rate_of([d.item() for d in days], amounts), rtol=1e-8)
        back = solve(
            100.0, [300.0, -600.0, 100.0], 350.0, span("2020-01-01", "2020-07-01", "2021-01-01", "2021-12-31")
        )
        dates = [date(2020, 1, 1), date(2020, 7, 1), date(2021, 1, 1), date(2021, 12, 31)]
        truth = rate_of(dates, [-100.0, -300.0, 600.0, 250.0])
        np.testing.assert_allclose(back.annual[0], truth, rtol=1e-8)

    def test_portfolios_do_not_depend_on_each_other(self) -> None:
        rng = np.random.default_rng(8)
        days, flows = (
            weekdays(300),
            np.where(rng.random((299, 50)) < 0.05, rng.normal(0, 9e4, (299, 50)), 0.0),
        )
        opening, closing = rng.uniform(0, 1e5, 50), rng.uniform(-1e4, 2e5, 50)
        whole = xirr(opening, flows, closing, days)
        some = [7, 31, 2]
        part = xirr(opening[some], flows[:, some], closing[some], days)
        np.testing.assert_array_equal(part.period, whole.period[some])
        np.testing.assert_array_equal(part.annual_reason, whole.annual_reason[some])
        assert 0 < np.isnan(whole.period).sum() < 50

    @settings(deadline=None, max_examples=50)
    @given(st.floats(1e3, 1e6), st.floats(-0.9, 5), st.floats(0.001, 1000))
    def test_scale_does_not_matter(self, opening: float, growth: float, factor: float) -> None:
        days = span("2020-01-01", "2020-06-30", "2022-12-31")
        flows, closing = [opening * 0.3, 0.0], opening * 1.3 * (1 + growth)
        one = solve(opening, flows, closing, days)
        other = solve(opening * factor, [flow * factor for flow in flows], closing * factor, days)
        np.testing.assert_allclose(one.annual, other.annual, rtol=1e-9, atol=1e-12)
