"""Every metric of every symbol on every session, tile by tile.

A figure rests on the sessions of its own window and on its own symbol, to the last bit. Knows nothing of
portfolios, factors or storage.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from glassfolio.analytics import closes, volatility
from glassfolio.analytics.drawdowns import falls
from glassfolio.analytics.har import RETURNS, har
from glassfolio.analytics.index import Index, total_return_index
from glassfolio.analytics.metrics import METRICS, ON_CLOSES, ON_RETURNS
from glassfolio.analytics.periods import OLDEST_BASE, base_sessions
from glassfolio.analytics.ratios import daily_rate, ratios
from glassfolio.analytics.returns import simple_returns
from glassfolio.analytics.trailing import MONTH, QUARTER, YEAR, Windows, reach_back
from glassfolio.analytics.volatility import RETURNS_BACK, Moments, counts, least, moments, realised
from glassfolio.model.market import BoolArray, FloatArray, IntArray, Panel
from glassfolio.model.results import NONE, WARNINGS, BitArray, CodeArray, Reason, Warning_

# Closes before a session that its metrics rest on; HAR alone looks further back where there is more.
SESSIONS_BACK = RETURNS_BACK + 1
THIN = 0.2  # share of returns of exactly 0 above which a figure is doubtful
_COLUMNS, _PART = 256, 128  # what fits the caches: of whole numbers, of sums

Each = Callable[[Callable[[slice], None], Iterable[slice]], Iterable[None]]


@dataclass(frozen=True)
class MetricTable:
    """All metrics of S symbols on D sessions.

    keys: M names, as in METRICS. value: (M, D, S), NaN where missing. n: (M, D, S) returns used, closes for
    figures of closes. reason: (M, D, S) codes of Reason, NONE where there is a value. warnings: (M, D, S)
    bits of Warning_. details: (metric, detail) -> (D, S), NaN where missing; sessions as ordinals.
    """

    keys: tuple[str, ...]
    value: FloatArray
    n: BitArray
    reason: CodeArray
    warnings: BitArray
    details: Mapping[tuple[str, str], FloatArray]


def symbol_metrics(
    panel: Panel,
    start: int = 0,
    risk_free: FloatArray | float = 0.0,
    caveats: IntArray | None = None,
    each: Each = map,
) -> MetricTable:
    """Every metric of every symbol of the panel, for each session from `start` on.

    risk_free: annual yield, one for all sessions or (T,). caveats: (S,) bits of Warning_ that the source of a
    symbol's closes brings along. each: takes the work on tiles apart, such as an executor's map.
    A period return needs the session's own close (no_price), a close on or before the reference date
    (insufficient_history), and that close at most 5 sessions older than it (stale_base). All others need
    the least number of returns or closes of their window (insufficient_history, or no_price without a close
    in a year); a ratio needs a risk above 0 (zero_variance). Checked as METRICS says, to 1e-9.
    """
    table = _empty(len(panel.sessions) - start, len(panel.symbols))
    grid = _Grid.of(panel, start, risk_free)

    def work(columns: slice) -> None:
        prices = _Prices.of(panel, columns, start)
        tile = _Tile(table, columns, prices.index.known[SESSIONS_BACK:], prices.index.stale[SESSIONS_BACK:])
        _period_returns(tile, prices.index, grid)
        _drawdowns(tile, prices, grid)
        _closes(tile, prices)
        for first in range(0, tile.known.shape[1], _PART):
            part = slice(first, first + _PART)
            _of_returns(tile.part(part), prices.returns[:, part], grid.rate)
        _har(tile, panel, columns)
        if caveats is not None:
            tile.warn_of_closes(caveats[columns])

    for _ in each(work, [slice(at, at + _COLUMNS) for at in range(0, len(panel.symbols), _COLUMNS)]):
        pass
    return table


def _empty(days: int, symbols: int) -> MetricTable:
    shape = (len(METRICS), days, symbols)
    details = {
        (key, name): np.full(shape[1:], np.nan) for key, metric in METRICS.items() for name in metric.details
    }
    return MetricTable(
        tuple(METRICS),
        np.empty(shape),
        np.empty(shape, dtype=np.int16),
        np.full(shape, NONE, dtype=np.int8),
        np.zeros(shape, dtype=np.int16),
        details,
    )


@dataclass(frozen=True)
class _Grid:
    """What all symbols share: rows count from SESSIONS_BACK sessions before the first one asked for.

    bases: period -> (D,) rows, negative before the first; ordinals: of all rows; rate: (RETURNS_BACK + D, 1)
    daily, risk-free.
    """

    bases: Mapping[str, IntArray]
    ordinals: IntArray
    rate: FloatArray

    @classmethod
    def of(cls, panel: Panel, start: int, risk_free: FloatArray | float) -> "_Grid":
        count = len(panel.sessions)
        daily = np.broadcast_to(daily_rate(risk_free), count)
        ordinals = panel.ordinals[start] + np.arange(-SESSIONS_BACK, count - start)
        bases = base_sessions(panel.sessions)
        return cls(
            {name: rows[start:] - start + SESSIONS_BACK for name, rows in bases.items()},
            ordinals,
            reach_back(daily[:, None], start - RETURNS_BACK, 0.0),
        )


@dataclass(frozen=True)
class _Prices:
    """A tile's closes and splits, from SESSIONS_BACK sessions before the first one asked for, and its returns
    from one session later on.
    """

    close: FloatArray
    split: FloatArray
    index: Index
    returns: FloatArray

    @classmethod
    def of(cls, panel: Panel, columns: slice, start: int) -> "_Prices":
        parts = ((panel.close, np.nan), (panel.split, 1.0), (panel.dividend, 0.0))
        close, split, dividend = (
            reach_back(array[:, columns], start - SESSIONS_BACK, fill) for array, fill in parts
        )
        index = total_return_index(close, split, dividend)
        return cls(close, split, index, simple_returns(close, split, dividend)[1:])


@dataclass(frozen=True)
class _Tile:
    """The columns of a table that are being filled. known: (D, s) whether the session has a close of its own;
    stale: (D, s) age of the last close, -1 before the first.
    """

    table: MetricTable
    columns: slice
    known: BoolArray
    stale: IntArray

    def part(self, inside: slice) -> "_Tile":
        """Some of the tile's columns."""
        first = self.columns.start
        columns = slice(first + inside.start, min(first + inside.stop, first + self.known.shape[1]))
        return _Tile(self.table, columns, self.known[:, inside], self.stale[:, inside])

    def put(
        self,
        key: str,
        value: FloatArray,
        n: FloatArray,
        enough: BoolArray | None = None,
        **details: FloatArray,
    ) -> None:
        """Fill in one metric that looks back over a window, with its reasons and warnings.

        enough: whether there was enough to go on, if that is more than n says.
        """
        m, metric = self.table.keys.index(key), METRICS[key]
        enough = n >= (metric.minimum or 0) if enough is None else enough
        self.table.value[m][:, self.columns] = value
        self.table.n[m][:, self.columns] = n
        for name, detail in details.items():
            self.table.details[key, name][:, self.columns] = detail
        missing = np.isnan(value)
        if missing.any():
            reason = self.table.reason[m][:, self.columns]
            reason[missing] = Reason.ZERO_VARIANCE.code
            reason[missing & ~enough] = Reason.INSUFFICIENT_HISTORY.code
            reason[missing & ((self.stale < 0) | (self.stale >= YEAR))] = Reason.NO_PRICE.code
        if n.size > 1:
            there = ~missing
            self.warn(key, Warning_.PARTIAL_HISTORY, there & (n < (metric.window or 0)))
            self.warn(key, Warning_.STALE_PRICE, there & ~self.known)

    def warn(self, key: str, warning: Warning_, where: BoolArray) -> None:
        """Set a warning's bit."""
        bits = self.table.warnings[self.table.keys.index(key)][:, self.columns]
        bits |= where.astype(np.int16) << np.int16(WARNINGS.index(warning))

    def warn_of_closes(self, caveats: IntArray) -> None:
        """Pass on what the source says of its closes, where closes are published."""
        for key, warning in ON_CLOSES.items():
            m = self.table.keys.index(key)
            there = self.table.reason[m][:, self.columns] == NONE
            self.warn(key, warning, there & ((caveats & warning.bit) != 0))


