"""The money of portfolios over time: from lots, prices and external flows to P&L, cash and net asset value.

Everything is recomputed from its inputs; nothing is carried over from an earlier result. Knows nothing of
dates, symbols, betas or storage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassfolio.analytics.grouping import adder, level, merge, spans, totals
from glassfolio.analytics.instruments import Kind
from glassfolio.analytics.lots import Unvalued
from glassfolio.analytics.portion import Portion
from glassfolio.model.market import BoolArray, FloatArray, IntArray
from glassfolio.model.results import NONE, CodeArray, Reason


@dataclass(frozen=True)
class Performance:
    """Time-weighted performance of P portfolios on D sessions, (D, P), fractions.

    daily_return: P&L over the previous NAV plus the day's contributions; withdrawals count at the end of the
    day.
    twr_cum: compounded from the first row. drawdown: of the compounded value from its highest so far, <= 0.
    NaN with a reason: nonpositive_nav where the denominator is not above 0, and for the compounded figures
    from there on; insufficient_history for the daily return of a first row whose opening value is not known.
    """

    daily_return: FloatArray
    twr_cum: FloatArray
    drawdown: FloatArray
    daily_reason: CodeArray
    twr_reason: CodeArray


@dataclass(frozen=True)
class Ledger:
    """The accounts of P portfolios on D sessions; USD, (D, P) unless said otherwise, never NaN.

    nav: net asset value. cash: signed, negative is margin debit; nav = cash + value. value: of all lots,
    cash-like included. pnl = income + realised + change of unrealised. realised, unrealised: against cost,
    for which the first price stands in where it is unknown. income: dividends, negative for shorts.
    flow: contributions less withdrawals.
    opening: (P,) NAV before the first row's P&L and flow.
    stale_value_share: share of the sum of |value| whose price was made in an earlier session; 0 where nothing
    is held.
    value_coverage: valued share of the holdings, lots without a price counted at cost; 1 where nothing is
    held, NaN while such a lot's cost is unknown.
    positions: instruments held, without cash-like ones. lots: lots held.
    unvalued: the lots that take no part, by their place in the LotTable.
    """

    nav: FloatArray
    cash: FloatArray
    value: FloatArray
    pnl: FloatArray
    realised: FloatArray
    unrealised: FloatArray
    income: FloatArray
    flow: FloatArray
    opening: FloatArray
    performance: Performance
    stale_value_share: FloatArray
    value_coverage: FloatArray
    positions: IntArray
    lots: IntArray
    unvalued: tuple[Unvalued, ...]

    @property
    def cum_pnl(self) -> FloatArray:
        """P&L from the first row on, that row included; nav = opening + cum_pnl + cum_flow."""
        return np.cumsum(self.pnl, axis=0)

    @property
    def cum_income(self) -> FloatArray:
        """Income from the first row on."""
        return np.cumsum(self.income, axis=0)

    @property
    def cum_flow(self) -> FloatArray:
        """Flows from the first row on."""
        return np.cumsum(self.flow, axis=0)

    @property
    def previous_nav(self) -> FloatArray:
        """NAV of the session before each."""
        return np.concatenate([self.opening[None, :], self.nav[:-1]])


@dataclass(frozen=True)
class Accounts:
    """What the owners of P portfolios state, on T sessions.

    flows: (T, P) USD, contributions positive, 0 where none. equity: (P,) USD, the NAV at the row `anchor`,
    (P,).
    Raises ValueError when shapes differ, an anchor is not a row or an equity is not finite.
    """

    flows: FloatArray
    anchor: IntArray
    equity: FloatArray

    def __post_init__(self) -> None:
        sessions, count = self.flows.shape
        if self.anchor.shape != (count,) or self.equity.shape != (count,):
            raise ValueError("every portfolio needs flows, an anchor and an equity")
        wrong = ~((self.anchor >= 0) & (self.anchor < sessions) & np.isfinite(self.equity))
        for one in np.flatnonzero(wrong)[:1]:
            raise ValueError(f"anchor {self.anchor[one]} of {sessions} sessions, equity {self.equity[one]}")


def keep(portion: Portion, accounts: Accounts, start: int) -> dict[str, FloatArray]:
    """The numbers of `Ledger` and `Performance` by name, from the row `start` on; (P, D), opening (P,).

    N(t) = N(t-1) + P&L(t) + F(t), taken backwards before the anchor, where N is the equity. P&L is the change
    of value plus what trades and dividends bring in.
    """
    who, rows, cut = portion.portfolios, portion.rows, start - portion.rows[0]
    flows = accounts.flows.T[who][:, rows[0] :]
    anchor, equity = accounts.anchor[who] - rows[0], accounts.equity[who]
    value = portion.adder @ portion.worth
    trades, income, realised = _booked(portion)
    pnl = np.diff(value, axis=1, prepend=_held_before(portion)) + trades
    nav = _roll_from(anchor, equity, pnl + flows)
    at_anchor = np.take_along_axis(value, anchor[:, None], axis=1)[:, 0]
    cash = _roll_from(anchor, equity - at_anchor, trades + flows)
    opening = np.concatenate([nav[:, :1] - pnl[:, :1] - flows[:, :1], nav[:, :-1]], axis=1)
    known = np.ones(pnl.shape, dtype=np.bool_)
    known[:, 0] = rows[0] > 0 or np.bincount(portion.lots.portfolio[_old(portion)], minlength=len(who)) == 0
    numbers = {
        "nav": nav,
        "cash": cash,
        "value": value,
        "pnl": pnl,
        "realised": realised,
        "unrealised": _unrealised(portion),
        "income": income,
        "flow": flows,
        "positions": _positions(portion),
        "lots": _lots_held(portion),
        **_quality(portion),
    }
    after = slice(cut, None)
    performed = perform(pnl[:, after], opening[:, after], flows[:, after], known[:, after])
    return (
        {name: part[:, after] for name, part in numbers.items()}
        | vars(performed)
        | {"opening": opening[:, cut]}
    )


def _old(portion: Portion) -> BoolArray:
    """Whether each lot is held on the first row from before it."""
    held: BoolArray = (portion.settled.begin < portion.rows[0]) & portion.held[:, 0]
    return held


def _held_before(portion: Portion) -> FloatArray:
    """What the lots from before the first row are worth on it: their P&L of that row counts as nothing."""
    weight = portion.worth[:, 0] * _old(portion)
    return totals(portion.lots.portfolio, weight, len(portion.portfolios))[:, None]


def _booked(portion: Portion) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Cash that trades and dividends bring in, dividends among it, and gains realised; (P, R)."""
    settled, paths, of = portion.settled, portion.paths, portion.lots.portfolio
    first, width = portion.rows[0], len(portion.rows)
    bought = np.flatnonzero(settled.bought & (settled.begin >= first))
    sold = np.flatnonzero(settled.sold & (settled.end >= first))
    column = portion.lots.column
    lot, event = spans(paths.paid_from[column], paths.paid_from[column + 1])
    ex = paths.paid_row[event]
    kept = (ex > np.maximum(settled.begin, first)[lot]) & (ex <= settled.end[lot])
    lot, event, ex = lot[kept], event[kept], ex[kept]

    def book(lots: IntArray, row: IntArray, amount: FloatArray) -> FloatArray:
        cells = len(portion.portfolios) * width
        return totals(of[lots] * width + row - first, amount, cells).reshape(-1, width)

    income = book(lot, ex, settled.size[lot] * paths.paid[event])
    proceeds = book(sold, settled.end[sold], settled.proceeds[sold])
    paid = book(bought, settled.begin[bought], settled.cost[bought])
    gains = book(sold, settled.end[sold], settled.proceeds[sold] - settled.cost[sold])
    return proceeds - paid + income, income, gains


