"""The metrics of a symbol, and their registry: what each is, over how many sessions, and how it is checked.

Knows nothing of portfolios, factors or storage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from glassfolio.analytics.har import RETURNS
from glassfolio.analytics.periods import PERIODS
from glassfolio.analytics.volatility import FORECAST_MINIMUM, least
from glassfolio.model.results import Warning_

Unit = Literal["fraction", "fraction per year", "ratio", "USD per share", "category"]
# Details that are sessions, stored as ordinals and shown as dates.
SESSION_DETAILS = ("peak", "trough")
TRENDS: Mapping[float, str] = {-1.0: "falling", 0.0: "stable", 1.0: "rising"}


@dataclass(frozen=True, slots=True)
class Metric:
    """What a figure is, for the program and for the page that explains it.

    window, minimum: sessions, None for a calendar period. unit: fractions throughout, never per cent.
    checked: the independent computation that the tests compare it with. details: further numbers that are
    published with it. words: what the numbers of a category mean.
    """

    key: str
    title: str
    window: int | None
    minimum: int | None
    unit: Unit
    formula: str
    source: str
    checked: str
    details: tuple[str, ...] = ()
    words: Mapping[float, str] | None = None


def _period(name: str, title: str, checked: str) -> Metric:
    formula = f"TR(t) / TR({PERIODS[name]}) - 1"
    source = "simple total return, not annualised"
    return Metric(f"return_{name}", title, None, None, "fraction", formula, source, checked)


def _volatility(window: int) -> Metric:
    return Metric(
        f"vol_{window}",
        f"Volatility, {window} sessions",
        window,
        least(window),
        "fraction per year",
        "std(r, ddof=1) * sqrt(252)",
        "realised volatility",
        "pandas rolling std; empyrical.annual_volatility",
    )


def _yearly(
    key: str, title: str, unit: Unit, formula: str, source: str, checked: str, *details: str
) -> Metric:
    return Metric(key, title, 252, least(252), unit, formula, source, checked, details)


_ASOF = "pandas asof with DateOffset; base of every session 2014 to 2026"
_GROUPED = "pandas groupby of periods; base of every session 2014 to 2026"

METRICS: Mapping[str, Metric] = {
    metric.key: metric
    for metric in (
        _period("1d", "Return, 1 day", "pandas pct_change; base of every session 1990 to 2030"),
        _period("mtd", "Return, month to date", _GROUPED),
        _period("1m", "Return, 1 month", _ASOF),
        _period("3m", "Return, 3 months", _ASOF),
        _period("ytd", "Return, year to date", _GROUPED),
        _period("1y", "Return, 1 year", _ASOF),
        _volatility(21),
        _volatility(63),
        _volatility(252),
        Metric(
            "vol_forecast",
            "Volatility forecast",
            252,
            FORECAST_MINIMUM,
            "fraction per year",
            "sqrt(252 * sum(w r^2) / sum(w)), w = 0.5^(age / 21)",
            "exponentially weighted, half-life 21 sessions, mean 0",
            "pandas ewm(halflife=21); bias below 2 % on simulated returns",
        ),
        Metric(
            "vol_forecast_har",
            "Volatility forecast, HAR",
            RETURNS,
            RETURNS,
            "fraction per year",
            "sqrt(252 * max(b0 + b1 x + b2 x5 + b3 x22, 0.02 mean(x))), x = r^2, b >= 0",
            "Corsi (2009) on variances, 21 sessions ahead, weighted by 1 / max(x22, 0.05 mean(x))",
            "scipy.optimize.nnls; unweighted statsmodels OLS and arch HARX; bias below 2 %",
        ),
        _yearly(
            "vol_percentile",
            "Percentile of the volatility",
            "fraction",
            "share of the last 252 values of vol_21 that are <= today's",
            "empirical distribution, weak",
            "scipy.stats.percentileofscore(kind='weak')",
        ),
        Metric(
            "vol_trend",
            "Trend of the volatility",
            63,
            least(63),
            "category",
            "q = vol_21 / vol_63: rising (1) if q > 1.30, falling (-1) if q < 0.68, else stable (0)",
            "band for at most 10 % false alarms on constant volatility",
            "plain formula; false alarms on simulated normal and t(5) returns",
            ("ratio",),
            TRENDS,
        ),
        _yearly(
            "max_drawdown",
            "Maximum drawdown",
            "fraction",
            "min over s <= t of TR(s) / max(TR up to s) - 1, from the base close on",
            "total return, splits and dividends put back in",
            "empyrical.max_drawdown; a plain loop for the dates",
            "peak",
            "trough",
        ),
        _yearly(
            "drawdown",
            "Drawdown",
            "fraction",
            "TR(t) / max(TR) - 1, from the base close on",
            "total return, splits and dividends put back in",
            "pandas rolling max",
            "peak",
        ),
        _yearly(
            "downside_vol",
            "Downside volatility",
            "fraction per year",
            "sqrt(mean(min(r - rf, 0)^2) * 252)",
            "all n in the mean, also days of gains",
            "empyrical.downside_risk",
        ),
        _yearly(
            "sortino",
            "Sortino ratio",
            "ratio",
            "252 * mean(r - rf) / downside_vol",
            "Sortino and Price (1994)",
            "empyrical.sortino_ratio; quantstats.sortino",
        ),
        _yearly(
            "sharpe",
            "Sharpe ratio",
            "ratio",
            "sqrt(252) * mean(r - rf) / std(r - rf, ddof=1), stderr = sqrt(252 (1 + h^2 / 2) / n)",
            "h is the daily ratio; standard error for independent returns, Lo (2002)",
            "empyrical.sharpe_ratio; quantstats.sharpe",
            "stderr",
        ),
        _yearly(
            "high_52w",
            "Highest close, 252 sessions",
            "USD per share",
            "max(close), on the share basis of t",
            "closes adjusted for splits, not for dividends",
            "pandas rolling max",
        ),
        _yearly(
            "low_52w",
            "Lowest close, 252 sessions",
            "USD per share",
            "min(close), on the share basis of t",
            "closes adjusted for splits, not for dividends",
            "pandas rolling min",
        ),
        Metric(
            "data_quality",
            "Data quality",
            252,
            1,
            "fraction",
            "completeness * freshness",
            "closes held / sessions since the first; 1 - sessions since the last close / 5, at least 0",
            "plain loop",
            ("completeness", "freshness"),
        ),
    )
}

# Metrics that rest on daily returns; days without any movement make them doubtful.
ON_RETURNS = frozenset(METRICS) & {
    "vol_21",
    "vol_63",
    "vol_252",
    "vol_forecast",
    "vol_percentile",
    "vol_trend",
    "downside_vol",
    "sortino",
    "sharpe",
}
# What a source may say of its closes that matters only where the close itself is published.
ON_CLOSES = {"high_52w": Warning_.ADJUSTED_CLOSE_AS_PRICE, "low_52w": Warning_.ADJUSTED_CLOSE_AS_PRICE}