def _period_returns(tile: _Tile, index: Index, grid: _Grid) -> None:
    rows = np.arange(SESSIONS_BACK, len(index.known))
    both = index.known[1:] & index.known[:-1]
    count = None if both.all() else np.concatenate([[[0] * both.shape[1]], np.cumsum(both, axis=0)])
    for name, base in grid.bases.items():
        m = tile.table.keys.index(f"return_{name}")
        inside = np.maximum(base, 0)
        value = index.change(inside, rows)
        n = (rows - inside)[:, None] if count is None else count[rows] - count[inside]
        if count is not None or (base < 0).any():
            stale = np.where(base[:, None] >= 0, index.stale[inside], -1)
            reason = tile.table.reason[m][:, tile.columns]
            reason[stale > OLDEST_BASE] = Reason.STALE_BASE.code
            reason[stale < 0] = Reason.INSUFFICIENT_HISTORY.code
            reason[~tile.known] = Reason.NO_PRICE.code
            value[reason != NONE] = np.nan
            n = np.where(stale >= 0, n, 0)
        tile.table.value[m][:, tile.columns] = value
        tile.table.n[m][:, tile.columns] = n


def _drawdowns(tile: _Tile, prices: _Prices, grid: _Grid) -> None:
    rows = len(tile.known)
    first = SESSIONS_BACK - YEAR
    observed = np.isfinite(prices.returns)
    n = counts(observed, rows).year
    found = falls(prices.index.levels()[first:], prices.index.known[first:], rows)
    enough = np.broadcast_to(n >= least(YEAR), found.deepest.shape)
    ordinals = np.append(grid.ordinals[first:], -1).astype(np.float64)

    def session(row: IntArray) -> FloatArray:
        return volatility.known(ordinals[row], enough)

    deepest, today = volatility.known(found.deepest, enough), volatility.known(found.today, enough)
    tile.put("max_drawdown", deepest, n, peak=session(found.peak), trough=session(found.trough))
    tile.put("drawdown", today, n, peak=session(found.high))