def _unrealised(portion: Portion) -> FloatArray:
    gain = portion.worth - portion.settled.cost[:, None]
    np.copyto(gain, 0.0, where=~portion.held)
    total: FloatArray = portion.adder @ gain
    return total


def _quality(portion: Portion) -> dict[str, FloatArray]:
    """The shares of value that are stale, and that are known."""
    settled, lots, rows = portion.settled, portion.lots, portion.rows
    size = np.abs(portion.worth)
    valued = portion.adder @ size
    carried = np.flatnonzero(portion.paths.carries[lots.column] | (settled.at_fill > rows[0]))
    stale = portion.paths.stale[lots.column[carried]][:, rows[0] :] > 0
    stale |= (rows < settled.at_fill[carried, None]) & (rows > settled.begin[carried, None])
    old = _sum_some(portion, carried, np.where(stale, size[carried], 0.0))
    missing = np.flatnonzero(settled.missing)
    cost = np.abs(lots.quantity * lots.multiplier * lots.entry_price)[missing, None]
    waiting = (lots.entry[missing, None] <= rows) & (rows < lots.exit[missing, None])
    whole = valued + _sum_some(portion, missing, np.where(waiting, cost, 0.0))
    return {
        "stale_value_share": old / np.where(valued > 0, valued, 1.0),
        "value_coverage": np.where(whole == 0, 1.0, valued / np.where(whole == 0, 1.0, whole)),
    }


