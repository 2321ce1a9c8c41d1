"""What each lot, and each position, is at the close of one session.

The figures are those that the accounts are summed from. Knows nothing of cash, net asset value, symbols or
dates.
"""

from dataclasses import dataclass

import numpy as np

from glassfolio.analytics.grouping import adder, by_first, spans, totals
from glassfolio.analytics.instruments import Instruments, Kind, Paths, trace
from glassfolio.analytics.lots import LotTable, Settled, settle, shares_at
from glassfolio.model.market import BoolArray, FloatArray, IntArray
from glassfolio.model.results import NONE, BitArray, CodeArray, Reason, Warning_

FAR = 0.5


@dataclass(frozen=True)
class Statement:
    """N lots, or positions, at the close of one session; (N,) each, USD.

    lots: how many are held. quantity: shares or contracts on that session's share basis.
    value: 0 while nothing is held, NaN with `reason` no_price. exposure: NaN where it is unknown.
    cost: of what is held, NaN where a fill is unknown; unrealised = value - cost, NaN with either.
    realised, income: sums over the sessions asked for.
    stale: sessions since the oldest price that is used, -1 where none is.
    warnings: bits of Warning_: of the prices, stale_price, split_basis_ambiguous.
    """

    portfolio: IntArray
    column: IntArray
    lots: IntArray
    quantity: FloatArray
    value: FloatArray
    exposure: FloatArray
    cost: FloatArray
    unrealised: FloatArray
    realised: FloatArray
    income: FloatArray
    stale: IntArray
    warnings: BitArray
    reason: CodeArray


def state_lots(lots: LotTable, instruments: Instruments, row: int, since: int = 0) -> Statement:
    """Every lot at `row`, in the order of the table. realised, income: from row `since` to `row`."""
    paths = trace(instruments)
    settled = settle(lots, instruments, paths)
    missing = settled.missing & (lots.entry <= row) & (row < lots.exit)
    held = missing | ((settled.begin <= row) & (row < settled.end))
    at_fill = row < settled.at_fill
    worth = np.where(at_fill, settled.cost, settled.size * paths.price[lots.column, row])
    value = np.where(missing, np.nan, np.where(held, worth, 0.0))
    cost = np.where(held, lots.quantity * lots.multiplier * lots.entry_price, 0.0)
    age = np.where(at_fill, row - settled.begin, paths.stale[lots.column, row])
    priced = held & ~missing
    made = np.maximum(row - age, 0)
    warnings = np.where(priced & ~at_fill, instruments.warnings[made, lots.column], 0)
    warnings |= np.where(priced & (age > 0), Warning_.STALE_PRICE.bit, 0)
    ambiguous = held & ambiguous_basis(lots, instruments, paths)
    warnings |= np.where(ambiguous, Warning_.SPLIT_BASIS_AMBIGUOUS.bit, 0)
    booked = settled.sold & (since <= settled.end) & (settled.end <= row)
    shares = shares_at(paths, lots.column, np.full(len(lots), row))
    return Statement(
        portfolio=lots.portfolio,
        column=lots.column,
        lots=held.astype(np.int64),
        quantity=np.where(held, lots.quantity * (shares / shares_at(paths, lots.column, lots.basis)), 0.0),
        value=value,
        exposure=_exposure(lots, instruments, paths, settled, value, row),
        cost=cost,
        unrealised=value - cost,
        realised=np.where(booked, settled.proceeds - settled.cost, 0.0),
        income=_income(lots, paths, settled, since, row),
        stale=np.where(priced, age, -1),
        warnings=warnings.astype(np.int16),
        reason=np.where(missing, Reason.NO_PRICE.code, NONE).astype(np.int8),
    )


def _exposure(
    lots: LotTable, instruments: Instruments, paths: Paths, settled: Settled, value: FloatArray, row: int
) -> FloatArray:
    kind = instruments.kind[lots.column]
    held = np.isnan(value) | ((settled.begin <= row) & (row < settled.end))
    option = np.where(held, settled.size * paths.exposure[lots.column, row], 0.0)
    return np.where(kind == Kind.CASH, 0.0, np.where(kind == Kind.OPTION, option, value))


def _income(lots: LotTable, paths: Paths, settled: Settled, since: int, row: int) -> FloatArray:
    lot, event = spans(paths.paid_from[lots.column], paths.paid_from[lots.column + 1])
    ex = paths.paid_row[event]
    kept = (ex > np.maximum(settled.begin, 0)[lot]) & (ex <= settled.end[lot]) & (since <= ex) & (ex <= row)
    amount = settled.size[lot[kept]] * paths.paid[event[kept]]
    return totals(lot[kept], amount, len(lots))


def ambiguous_basis(lots: LotTable, instruments: Instruments, paths: Paths) -> BoolArray:
    """Whether a lot's price seems to be stated on the share basis of its entry, not on that of its file.

    (L,) True where the fill is more than half away from the entry session's close on the stated basis, and
    not more than that from it as it stands.
    """
    within, restated, close = _fills(lots, instruments, paths)
    return within & restated & (np.abs(lots.entry_price - close) <= FAR * close)


def far_fills(lots: LotTable, instruments: Instruments) -> BoolArray:
    """(L,) True where the fill is more than half away from the entry session's close, on either basis."""
    paths = trace(instruments)
    within, restated, close = _fills(lots, instruments, paths)
    return within & restated & (np.abs(lots.entry_price - close) > FAR * close)


def _fills(lots: LotTable, instruments: Instruments, paths: Paths) -> tuple[BoolArray, BoolArray, FloatArray]:
    """Whether each lot was bought on the grid, is far from that session's close, and that close; (L,)."""
    sessions = len(instruments.close)
    within = lots.dated & (lots.entry >= 0) & (lots.entry < sessions)
    entry = np.clip(lots.entry, 0, sessions - 1)
    close = instruments.close[entry, lots.column]
    factor = shares_at(paths, lots.column, lots.basis) / shares_at(paths, lots.column, entry)
    return within, np.abs(lots.entry_price * factor - close) > FAR * close, close


def net_lots(lots: Statement) -> Statement:
    """The lots of each portfolio in one instrument together, in the order in which they first occur."""
    number, first = by_first(lots.portfolio * (lots.column.max(initial=0) + 1) + lots.column)
    sums = adder(number, len(first))
    held = lots.lots > 0

    def bits(kept: BitArray) -> BitArray:
        joined = np.zeros(len(first), dtype=np.int16)
        np.bitwise_or.at(joined, number, kept)
        return joined

    stale = np.full(len(first), -1, dtype=np.int64)
    np.maximum.at(stale, number, lots.stale)
    reason = np.full(len(first), NONE, dtype=np.int8)
    np.maximum.at(reason, number[held], lots.reason[held])
    return Statement(
        portfolio=lots.portfolio[first],
        column=lots.column[first],
        lots=totals(number, lots.lots.astype(np.float64), len(first)).astype(np.int64),
        quantity=sums @ lots.quantity,
        value=sums @ lots.value,
        exposure=sums @ lots.exposure,
        cost=sums @ lots.cost,
        unrealised=sums @ lots.unrealised,
        realised=sums @ lots.realised,
        income=sums @ lots.income,
        stale=stale,
        warnings=bits(lots.warnings),
        reason=reason,
    )