def _closes(tile: _Tile, prices: _Prices) -> None:
    first = SESSIONS_BACK - YEAR + 1
    close, there, split = prices.close[first:], prices.index.known[first:], prices.split[first:]
    n = closes.count(there)
    tile.put("high_52w", closes.highest(close, there, split, n), n)
    tile.put("low_52w", closes.lowest(close, there, split, n), n)
    found = closes.quality(there, n, tile.stale)
    tile.put("data_quality", found.whole, n, completeness=found.completeness, freshness=found.freshness)


def _of_returns(tile: _Tile, returns: FloatArray, rate: FloatArray) -> None:
    rows, own = len(tile.known), moments(returns, len(tile.known))
    n, total, squares = own.n, own.total, own.squares
    n_month = n.month[-rows:]
    month = realised(n.month, total.month, squares.month, least(MONTH))
    quarter = realised(n.quarter, total.quarter, squares.quarter, least(QUARTER))
    tile.put("vol_21", month[-rows:], n_month)
    tile.put("vol_63", quarter, n.quarter)
    tile.put("vol_252", realised(n.year, total.year, squares.year, least(YEAR)), n.year)
    tile.put("vol_forecast", volatility.forecast(returns, rows, n.year), n.year)
    there = n_month >= least(MONTH)
    share, values = volatility.percentile(month, rows)
    tile.put("vol_percentile", share, values, there & (values >= least(YEAR)))
    direction, ratio = volatility.trend(month[-rows:], quarter)
    tile.put("vol_trend", direction, n.quarter, there & (n.quarter >= least(QUARTER)), ratio=ratio)
    _ratios(tile, returns, rate, own)
    _warn_of_thin_trading(tile, returns, own.n)


def _ratios(tile: _Tile, returns: FloatArray, rate: FloatArray, own: Moments) -> None:
    rows = len(tile.known)
    excess = returns - rate if rate.any() else returns
    found = ratios(excess, moments(excess, rows) if rate.any() else own)
    tile.put("downside_vol", found.downside_vol, found.n)
    tile.put("sortino", found.sortino, found.n)
    tile.put("sharpe", found.sharpe, found.n, stderr=found.sharpe_stderr)


def _warn_of_thin_trading(tile: _Tile, returns: FloatArray, n: Windows) -> None:
    still = returns == 0
    if not still.any():
        return
    rows, zeros = len(tile.known), counts(still, len(tile.known))
    month = zeros.month[-rows:] > THIN * n.month[-rows:]
    quarter, year = zeros.quarter > THIN * n.quarter, zeros.year > THIN * n.year
    thin = {"vol_21": month, "vol_63": quarter, "vol_trend": quarter}
    for key in ON_RETURNS:
        there = tile.table.reason[tile.table.keys.index(key)][:, tile.columns] == NONE
        tile.warn(key, Warning_.THIN_TRADING, there & thin.get(key, year))


def _har(tile: _Tile, panel: Panel, columns: slice) -> None:
    value = np.full(tile.known.shape, np.nan)
    if len(panel.sessions) > RETURNS:
        prices = (panel.close[:, columns], panel.split[:, columns], panel.dividend[:, columns])
        value = har(simple_returns(*prices)[1:], len(value))
    tile.put("vol_forecast_har", value, np.where(np.isnan(value), 0.0, RETURNS))
