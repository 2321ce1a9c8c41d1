"""How portfolios performed: time-weighted returns over calendar periods, and the risk their owners took.

Rests on daily returns alone; what was paid in or out has left them already. Many portfolios at once; none
depends on another. No fees, borrow cost or interest are in it, because none are known. Knows nothing of
lots, prices or holdings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from glassfolio.analytics.drawdowns import UNIT, falls
from glassfolio.analytics.periods import base_sessions
from glassfolio.analytics.ratios import daily_rate, ratios
from glassfolio.analytics.rolling import trailing_product
from glassfolio.analytics.trailing import YEAR, Windows, reach_back
from glassfolio.analytics.volatility import (
    RETURNS_BACK,
    SESSIONS_PER_YEAR,
    Moments,
    known,
    least,
    moments,
    realised,
    since,
)
from glassfolio.model.market import BoolArray, DateArray, FloatArray, IntArray
from glassfolio.model.results import NONE, CodeArray, Reason


@dataclass(frozen=True)
class Figure:
    """One number of P portfolios on D sessions; all (D, P), fractions.

    value: NaN where missing. n: daily returns used. reason: codes of Reason. details: sessions as rows of the
    given ones, -1 where missing; standard errors, NaN where missing.
    """

    value: FloatArray
    n: IntArray
    reason: CodeArray
    details: Mapping[str, FloatArray | IntArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Daily:
    """Daily time-weighted returns of P portfolios.

    returns: (D, P), NaN where missing, with the code of its reason in `reason`. sessions: (D + 1,) the
    session at whose close the history opens, then the D that follow it.
    """

    returns: FloatArray
    reason: CodeArray
    sessions: DateArray

    def holds(self, why: Reason) -> BoolArray:
        """(D, P) whether a return is missing for that reason."""
        missing: BoolArray = np.isnan(self.returns) & (self.reason == why.code)
        return missing

    @property
    def ended(self) -> BoolArray:
        """(D, P) whether the chain of returns has ended by then: NAV was not above 0, or all was lost."""
        lost = self.holds(Reason.NONPOSITIVE_NAV) | (self.returns <= -1)
        ended: BoolArray = np.logical_or.accumulate(lost, axis=0)
        return ended


def performance(daily: Daily, risk_free: FloatArray | float = 0.0) -> Mapping[str, Figure]:
    """All figures: twr_1d, twr_mtd, twr_1m, twr_3m, twr_ytd, twr_1y, twr_cum, twr_annual, realised_vol_21,
    realised_vol_63, realised_vol_252, downside_vol, sortino, sharpe, max_drawdown.

    risk_free: annual yield, one for all or (D,).
    """
    return {**time_weighted(daily), **risk(daily, risk_free)}


def time_weighted(daily: Daily) -> dict[str, Figure]:
    """Compounded daily returns over each calendar period, and over the whole history.

    NaN with nonpositive_nav where the chain broke inside, with insufficient_history where the period begins
    before the history; twr_annual, (1 + twr_cum)^(252 / n) - 1, with short_period under 252 sessions.
    Checked against empyrical.cum_returns_final and a product over pandas asof.
    """
    days, rows = len(daily.returns), np.arange(1, len(daily.sessions))
    growth = np.vstack([np.ones((1, daily.returns.shape[1])), 1 + np.nan_to_num(daily.returns)])
    gone = np.vstack([np.zeros_like(growth[:1]), np.isnan(daily.returns)])
    lost = np.vstack([np.zeros_like(growth[:1]), daily.holds(Reason.NONPOSITIVE_NAV)])
    figures: dict[str, Figure] = {}
    periods = {f"twr_{name}": base[1:] for name, base in base_sessions(daily.sessions).items()}
    for key, base in {**periods, "twr_cum": np.zeros(days, dtype=np.int64)}.items():
        inside = np.maximum(base, 0)
        lengths = np.concatenate([[0], rows - inside])
        missing, broken = (_counted(part, rows, inside) for part in (gone, lost))
        early = np.broadcast_to(base[:, None] < 0, missing.shape)
        if key == "twr_cum":  # the chain may begin with a first day that is not known
            missing = broken
        reason = np.where(early | (missing > 0), Reason.INSUFFICIENT_HISTORY.code, NONE)
        reason[~early & (broken > 0)] = Reason.NONPOSITIVE_NAV.code
        value = trailing_product(growth, lengths)[1:] - 1
        n = (rows - inside)[:, None] - _counted(gone, rows, inside)
        figures[key] = Figure(
            known(value, reason == NONE), np.where(early, 0, n).astype(np.int64), reason.astype(np.int8)
        )
    return {**figures, "twr_annual": _annual(figures["twr_cum"])}


def _counted(flags: FloatArray, rows: IntArray, base: IntArray) -> IntArray:
    total = np.cumsum(flags, axis=0).astype(np.int64)
    return total[rows] - total[base]


def _annual(whole: Figure) -> Figure:
    n, reason = whole.n, whole.reason.copy()
    reason[(reason == NONE) & (n < SESSIONS_PER_YEAR)] = Reason.SHORT_PERIOD.code
    reason[(reason == NONE) & (whole.value <= -1)] = Reason.NONPOSITIVE_NAV.code
    grown = np.where(reason == NONE, 1 + whole.value, np.nan)
    return Figure(grown ** (SESSIONS_PER_YEAR / np.maximum(n, 1)) - 1, n, reason)


def risk(daily: Daily, risk_free: FloatArray | float = 0.0) -> dict[str, Figure]:
    """Realised volatility, ratios and the maximum drawdown, defined as for symbols, on the daily returns."""
    rows = len(daily.returns)
    returns = since(daily.returns, 0)
    own = moments(returns, rows)
    windows = {21: _last(own, rows, "month"), 63: _last(own, rows, "quarter"), 252: _last(own, rows, "year")}
    figures = {
        f"realised_vol_{window}": _figure(realised(*parts, least(window)), parts[0], least(window))
        for window, parts in windows.items()
    }
    rate = np.broadcast_to(daily_rate(risk_free), rows)[:, None]
    excess = returns - reach_back(rate, -RETURNS_BACK, 0.0)
    found = ratios(excess, moments(excess, rows))
    for key, value in (("downside_vol", found.downside_vol), ("sortino", found.sortino)):
        figures[key] = _figure(value, found.n, least(YEAR))
    stderr = {"stderr": found.sharpe_stderr}
    figures["sharpe"] = _figure(found.sharpe, found.n, least(YEAR), stderr)
    return {**figures, "max_drawdown": _max_drawdown(daily, own.n)}


def _last(own: Moments, rows: int, window: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    n, total, squares = (getattr(part, window)[-rows:] for part in (own.n, own.total, own.squares))
    return n, total, squares


def _figure(
    value: FloatArray, n: FloatArray, minimum: int, details: Mapping[str, FloatArray] | None = None
) -> Figure:
    whole = np.broadcast_to(n, value.shape).astype(np.int64)
    reason = np.where(np.isnan(value), Reason.ZERO_VARIANCE.code, NONE)
    reason[whole < minimum] = Reason.INSUFFICIENT_HISTORY.code
    return Figure(value, whole, reason.astype(np.int8), details or {})


def _max_drawdown(daily: Daily, n: Windows) -> Figure:
    """Within 252 sessions and the close before them; peak and trough are rows of `daily.sessions`."""
    days = len(daily.returns)
    ended = daily.ended
    steps = np.log1p(np.where(ended | np.isnan(daily.returns), 0.0, daily.returns)) / UNIT
    levels = np.cumsum(np.rint(steps).astype(np.int64), axis=0)
    levels = np.concatenate([np.zeros((YEAR, levels.shape[1]), dtype=np.int64), levels])
    there = np.concatenate([np.zeros((YEAR, ended.shape[1]), dtype=np.bool_), ~ended])
    there[YEAR - 1] = True
    found = falls(levels, there, days)
    figure = _figure(found.deepest, n.year, least(YEAR))
    reason = figure.reason
    reason[ended] = Reason.NONPOSITIVE_NAV.code
    value = known(figure.value, reason == NONE)
    details = {
        name: np.where(reason == NONE, row - YEAR + 1, -1)
        for name, row in (("peak", found.peak), ("trough", found.trough))
    }
    return Figure(value, figure.n, reason, details)
