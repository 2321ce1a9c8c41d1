"""Decides which of the bars that arrived are believed. Pure.

Knows nothing of who sent them; quarantined bars are named, never repaired.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from glassfolio.model.market import Bars, Basis, BoolArray, DateArray, FloatArray, IntArray
from glassfolio.providers.base import Quarantined, QuarantineReason

JUMP = 0.5
REVERTED = 0.8
STALE_SESSIONS = 10
CURRENCY = "USD"


@dataclass(frozen=True)
class RawBars:
    """The bars of one symbol as they arrived, in any order.

    sessions, close, split, dividend, adj_close, volume: (n,) as in Bars; close NaN where it was null.
    currency: (n,) codes, or None where the source states none.
    """

    symbol: str
    basis: Basis
    sessions: DateArray
    close: FloatArray
    split: FloatArray
    dividend: FloatArray
    adj_close: FloatArray
    volume: IntArray
    currency: NDArray[np.str_] | None = None

    def take(self, rows: NDArray[np.int64] | BoolArray) -> "RawBars":
        """The chosen rows, in that order."""
        return RawBars(
            self.symbol,
            self.basis,
            self.sessions[rows],
            self.close[rows],
            self.split[rows],
            self.dividend[rows],
            self.adj_close[rows],
            self.volume[rows],
            None if self.currency is None else self.currency[rows],
        )


Check = Callable[[RawBars], BoolArray]


def inspect(
    raw: RawBars, calendar: DateArray, start: date, end: date
) -> tuple[Bars | None, tuple[Quarantined, ...]]:
    """The believable bars of a symbol in session order, and the others with a reason each.

    calendar: every session of the exchange, rising. start, end: the range asked for, inclusive.
    Bars is None when nothing is left. Rows out of order are sorted, equal rows merged, and a bar without
    a close after the last one that has one (a session still going on) is dropped unnamed.
    """
    raw = _merge_equal(_drop_live(raw.take(np.argsort(raw.sessions, kind="stable"))))
    first, last = np.datetime64(start, "D"), np.datetime64(end, "D")
    checks: tuple[tuple[QuarantineReason, Check], ...] = (
        (QuarantineReason.CONFLICT, _is_conflict),
        (QuarantineReason.OUT_OF_RANGE, lambda r: (r.sessions < first) | (r.sessions > last)),
        (QuarantineReason.NO_SESSION, lambda r: ~np.isin(r.sessions, calendar)),
        (QuarantineReason.CURRENCY, _is_foreign),
        (QuarantineReason.NO_CLOSE, lambda r: np.isnan(r.close)),
        (QuarantineReason.BAD_PRICE, _is_bad_price),
        (QuarantineReason.BAD_ACTION, _is_bad_action),
        (QuarantineReason.SPIKE, _is_spike),
        (QuarantineReason.STALE, _is_stale),
    )
    apart: list[Quarantined] = []
    for reason, check in checks:
        bad = check(raw)
        days: list[date] = np.unique(raw.sessions[bad]).tolist()
        apart += [Quarantined(raw.symbol, day, reason) for day in days]
        raw = raw.take(~bad)
    return _as_bars(raw), tuple(apart)


def _as_bars(raw: RawBars) -> Bars | None:
    if not raw.sessions.size:
        return None
    return Bars(
        raw.symbol,
        raw.basis,
        raw.sessions,
        raw.close,
        raw.split,
        raw.dividend,
        raw.adj_close,
        np.where(raw.volume < 0, -1, raw.volume),
    )


def _drop_live(raw: RawBars) -> RawBars:
    known = np.flatnonzero(~np.isnan(raw.close))
    if known.size == raw.close.size or (known.size and known[-1] == raw.close.size - 1):
        return raw
    newest = raw.sessions == raw.sessions[-1]
    return raw.take(~(newest & np.isnan(raw.close)))


def _merge_equal(raw: RawBars) -> RawBars:
    same = raw.sessions[1:] == raw.sessions[:-1]
    for column in (raw.close, raw.split, raw.dividend, raw.adj_close):
        same = same & ((column[1:] == column[:-1]) | (np.isnan(column[1:]) & np.isnan(column[:-1])))
    return raw.take(np.concatenate([np.ones(min(raw.close.size, 1), dtype=np.bool_), ~same]))


def _is_foreign(raw: RawBars) -> BoolArray:
    if raw.currency is None:
        return np.zeros(raw.close.size, dtype=np.bool_)
    return np.asarray(raw.currency != CURRENCY, dtype=np.bool_)


def _is_bad_price(raw: RawBars) -> BoolArray:
    adjusted = np.isnan(raw.adj_close) | (np.isfinite(raw.adj_close) & (raw.adj_close > 0))
    return ~(np.isfinite(raw.close) & (raw.close > 0) & adjusted)


def _is_bad_action(raw: RawBars) -> BoolArray:
    split = np.isfinite(raw.split) & (raw.split > 0)
    return ~(split & np.isfinite(raw.dividend) & (raw.dividend >= 0))


def _is_conflict(raw: RawBars) -> BoolArray:
    same = raw.sessions[1:] == raw.sessions[:-1]
    edge = np.zeros(min(raw.close.size, 1), dtype=np.bool_)
    return np.asarray(np.concatenate([edge, same]) | np.concatenate([same, edge]), dtype=np.bool_)


def _is_spike(raw: RawBars) -> BoolArray:
    """A move beyond 50 % that no split explains and that the next bar takes back by 80 % or more."""
    path = raw.close * np.cumprod(raw.split) if raw.basis is Basis.AS_TRADED else raw.close
    bad = np.zeros(path.size, dtype=np.bool_)
    if path.size < 3 or not np.any(np.abs(np.diff(path)) > JUMP * path[:-1]):
        return bad
    before = float(path[0])
    for i in range(1, path.size - 1):
        move = float(path[i]) - before
        bad[i] = abs(move) > JUMP * before and (float(path[i]) - float(path[i + 1])) / move >= REVERTED
        before = before if bad[i] else float(path[i])
    return bad


def _is_stale(raw: RawBars) -> BoolArray:
    """A run of at least ten bars without volume that all repeat one close."""
    untraded = raw.volume == 0
    starts = np.ones(untraded.size, dtype=np.bool_)
    starts[1:] = ~untraded[1:] | ~untraded[:-1] | (raw.close[1:] != raw.close[:-1])
    run = np.cumsum(starts) - 1
    long = np.bincount(run, minlength=1) >= STALE_SESSIONS
    return np.asarray(untraded & long[run], dtype=np.bool_)
