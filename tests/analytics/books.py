"""Lots, price grids and panels for the tests of the arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from hypothesis import strategies as st

from glassfolio.analytics.ledger import Ledger, roll
from glassfolio.analytics.lots import LotTable
from glassfolio.model.market import DateArray, FloatArray, IntArray, Panel

OPEN = 10_000
NAN = float("nan")


@dataclass(frozen=True)
class Trade:
    """One row of a LotTable, spelt out."""

    quantity: float
    column: int = 0
    entry: int = -1
    exit: int = OPEN
    entry_price: float = NAN
    exit_price: float = NAN
    basis: int | None = None
    stated_price: float = NAN
    cash_like: bool = False
    multiplier: float = 1.0


def table(trades: Sequence[Trade], last: int = 0) -> LotTable:
    """The trades as arrays; open ones on the share basis of row `last`, closed ones on that of their exit."""
    bases = [t.basis if t.basis is not None else (t.exit if t.exit < OPEN else last) for t in trades]
    return LotTable(
        quantity=np.array([t.quantity for t in trades], dtype=np.float64),
        multiplier=np.array([t.multiplier for t in trades], dtype=np.float64),
        entry=np.array([t.entry for t in trades], dtype=np.int64),
        exit=np.array([t.exit for t in trades], dtype=np.int64),
        basis=np.array(bases, dtype=np.int64),
        entry_price=np.array([t.entry_price for t in trades], dtype=np.float64),
        exit_price=np.array([t.exit_price for t in trades], dtype=np.float64),
        column=np.array([t.column for t in trades], dtype=np.int64),
        cash_like=np.array([t.cash_like for t in trades], dtype=np.bool_),
        stated_price=np.array([t.stated_price for t in trades], dtype=np.float64),
    )


@dataclass(frozen=True)
class Account:
    """Everything `roll` needs."""

    trades: tuple[Trade, ...]
    close: FloatArray
    split: FloatArray
    dividend: FloatArray
    flows: FloatArray
    anchor: int
    equity: float

    def roll(self, start: int = 0) -> Ledger:
        return roll(
            self.lots, self.close, self.split, self.dividend, self.flows, self.anchor, self.equity, start
        )

    @property
    def lots(self) -> LotTable:
        return table(self.trades, len(self.close) - 1)


def account(
    trades: Sequence[Trade],
    close: Sequence[Sequence[float]],
    equity: float = 100_000.0,
    anchor: int | None = None,
    flows: Sequence[float] | None = None,
) -> Account:
    """An account on closes given as one row per session, without splits and dividends."""
    prices = np.array(close, dtype=np.float64)
    flow = np.zeros(len(prices)) if flows is None else np.array(flows, dtype=np.float64)
    at = len(prices) - 1 if anchor is None else anchor
    return Account(tuple(trades), prices, np.ones_like(prices), np.zeros_like(prices), flow, at, equity)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """Books with splits, dividends, holes, shorts, same-day trades, undated lots and flows; any anchor."""
    sessions, symbols = draw(st.integers(2, 12)), draw(st.integers(1, 3))
    rng, shape = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), (sessions, symbols)
    close = np.round(50 * np.exp(np.cumsum(rng.normal(0, 0.03, shape), axis=0)), 2)
    split = np.where(rng.random(shape) < 0.1, rng.choice([2.0, 3.0, 0.1], (sessions, symbols)), 1.0)
    dividend = np.where(rng.random(shape) < 0.2, 0.25, 0.0)
    close[rng.random(shape) < 0.15] = np.nan
    flows = np.where(rng.random(sessions) < 0.3, np.round(rng.normal(0, 2e4, sessions), 2), 0.0)
    trades = tuple(draw(_trade(sessions, symbols)) for _ in range(draw(st.integers(0, 6))))
    return Account(trades, close, split, dividend, flows, draw(st.integers(0, sessions - 1)), 1e5)


@st.composite
def _trade(draw: st.DrawFn, sessions: int, symbols: int) -> Trade:
    price = st.floats(20, 90).map(lambda x: round(x, 2))
    entry = draw(st.integers(-1, sessions))
    exit_ = draw(st.one_of(st.just(OPEN), st.integers(max(entry, 0), sessions)))
    kind = draw(st.sampled_from(["listed"] * 6 + ["private", "cash"]))
    return Trade(
        quantity=draw(st.integers(-300, 300).filter(bool)),
        column=draw(st.integers(0, symbols - 1)) if kind == "listed" else draw(st.sampled_from([-2, -3])),
        entry=entry,
        exit=exit_,
        entry_price=draw(st.one_of(st.just(NAN), price)),
        exit_price=draw(st.one_of(st.just(NAN), price)) if exit_ < OPEN else NAN,
        stated_price=draw(price) if kind == "private" else NAN,
        cash_like=kind == "cash",
    )


def numbers(ledger: Ledger) -> dict[str, FloatArray]:
    """Every array of a ledger that does not run along lots."""
    per_lot = {"values", "cost_known", "order"}
    parts = {f.name: getattr(ledger, f.name) for f in fields(ledger) if f.name not in per_lot}
    parts |= vars(ledger.performance)
    return {name: part for name, part in parts.items() if isinstance(part, np.ndarray)}


def assert_same_bits(left: dict[str, FloatArray], right: dict[str, FloatArray]) -> None:
    """Equal to the last bit, NaN included."""
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name, strict=True)


def assert_close(left: FloatArray, right: FloatArray, scale: float = 1.0) -> None:
    """Equal to 1e-9 of the larger of the number and `scale`, NaN in the same places."""
    np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9 * scale)


def panel(
    close: FloatArray, sessions: DateArray | None = None, symbols: Sequence[str] | None = None
) -> Panel:
    """A panel without splits and dividends; weekdays from 2020 on unless told otherwise."""
    days = sessions if sessions is not None else weekdays(len(close))
    names = tuple(symbols) if symbols is not None else tuple(f"S{j}" for j in range(close.shape[1]))
    ordinals: IntArray = np.arange(len(close), dtype=np.int64)
    return Panel(
        days, ordinals, names, close, np.ones_like(close), np.zeros_like(close), dict.fromkeys(names, 1)
    )


def weekdays(count: int) -> DateArray:
    """`count` weekdays from 2020-01-01 on."""
    days = np.arange(
        np.datetime64("2020-01-01"), np.datetime64("2020-01-01") + np.timedelta64(2 * count + 7, "D")
    )
    return days[np.is_busday(days)][:count]


def changed(book: Account, row: int, rng: np.random.Generator) -> Account:
    """The same account with other closes, splits, dividends and flows after `row`."""
    later = slice(row + 1, None)
    close, split, dividend, flows = (a.copy() for a in (book.close, book.split, book.dividend, book.flows))
    close[later] *= np.exp(rng.normal(0, 0.1, close[later].shape))
    dividend[later] += 0.5
    flows[later] += 1234.0
    return replace(book, close=close, split=split, dividend=dividend, flows=flows)
