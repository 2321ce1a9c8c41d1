"""Realised and forecast volatility, percentile and trend, against libraries and simulated truth."""

import empyrical
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from arch.univariate import HARX
from scipy.optimize import nnls
from scipy.stats import percentileofscore

from glassfolio import bundled
from glassfolio.analytics import volatility
from glassfolio.analytics.har import har, nonnegative
from glassfolio.analytics.returns import simple_returns
from glassfolio.analytics.volatility import RETURNS_BACK, counts, forecast, least, moments, since
from glassfolio.model.market import FloatArray
from tests.analytics.series import NAN, column, counted, holed, reasons, returns_of, table_of, walk

YEAR = 252


@pytest.mark.parametrize(("window", "minimum"), [(21, 14), (63, 42), (252, 168)])
def test_realised_volatility_matches_pandas_with_holes(window: int, minimum: int) -> None:
    """vol_21, vol_63, vol_252."""
    close = holed(walk(330, 3), 0.1)
    close[:100, 2] = NAN
    returns = returns_of(close)
    expected = returns.rolling(window, min_periods=minimum).std(ddof=1) * 252**0.5
    table = table_of(close, 150)
    np.testing.assert_allclose(
        column(table, f"vol_{window}"), expected.to_numpy()[150:], rtol=1e-9, atol=1e-12
    )
    there = returns.notna().astype(int).rolling(window, min_periods=1).sum().to_numpy()[150:]
    np.testing.assert_array_equal(counted(table, f"vol_{window}"), there)


@pytest.mark.parametrize("window", [21, 63, 252])
def test_a_window_holds_sessions_not_calendar_days(window: int) -> None:
    """Pitfall: 90 sessions as 120 calendar days. A window holds exactly W returns; empyrical agrees."""
    close = walk(400, 2)
    table = table_of(close, 300)
    assert (counted(table, f"vol_{window}") == window).all()
    for row in (300, 350, 399):
        truth = empyrical.annual_volatility(returns_of(close)[0].iloc[row + 1 - window : row + 1])
        np.testing.assert_allclose(column(table, f"vol_{window}")[row - 300, 0], truth, rtol=1e-9)


def ewma(returns: pd.Series) -> float:
    mean = (returns**2).tail(252).ewm(halflife=21, ignore_na=False).mean().iloc[-1]
    return float(np.sqrt(252 * mean))


@pytest.mark.parametrize("holes", [0.0, 0.1, 0.6])
def test_the_forecast_matches_pandas_ewm(holes: float) -> None:
    """vol_forecast: half-life 21 sessions, ages in sessions, at least 63 returns."""
    close = holed(walk(400, 4), holes)
    close[:330, 3] = NAN
    returns, table = returns_of(close), table_of(close, 270)
    for row in range(270, 400, 13):
        for symbol in range(4):
            series = returns[symbol].iloc[: row + 1]
            n = series.tail(252).count()
            got = column(table, "vol_forecast")[row - 270, symbol]
            assert counted(table, "vol_forecast")[row - 270, symbol] == n
            if n >= 63:
                np.testing.assert_allclose(got, ewma(series), rtol=1e-9)
            else:
                assert np.isnan(got)


def test_the_forecast_needs_exactly_63_returns() -> None:
    table = table_of(walk(70, 1))
    missing = np.isnan(column(table, "vol_forecast")[:, 0])
    np.testing.assert_array_equal(missing, np.arange(70) < 63)


def test_the_forecast_forgets_what_is_older_than_252_sessions() -> None:
    close = walk(400, 1)
    loud = close.copy()
    loud[:147] *= np.where(np.arange(147) % 2, 1.5, 1.0)[:, None]
    np.testing.assert_array_equal(
        column(table_of(close), "vol_forecast")[399], column(table_of(loud), "vol_forecast")[399]
    )
    assert (column(table_of(close), "vol_forecast")[397] != column(table_of(loud), "vol_forecast")[397]).all()