def _sum_some(portion: Portion, chosen: IntArray, rows: FloatArray) -> FloatArray:
    """Sums over some of each portfolio's lots, of which there are mostly none; (P, R)."""
    if not len(chosen):
        return np.zeros((len(portion.portfolios), rows.shape[1]))
    total: FloatArray = adder(portion.lots.portfolio[chosen], len(portion.portfolios)) @ rows
    return total


def _ranges(portion: Portion, chosen: IntArray) -> tuple[IntArray, IntArray]:
    """From where to where lots are held, in places of the rows."""
    first, width = portion.rows[0], len(portion.rows)
    begin = np.clip(portion.settled.begin[chosen] - first, 0, width)
    return begin, np.maximum(np.clip(portion.settled.end[chosen] - first, 0, width), begin)


def _lots_held(portion: Portion) -> IntArray:
    every = np.arange(len(portion.lots))
    return level(portion.lots.portfolio, *_ranges(portion, every), len(portion.portfolios), len(portion.rows))


def _positions(portion: Portion) -> IntArray:
    lots, columns = portion.lots, len(portion.instruments)
    begin, end = _ranges(portion, np.arange(len(lots)))
    chosen = np.flatnonzero((begin < end) & (portion.instruments.kind[lots.column] != Kind.CASH))
    position = lots.portfolio[chosen] * columns + lots.column[chosen]
    position, begin, end = merge(position, begin[chosen], end[chosen])
    return level(position // columns, begin, end, len(portion.portfolios), len(portion.rows))


def _roll_from(anchor: IntArray, start: FloatArray, change: FloatArray) -> FloatArray:
    """Levels whose differences are `change`, (P, R), equal to `start` at the place `anchor` to the bit."""
    place = np.arange(change.shape[1])
    at, later = place == anchor[:, None], place > anchor[:, None]
    ahead = np.where(later, change, np.where(at, start[:, None], 0.0))
    back = np.zeros_like(change)
    back[:, :-1] = np.where(place[1:] <= anchor[:, None], -change[:, 1:], 0.0)
    back = np.where(at, start[:, None], back)
    return np.where(later, np.cumsum(ahead, axis=1), np.cumsum(back[:, ::-1], axis=1)[:, ::-1])


def perform(pnl: FloatArray, opening: FloatArray, flows: FloatArray, known: BoolArray) -> Performance:
    """Time-weighted performance; sessions run along the last axis, of the answer too.

    opening: the previous session's NAV. known: whether it can be told.
    """
    base = opening + np.maximum(flows, 0.0)
    positive = base > 0
    daily = np.where(known & positive, pnl / np.where(positive, base, 1.0), np.nan)
    broken = np.logical_or.accumulate(~positive & known, axis=-1)
    index = np.cumprod(1 + np.where(np.isnan(daily), 0.0, daily), axis=-1)
    index = np.where(broken, np.nan, index)
    peak = np.maximum.accumulate(np.maximum(index, 1.0), axis=-1)
    daily_reason = np.where(positive, NONE, Reason.NONPOSITIVE_NAV.code)
    daily_reason = np.where(known, daily_reason, Reason.INSUFFICIENT_HISTORY.code)
    twr_reason = np.where(broken, Reason.NONPOSITIVE_NAV.code, NONE)
    return Performance(
        daily_return=daily,
        twr_cum=index - 1,
        drawdown=index / peak - 1,
        daily_reason=daily_reason.astype(np.int8),
        twr_reason=twr_reason.astype(np.int8),
    )


def assemble(numbers: Mapping[str, Any], left_out: tuple[Unvalued, ...]) -> Ledger:
    """The Ledger made of the numbers of all portfolios, (P, D) each."""
    names = ("daily_return", "twr_cum", "drawdown", "daily_reason", "twr_reason")
    performance = Performance(**{name: numbers[name].T for name in names})
    rest = {name: part.T for name, part in numbers.items() if name not in names}
    return Ledger(**rest, performance=performance, unvalued=left_out)
