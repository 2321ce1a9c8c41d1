"""Downside volatility, Sortino and Sharpe ratio, against empyrical and quantstats."""

import empyrical
import numpy as np
import pandas as pd
import pytest
import quantstats

from glassfolio.analytics.ratios import daily_rate
from glassfolio.analytics.symbols import MetricTable, symbol_metrics
from glassfolio.model.market import FloatArray
from tests.analytics.books import panel
from tests.analytics.series import column, holed, reasons, returns_of, walk

RATES = [0.0, 0.05]


def series_of(close: FloatArray, row: int) -> pd.Series:
    return returns_of(close)[0].iloc[row - 251 : row + 1].dropna()


@pytest.fixture(scope="module", params=RATES)
def measured(request: pytest.FixtureRequest) -> tuple[FloatArray, float, MetricTable]:
    close = holed(walk(400, 2), 0.1)
    return close, request.param, symbol_metrics(panel(close), 300, request.param)


def test_the_daily_rate_compounds_to_the_annual_one() -> None:
    np.testing.assert_allclose((1 + daily_rate(0.05)) ** 252, 1.05, rtol=1e-12)


@pytest.mark.parametrize("row", [300, 350, 399])
def test_ratios_match_empyrical(measured: tuple[FloatArray, float, MetricTable], row: int) -> None:
    """sharpe, sortino, downside_vol, with and without a risk-free rate."""
    close, rate, table = measured
    series, daily = series_of(close, row), float(daily_rate(rate))
    truths = {
        "sharpe": empyrical.sharpe_ratio(series, risk_free=daily),
        "sortino": empyrical.sortino_ratio(series, required_return=daily),
        "downside_vol": empyrical.downside_risk(series, required_return=daily),
    }
    for key, truth in truths.items():
        np.testing.assert_allclose(column(table, key)[row - 300, 0], truth, rtol=1e-9)
    h = (series - daily).mean() / (series - daily).std()
    stderr = np.sqrt(252 * (1 + h * h / 2) / len(series))
    np.testing.assert_allclose(table.details["sharpe", "stderr"][row - 300, 0], stderr, rtol=1e-9)


def test_ratios_match_quantstats_without_a_rate() -> None:
    close = walk(400, 1)
    table = symbol_metrics(panel(close), 399)
    series = series_of(close, 399)
    series.index = pd.bdate_range("2020-01-01", periods=len(series))
    np.testing.assert_allclose(column(table, "sharpe")[0, 0], quantstats.stats.sharpe(series), rtol=1e-9)
    np.testing.assert_allclose(column(table, "sortino")[0, 0], quantstats.stats.sortino(series), rtol=1e-9)


def test_all_days_are_in_the_mean_of_the_downside() -> None:
    """Pitfall: dividing by the count of negative days."""
    close = np.full((300, 1), 100.0)
    close[250:] = 90.0
    table = symbol_metrics(panel(close), 299)
    np.testing.assert_allclose(column(table, "downside_vol"), np.sqrt(0.01 / 252 * 252), rtol=1e-9)


def test_a_year_leaves_a_sharpe_ratio_uncertain_by_about_one() -> None:
    """Pitfall: a ratio without its standard error."""
    table = symbol_metrics(panel(walk(300, 50)), 299)
    assert (np.abs(table.details["sharpe", "stderr"] - 1) < 0.01).all()


def test_a_series_of_yields_counts_day_by_day() -> None:
    close = walk(400, 1)
    yields = np.linspace(0.0, 0.06, 400)
    table = symbol_metrics(panel(close), 399, yields)
    excess = returns_of(close)[0].iloc[148:] - daily_rate(yields)[148:]
    np.testing.assert_allclose(column(table, "sharpe")[0, 0], empyrical.sharpe_ratio(excess), rtol=1e-9)
    constant = symbol_metrics(panel(close), 399, np.full(400, 0.05))
    np.testing.assert_array_equal(constant.value, symbol_metrics(panel(close), 399, 0.05).value)


@pytest.mark.parametrize("rate", RATES)
def test_a_price_that_does_not_move_has_no_ratio(rate: float) -> None:
    """zero_variance; its volatility is a number, 0."""
    table = symbol_metrics(panel(np.full((300, 1), 7.0)), 299, rate)
    keys = ("sharpe", "sortino") if rate == 0 else ("sharpe",)
    for key in keys:
        assert reasons(table, key) == ["zero_variance"]
    assert np.isnan(table.details["sharpe", "stderr"]).all()
    assert reasons(table, "vol_trend") == ["zero_variance"]
    assert np.isnan(table.details["vol_trend", "ratio"]).all()
    for key in ("vol_21", "vol_252", "vol_forecast", "max_drawdown"):
        assert column(table, key)[0, 0] == 0.0


def test_a_price_that_only_rises_has_no_sortino_ratio() -> None:
    steps = np.where(np.arange(300) % 2, 1.01, 1.0)
    close = np.multiply(100.0, np.cumprod(steps), dtype=np.float64)[:, None]
    table = symbol_metrics(panel(close), 299)
    assert reasons(table, "sortino") == ["zero_variance"]
    assert reasons(table, "sharpe") == [None]


def test_a_constant_growth_has_no_variance_whatever_rounding_leaves() -> None:
    close = 100 * 1.0003 ** np.arange(300.0)[:, None]
    assert reasons(symbol_metrics(panel(close), 299), "sharpe") == ["zero_variance"]


def test_ratios_need_168_returns() -> None:
    table = symbol_metrics(panel(walk(180, 1)))
    for key in ("sharpe", "sortino", "downside_vol"):
        np.testing.assert_array_equal(np.isnan(column(table, key)[:, 0]), np.arange(180) < 168)
        assert reasons(table, key)[167] == "insufficient_history"