@pytest.mark.parametrize("holes", [0.0, 0.08])
def test_the_percentile_matches_scipy(holes: float) -> None:
    """vol_percentile: weak, of the last 252 values of vol_21."""
    close = holed(walk(700, 3), holes)
    table = table_of(close, 520)
    # Each window by itself, so that windows that differ by a hole only are equal to the bit.
    month = (
        returns_of(close)
        .rolling(21, min_periods=14)
        .apply(lambda r: np.std(r[np.isfinite(r)], ddof=1), raw=True)
    ).to_numpy()
    for row in range(520, 700, 7):
        for symbol in range(3):
            values = month[row - 251 : row + 1, symbol]
            there = values[np.isfinite(values)]
            assert counted(table, "vol_percentile")[row - 520, symbol] == len(there)
            truth = percentileofscore(there, values[-1], kind="weak") / 100
            np.testing.assert_allclose(column(table, "vol_percentile")[row - 520, symbol], truth, rtol=1e-9)


def test_the_percentile_needs_168_values() -> None:
    """The first volatility is that of row 14, the 168th that of row 181."""
    table = table_of(walk(190, 1))
    np.testing.assert_array_equal(np.isnan(column(table, "vol_percentile")[:, 0]), np.arange(190) < 181)
    assert reasons(table, "vol_percentile")[180] == "insufficient_history"


@pytest.mark.parametrize(("month", "direction"), [(1.301, 1), (1.299, 0), (1.0, 0), (0.681, 0), (0.679, -1)])
def test_the_trend_is_the_ratio_of_two_volatilities_in_a_band(month: float, direction: int) -> None:
    """vol_trend: rising above 1.30, falling below 0.68."""
    found, ratio = volatility.trend(np.array([[month * 0.2]]), np.array([[0.2]]))
    assert found[0, 0] == direction
    np.testing.assert_allclose(ratio, month, rtol=1e-12)


def test_the_trend_of_a_table_is_that_of_its_volatilities() -> None:
    close = holed(walk(400, 5), 0.03)
    close[:, 0] *= np.exp(np.cumsum(np.random.default_rng(5).normal(0, np.linspace(0, 0.2, 400))))
    table = table_of(close, 300)
    ratio = column(table, "vol_21") / column(table, "vol_63")
    np.testing.assert_array_equal(table.details["vol_trend", "ratio"], ratio)
    expected = np.where(ratio > 1.30, 1.0, np.where(ratio < 0.68, -1.0, 0.0))
    np.testing.assert_array_equal(column(table, "vol_trend"), expected)
    np.testing.assert_array_equal(counted(table, "vol_trend"), counted(table, "vol_63"))
    assert set(np.unique(expected)) == {-1.0, 0.0, 1.0}


def simulated(kind: str, sessions: int, series: int, seed: int) -> FloatArray:
    """Returns of constant volatility, 20 % a year: normal, or Student t with 5 degrees of freedom."""
    rng = np.random.default_rng(seed)
    raw = (
        rng.standard_normal((sessions, series)) if kind == "normal" else rng.standard_t(5, (sessions, series))
    )
    daily: FloatArray = raw / (1.0 if kind == "normal" else np.sqrt(5 / 3)) * 0.2 / np.sqrt(252)
    return daily


@pytest.mark.parametrize("kind", ["normal", "t5"])
def test_the_forecast_is_unbiased_on_constant_volatility(kind: str) -> None:
    """Pitfall: a regression on |r| told 15.9 % for 20 %. Bias of the EWMA below 2 %."""
    returns = simulated(kind, RETURNS_BACK + 1, 20_000, 1)
    got = forecast(returns, 1, counts(np.isfinite(returns), 1).year)
    assert abs(got.mean() / 0.2 - 1) < 0.02


@pytest.mark.parametrize("kind", ["normal", "t5"])
def test_har_is_unbiased_on_constant_volatility(kind: str) -> None:
    """Pitfall: as above. Bias of the HAR forecast below 2 %."""
    got = har(simulated(kind, 1000, 2_000, 2), 1)
    assert abs(got.mean() / 0.2 - 1) < 0.02


@pytest.mark.parametrize("kind", ["normal", "t5"])
def test_the_trend_seldom_cries_wolf(kind: str) -> None:
    """Pitfall: a slope test cries wolf on 58 % of noise. At most 10 % false alarms on constant volatility."""
    own = moments(simulated(kind, RETURNS_BACK + 1, 20_000, 3), 1)
    month = volatility.realised(own.n.month[-1:], own.total.month[-1:], own.squares.month[-1:], 14)
    quarter = volatility.realised(own.n.quarter, own.total.quarter, own.squares.quarter, 42)
    alarms = (volatility.trend(month, quarter)[0] != 0).mean()
    assert 0.005 < alarms <= 0.10


