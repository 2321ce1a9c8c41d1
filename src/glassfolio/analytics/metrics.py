"""Figures of one symbol for every session: returns over calendar periods, and volatility.

Knows nothing of portfolios, factors or storage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from glassfolio.analytics.returns import carry, growth, simple_returns
from glassfolio.analytics.rolling import rolling_sum, sum_of_squares, tiles, trailing_product
from glassfolio.model.market import BoolArray, DateArray, FloatArray, IntArray, Panel
from glassfolio.model.results import NONE, CodeArray, Reason

SESSIONS_PER_YEAR = 252
OLDEST_BASE = 5


@dataclass(frozen=True, slots=True)
class Metric:
    """What a figure is, for the program and for the page that explains it.

    window, minimum: sessions, None for a calendar period. unit: fractions throughout, never per cent.
    """

    key: str
    title: str
    window: int | None
    minimum: int | None
    unit: Literal["fraction", "fraction per year"]
    formula: str
    source: str


def _period(key: str, title: str, base: str) -> Metric:
    return Metric(
        key, title, None, None, "fraction", f"TR(t) / TR({base}) - 1", "simple total return, not annualised"
    )


def _volatility(window: int, minimum: int) -> Metric:
    return Metric(
        f"vol_{window}",
        f"Volatility, {window} sessions",
        window,
        minimum,
        "fraction per year",
        "std(r, ddof=1) * sqrt(252)",
        "empyrical.annual_volatility",
    )


METRICS: Mapping[str, Metric] = {
    metric.key: metric
    for metric in (
        _period("return_1d", "Return, 1 day", "the session before"),
        _period("return_mtd", "Return, month to date", "last session of the previous month"),
        _period("return_1m", "Return, 1 month", "same day one month back"),
        _period("return_3m", "Return, 3 months", "same day three months back"),
        _period("return_ytd", "Return, year to date", "last session of the previous year"),
        _period("return_1y", "Return, 1 year", "same day one year back"),
        _volatility(21, 14),
        _volatility(63, 42),
        _volatility(252, 168),
    )
}

_MONTHS_BACK = {"return_1m": 1, "return_3m": 3, "return_1y": 12}


@dataclass(frozen=True)
class MetricTable:
    """All metrics of S symbols on D sessions.

    keys: M names, as in METRICS. value: (D, S, M), NaN where missing. n: (D, S, M) daily returns used.
    reason: (D, S, M) codes of Reason, NONE where there is a value.
    """

    keys: tuple[str, ...]
    value: FloatArray
    n: IntArray
    reason: CodeArray


def base_sessions(sessions: DateArray) -> Mapping[str, IntArray]:
    """For each period return, the row of the last session on or before its reference date; -1 before the
    first row.

    sessions: (T,) datetime64[D], rising. The same day of an earlier month is clamped to that month's last
    day.
    """
    month = sessions.astype("datetime64[M]")
    day = (sessions - month.astype("datetime64[D]")).astype(np.int64)
    references = {
        "return_1d": sessions - np.timedelta64(1, "D"),
        "return_mtd": month.astype("datetime64[D]") - np.timedelta64(1, "D"),
        "return_ytd": sessions.astype("datetime64[Y]").astype("datetime64[D]") - np.timedelta64(1, "D"),
    }
    for key, back in _MONTHS_BACK.items():
        earlier = month - np.timedelta64(back, "M")
        last = (earlier + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
        references[key] = np.minimum(earlier.astype("datetime64[D]") + day, last)
    return {key: np.searchsorted(sessions, day, side="right") - 1 for key, day in references.items()}


def symbol_metrics(panel: Panel, start: int = 0) -> MetricTable:
    """Every metric of every symbol of the panel, for each session from `start` on.

    A period return needs the session's own close (no_price), a close on or before the reference date
    (insufficient_history), and that close at most 5 sessions older than it (stale_base). A volatility needs
    two thirds of its window's returns (insufficient_history). Checked against pandas to 1e-9.
    """
    shape = (len(panel.sessions) - start, len(panel.symbols), len(METRICS))
    value, n = np.empty(shape), np.empty(shape, dtype=np.int64)
    reason = np.empty(shape, dtype=np.int8)
    bases = base_sessions(panel.sessions)
    for tile in tiles(np.arange(shape[1])):
        prices = _Prices.of(panel, tile)
        for m, metric in enumerate(METRICS.values()):
            figure = (
                _period_return(prices, bases[metric.key])
                if metric.window is None
                else _rolling_volatility(prices, metric)
            )
            value[:, tile, m], n[:, tile, m], reason[:, tile, m] = (part[start:] for part in figure)
    return MetricTable(tuple(METRICS), value, n, reason)


@dataclass(frozen=True)
class _Prices:
    known: BoolArray
    stale: IntArray
    growth: FloatArray
    returns: FloatArray
    observed: FloatArray

    @classmethod
    def of(cls, panel: Panel, columns: IntArray) -> "_Prices":
        close, split, dividend = (a[:, columns] for a in (panel.close, panel.split, panel.dividend))
        returns = simple_returns(close, split, dividend)
        observed = np.isfinite(returns).astype(np.float64)
        stale = carry(close, split).stale
        return cls(np.isfinite(close), stale, growth(close, split, dividend), returns, observed)


_Figure = tuple[FloatArray, IntArray, CodeArray]


def _period_return(prices: _Prices, base: IntArray) -> _Figure:
    rows = np.arange(len(base))
    inside = np.maximum(base, 0)
    count = np.cumsum(prices.observed, axis=0).astype(np.int64)
    n = count - count[inside]
    stale = np.where(base[:, None] >= 0, prices.stale[inside], -1)
    reason = np.full(stale.shape, NONE, dtype=np.int8)
    reason[stale > OLDEST_BASE] = Reason.STALE_BASE.code
    reason[stale < 0] = Reason.INSUFFICIENT_HISTORY.code
    reason[~prices.known] = Reason.NO_PRICE.code
    change = trailing_product(prices.growth, rows - inside) - 1
    return np.where(reason == NONE, change, np.nan), np.where(base[:, None] >= 0, n, 0), reason


def _rolling_volatility(prices: _Prices, metric: Metric) -> _Figure:
    window, minimum = metric.window or 0, metric.minimum or 0
    r = np.where(prices.observed > 0, prices.returns, 0.0)
    n = rolling_sum(prices.observed, window)
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = sum_of_squares(rolling_sum(r * r, window), rolling_sum(r, window), n)
        volatility = np.sqrt(squares / (n - 1) * SESSIONS_PER_YEAR)
    enough = n >= minimum
    reason = np.where(enough, NONE, Reason.INSUFFICIENT_HISTORY.code).astype(np.int8)
    reason[prices.stale < 0] = Reason.NO_PRICE.code
    return np.where(enough, volatility, np.nan), n.astype(np.int64), reason
