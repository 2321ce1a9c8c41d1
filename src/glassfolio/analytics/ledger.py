"""A portfolio's money over time: from lots, prices and external flows to P&L, cash and net asset value.

Everything is recomputed from its inputs; nothing is carried over from an earlier result. Sums over lots run
one after the other in an order that only the lots' own figures decide. Knows nothing of dates, symbols,
betas or storage.
"""

from dataclasses import dataclass

import numpy as np

from glassfolio.analytics.lots import Book, LotTable, Unvalued, keep_book
from glassfolio.model.market import BoolArray, FloatArray, IntArray
from glassfolio.model.results import NONE, CodeArray, Reason


@dataclass(frozen=True)
class Performance:
    """Time-weighted performance of D sessions, fractions.

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
    """The account of D sessions; amounts in USD, (D,) unless said otherwise, never NaN.

    nav: net asset value. cash: signed, negative is margin debit; nav = cash + value. value: of all lots,
    cash-like included. pnl = income + realised + change of unrealised. realised, unrealised: against cost.
    income: dividends, negative for shorts.
    flow: contributions less withdrawals. cum_pnl, cum_income, cum_flow: sums from the first row, that row
    included.
    opening: NAV before the first row's P&L and flow; nav = opening + cum_pnl + cum_flow.
    stale_value_share: share of the sum of |value| that is not priced by the session's own close; 0 where
    nothing is held.
    value_coverage: valued share of the holdings, lots without a price counted at cost; 1 where nothing is
    held, NaN while such a lot's cost is unknown.
    positions: instruments held, without cash-like ones. lots: lots held.
    values: (D, L) in the order of the LotTable, 0 while not held, NaN throughout for the lots in `unvalued`.
    cost_known: (L,) False where `unrealised` counts from the first price because the fill is unknown.
    order: (L,) the order in which lots were summed.
    """

    nav: FloatArray
    cash: FloatArray
    value: FloatArray
    pnl: FloatArray
    realised: FloatArray
    unrealised: FloatArray
    income: FloatArray
    flow: FloatArray
    cum_pnl: FloatArray
    cum_income: FloatArray
    cum_flow: FloatArray
    opening: float
    performance: Performance
    stale_value_share: FloatArray
    value_coverage: FloatArray
    positions: IntArray
    lots: IntArray
    values: FloatArray
    cost_known: BoolArray
    unvalued: tuple[Unvalued, ...]
    order: IntArray


def roll(
    lots: LotTable,
    close: FloatArray,
    split: FloatArray,
    dividend: FloatArray,
    flows: FloatArray,
    anchor: int,
    equity: float,
    start: int = 0,
) -> Ledger:
    """The account for each row from `start` on, with NAV equal to `equity` at row `anchor`.

    close, split, dividend: (T, S); flows: (T,) USD, contributions positive, 0 where none. Earlier rows than
    `start` lend their prices and the previous day's value. N(t) = N(t-1) + P&L(t) + F(t), taken backwards
    before the anchor.
    Raises ValueError when the anchor is not a row of the grid or the equity is not finite.
    """
    if not 0 <= anchor < len(close) or not np.isfinite(equity):
        raise ValueError(f"anchor {anchor} of {len(close)} sessions, equity {equity}")
    book = keep_book(lots, close, split, dividend)
    value, pnl, income = (total(part, book.order) for part in (book.value, book.pnl, book.income))
    trades = total(book.trades, book.order)
    nav = _roll_from(anchor, equity, pnl + flows)
    cash = _roll_from(anchor, equity - value[anchor], trades + flows)
    opening = np.concatenate([[nav[0] - pnl[0] - flows[0]], nav[:-1]])
    known = np.arange(len(close)) > 0
    known[0] = not (book.held[0] & (lots.entry < 0)).any()
    rows = slice(start, None)
    excluded = np.isin(np.arange(len(lots)), [left.lot for left in book.unvalued])
    return Ledger(
        nav=nav[rows],
        cash=cash[rows],
        value=value[rows],
        pnl=pnl[rows],
        realised=total(book.realised, book.order)[rows],
        unrealised=total(book.unrealised, book.order)[rows],
        income=income[rows],
        flow=flows[rows],
        cum_pnl=np.cumsum(pnl[rows]),
        cum_income=np.cumsum(income[rows]),
        cum_flow=np.cumsum(flows[rows]),
        opening=float(opening[start]),
        performance=perform(pnl[rows], opening[rows], flows[rows], known[rows]),
        stale_value_share=_stale_share(book)[rows],
        value_coverage=_coverage(book)[rows],
        positions=_positions(book, lots)[rows],
        lots=book.held.sum(axis=1)[rows],
        values=np.where(excluded, np.nan, book.value)[rows],
        cost_known=book.cost_known,
        unvalued=book.unvalued,
        order=book.order,
    )


def total(amounts: FloatArray, order: IntArray) -> FloatArray:
    """Sums of (T, L) over L, one after the other in `order`; (T,). Amounts of 0 leave no trace in the last
    bit.
    """
    if amounts.shape[1] == 0:
        return np.zeros(len(amounts))
    last: FloatArray = np.cumsum(amounts[:, order], axis=1)[:, -1]
    return last


def _roll_from(anchor: int, level: float, change: FloatArray) -> FloatArray:
    """Levels whose differences are `change`, equal to `level` at row `anchor` to the bit."""
    later = np.cumsum(np.concatenate([[level], change[anchor + 1 :]]))
    earlier = np.cumsum(np.concatenate([[level], -change[anchor:0:-1]]))
    return np.concatenate([earlier[:0:-1], later])


def perform(pnl: FloatArray, opening: FloatArray, flows: FloatArray, known: BoolArray) -> Performance:
    """Time-weighted performance. opening: (D,) the previous session's NAV; known: (D,) whether it can be
    told.
    """
    base = opening + np.maximum(flows, 0.0)
    positive = base > 0
    daily = np.where(known & positive, pnl / np.where(positive, base, 1.0), np.nan)
    broken = np.logical_or.accumulate(~positive & known)
    index = np.where(broken, np.nan, np.cumprod(1 + np.where(np.isnan(daily), 0.0, daily)))
    peak = np.maximum.accumulate(np.maximum(index, 1.0))
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


def _stale_share(book: Book) -> FloatArray:
    size = np.abs(book.value)
    gross = total(size, book.order)
    return total(np.where(book.fresh, 0.0, size), book.order) / np.where(gross > 0, gross, 1.0)


def _coverage(book: Book) -> FloatArray:
    valued = total(np.abs(book.value), book.order)
    everything = valued + total(book.unvalued_cost, book.order)
    return np.where(everything == 0, 1.0, valued / np.where(everything == 0, 1.0, everything))


def _positions(book: Book, lots: LotTable) -> IntArray:
    count = np.zeros(len(book.held), dtype=np.int64)
    instrument = np.where(lots.cash_like, np.iinfo(np.int64).max, lots.instrument)
    for one in np.unique(instrument[~lots.cash_like]):
        count += book.held[:, instrument == one].any(axis=1)
    return count