def har_rows(returns: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Regressors, target, the regressors of today, and the mean: a plain loop over one series."""
    x = returns**2
    rows, target = [], []
    for t in range(21, 1000 - 21):
        rows.append([1.0, x[t], x[t - 4 : t + 1].mean(), x[t - 21 : t + 1].mean()])
        target.append(x[t + 1 : t + 22].mean())
    return np.array(rows), np.array(target), np.array([1.0, x[-1], x[-5:].mean(), x[-22:].mean()]), x.mean()


def garch(seed: int, sessions: int = 1000) -> FloatArray:
    """Returns whose volatility comes in clusters."""
    rng = np.random.default_rng(seed)
    variance, out = 1e-4, []
    for shock in rng.standard_normal(sessions):
        out.append(shock * np.sqrt(variance))
        variance = 2e-6 + 0.12 * out[-1] ** 2 + 0.86 * variance
    return np.array(out)


def nnls_forecast(returns: FloatArray) -> float:
    rows, target, today, mean = har_rows(returns)
    weight = 1 / np.maximum(rows[:, 3], 0.05 * mean)
    slopes, _residual = nnls(rows * weight[:, None], target * weight)
    return float(np.sqrt(252 * max(slopes @ today, 0.02 * mean)))


@pytest.mark.parametrize("seed", range(12))
def test_har_matches_scipy_nnls(seed: int) -> None:
    """vol_forecast_har, 1e-8 because of the active set."""
    returns = garch(seed)
    if seed % 3 == 0:
        returns[200:600] *= 0.02  # quieter than a twentieth of the mean
    np.testing.assert_allclose(har(returns[:, None], 1)[0, 0], nnls_forecast(returns), rtol=1e-8)


def test_har_is_never_below_a_fiftieth_of_the_mean_variance() -> None:
    returns = garch(1)
    returns[-400:] *= 1e-6
    mean = (returns**2).mean()
    np.testing.assert_allclose(har(returns[:, None], 1)[0, 0], np.sqrt(252 * 0.02 * mean), rtol=1e-6)


def test_har_needs_all_of_1000_returns() -> None:
    returns = np.random.default_rng(3).normal(0, 0.01, (1005, 3))
    returns[2, 1] = NAN
    missing = np.isnan(har(returns, 10))
    np.testing.assert_array_equal(missing[:, 0], [True] * 4 + [False] * 6)
    np.testing.assert_array_equal(missing[:, 1], [True] * 7 + [False] * 3)
    assert np.isnan(har(returns[:999], 10)).all()


def test_har_is_part_of_the_table_and_its_bits_depend_on_its_window_only() -> None:
    close = walk(1010, 3)
    whole = table_of(close, 1000)
    part = table_of(close[:, [2]], 1000)
    assert reasons(whole, "vol_forecast_har", 0)[0] is None
    assert counted(whole, "vol_forecast_har")[0, 0] == 1000
    np.testing.assert_array_equal(
        column(part, "vol_forecast_har")[:, 0], column(whole, "vol_forecast_har")[:, 2]
    )
    later = table_of(close[5:], 1000)
    np.testing.assert_array_equal(column(later, "vol_forecast_har")[0], column(whole, "vol_forecast_har")[5])
    np.testing.assert_allclose(
        column(whole, "vol_forecast_har")[0, 0],
        nnls_forecast(returns_of(close)[0].to_numpy()[1:1001]),
        rtol=1e-8,
    )
    assert reasons(table_of(close[:990], 980), "vol_forecast_har")[0] == "insufficient_history"


def test_least_squares_without_the_bound_agree_with_statsmodels_where_no_slope_is_negative() -> None:
    """Unweighted HAR, 1e-9."""
    rng = np.random.default_rng(4)
    x = np.abs(rng.normal(1, 0.3, (4, 400, 2)))
    x[0] = 1.0
    target = (np.array([0.1, 0.5, 0.2, 0.9])[:, None, None] * x).sum(axis=0) + rng.normal(0, 0.05, (400, 2))
    got = nonnegative(x, target)
    for series in range(2):
        truth = sm.OLS(target[:, series], x[:, :, series].T).fit().params
        np.testing.assert_allclose(got[:, series], truth, rtol=1e-9)


def test_least_squares_over_days_weeks_and_months_agree_with_arch() -> None:
    """HARX(x, lags=[1, 5, 22]) at a horizon of one day."""
    returns = garch(7, 3000)
    x = np.convolve(returns**2 * 1e4, np.ones(10) / 10, "valid")
    fitted = HARX(x, lags=[1, 5, 22], rescale=False).fit(disp="off").params.to_numpy()[:4]
    rows = np.array(
        [[1.0, x[t], x[t - 4 : t + 1].mean(), x[t - 21 : t + 1].mean()] for t in range(21, len(x) - 1)]
    )
    bounded = nnls(rows, x[22:])[0]
    got = nonnegative(rows.T[:, :, None], x[22:, None])[:, 0]
    np.testing.assert_allclose(got, bounded, rtol=1e-8, atol=1e-12)
    free = np.linalg.lstsq(rows, x[22:])[0]
    np.testing.assert_allclose(fitted, free, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_least_squares_with_the_bound_agree_with_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (4, 60, 3))
    x[3] = x[2] + rng.normal(0, 0.1, (60, 3))
    target = rng.normal(0, 1, (60, 3))
    got = nonnegative(x, target)
    for series in range(3):
        truth = nnls(x[:, :, series].T, target[:, series])[0]
        np.testing.assert_allclose(got[:, series], truth, rtol=1e-8, atol=1e-10)


def test_least_squares_with_the_bound_survive_equal_and_empty_regressors() -> None:
    x = np.ones((4, 30, 1))
    x[3] = 0.0
    got = nonnegative(x, np.full((30, 1), 2.0))
    np.testing.assert_allclose((got[:3, 0]).sum(), 2.0)
    assert got[3, 0] == 0.0


def test_real_prices_agree_with_pandas() -> None:
    """AAPL, JPM, KO of the bundled table, all its sessions at once."""
    prices = bundled.load_prices()
    columns = [prices.symbols.index(name) for name in ("AAPL", "JPM", "KO")]
    close = prices.close[:, columns]
    table = table_of(close, 300, prices.sessions)
    returns = returns_of(close)
    expected = returns.rolling(252).std() * 252**0.5
    np.testing.assert_allclose(column(table, "vol_252"), expected.to_numpy()[300:], rtol=1e-9)
    for symbol in range(3):
        for row in (999, 1500, len(close) - 1):
            np.testing.assert_allclose(
                column(table, "vol_forecast")[row - 300, symbol],
                ewma(returns[symbol].iloc[: row + 1]),
                rtol=1e-9,
            )
    row = len(close) - 1
    truth = nnls_forecast(returns[0].to_numpy()[row - 999 : row + 1])
    np.testing.assert_allclose(column(table, "vol_forecast_har")[row - 300, 0], truth, rtol=1e-8)


def test_the_percentile_has_a_value_on_every_session_of_the_real_prices() -> None:
    """Pitfall: a percentile that can never be computed."""
    prices = bundled.load_prices()
    close = prices.close[:, [prices.symbols.index(name) for name in ("AAPL", "JPM", "KO")]]
    table = table_of(close, RETURNS_BACK + 1, prices.sessions)
    assert np.isfinite(column(table, "vol_percentile")).all()
    assert (counted(table, "vol_percentile") == 252).all()


def test_a_portfolios_series_goes_the_same_way() -> None:
    """The kernels take any returns; before the first row there are none."""
    returns = simple_returns(walk(300, 2), np.ones((300, 2)), np.zeros((300, 2)))
    own = moments(since(returns, 0), 300)
    got = volatility.realised(own.n.quarter, own.total.quarter, own.squares.quarter, least(63))
    expected = pd.DataFrame(returns).rolling(63, min_periods=42).std() * 252**0.5
    np.testing.assert_allclose(got, expected.to_numpy(), rtol=1e-9)
