"""Books of lots on grids of prices, and panels, for the tests of the arithmetic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from glassfolio.analytics.factor_exposures import BetaTable, join_as_of
from glassfolio.analytics.instruments import Instruments, Kind, cash, join, listed, private
from glassfolio.analytics.ledger import Accounts
from glassfolio.analytics.lots import LotTable
from glassfolio.analytics.rollup import Rollup, roll
from glassfolio.model.market import DateArray, FloatArray, IntArray, Panel

OPEN = 10_000
NAN = float("nan")


@dataclass(frozen=True)
class Trade:
    """One row of a LotTable, spelt out; dated unless it has neither an entry on the grid nor a price."""

    quantity: float
    column: int = 0
    entry: int = -1
    exit: int = OPEN
    entry_price: float = NAN
    exit_price: float = NAN
    basis: int | None = None
    multiplier: float = 1.0
    undated: bool = False

    @property
    def dated(self) -> bool:
        return not self.undated and (self.entry >= 0 or np.isfinite(self.entry_price))


@dataclass(frozen=True)
class Holder:
    """One portfolio: its trades, and what its owner states."""

    trades: tuple[Trade, ...]
    flows: tuple[float, ...]
    anchor: int
    equity: float


@dataclass(frozen=True)
class Book:
    """Everything `roll` needs, for one portfolio or several."""

    instruments: Instruments
    holders: tuple[Holder, ...]

    @property
    def trades(self) -> tuple[Trade, ...]:
        return self.holders[0].trades

    @property
    def anchor(self) -> int:
        return self.holders[0].anchor

    @property
    def equity(self) -> float:
        return self.holders[0].equity

    @property
    def sessions(self) -> int:
        return self.instruments.sessions

    @property
    def lots(self) -> LotTable:
        return table(
            [(p, t) for p, holder in enumerate(self.holders) for t in holder.trades], self.sessions - 1
        )

    @property
    def accounts(self) -> Accounts:
        return Accounts(
            flows=np.array([holder.flows for holder in self.holders], dtype=np.float64).T,
            anchor=np.array([holder.anchor for holder in self.holders]),
            equity=np.array([holder.equity for holder in self.holders]),
        )

    def roll_up(self, start: int = 0, **more: Any) -> Rollup:
        return roll(self.lots, self.instruments, self.accounts, start, **more)

    def roll(self, start: int = 0, portfolio: int = 0, **more: Any) -> Any:
        """All numbers of one portfolio by name, (D,) each."""
        return SimpleNamespace(**numbers(self.roll_up(start, **more), portfolio))

    def of(self, portfolio: int) -> "Book":
        """One of the portfolios, by itself."""
        return replace(self, holders=(self.holders[portfolio],))

    def trading(self, *trades: Trade) -> "Book":
        """The first portfolio's account with other trades."""
        return replace(self, holders=(replace(self.holders[0], trades=trades), *self.holders[1:]))


def table(rows: Sequence[tuple[int, Trade]], last: int = 0) -> LotTable:
    """Trades of portfolios as arrays; open ones on the share basis of row `last`, closed ones on that of
    their exit."""
    trades = [trade for _, trade in rows]
    bases = [t.basis if t.basis is not None else (t.exit if t.exit < OPEN else last) for t in trades]

    def whole(values: Sequence[int]) -> IntArray:
        return np.array(values, dtype=np.int64)

    def money(values: Sequence[float]) -> FloatArray:
        return np.array(values, dtype=np.float64)

    return LotTable(
        portfolio=whole([portfolio for portfolio, _ in rows]),
        column=whole([t.column for t in trades]),
        quantity=money([t.quantity for t in trades]),
        multiplier=money([t.multiplier for t in trades]),
        entry=whole([t.entry for t in trades]),
        exit=whole([t.exit for t in trades]),
        dated=np.array([t.dated for t in trades], dtype=np.bool_),
        basis=whole(bases),
        entry_price=money([t.entry_price for t in trades]),
        exit_price=money([t.exit_price for t in trades]),
    )


def account(
    trades: Sequence[Trade],
    close: Sequence[Sequence[float]],
    equity: float = 100_000.0,
    anchor: int | None = None,
    flows: Sequence[float] | None = None,
    funds: Sequence[Mapping[int, float]] = (),
    money: Sequence[float] = (),
) -> Book:
    """One portfolio on closes given as one row per session, without splits and dividends.

    Behind the listed columns stand private ones (`funds`: row -> appraisal) and cash-like ones (`money`: the
    stated price or NaN).
    """
    prices = np.array(close, dtype=np.float64)
    sessions = len(prices)
    appraisals = [
        (np.array(list(f), dtype=np.int64), np.array(list(f.values()), dtype=np.float64)) for f in funds
    ]
    instruments = join(
        [
            listed(prices, np.ones_like(prices), np.zeros_like(prices)),
            private(appraisals, sessions),
            cash(np.array(money, dtype=np.float64), sessions),
        ]
    )
    flow = tuple(flows) if flows is not None else (0.0,) * sessions
    return Book(
        instruments, (Holder(tuple(trades), flow, sessions - 1 if anchor is None else anchor, equity),)
    )


def numbers(rolled: Rollup, portfolio: int = 0) -> dict[str, FloatArray]:
    """Every number of one portfolio by name, (D,) or (D, K) each."""
    ledger, factors = rolled.ledger, rolled.factors
    names = [f.name for f in fields(ledger) if f.name not in ("performance", "unvalued", "opening")]
    found = {
        name: getattr(ledger, name) for name in (*names, "cum_pnl", "cum_income", "cum_flow", "previous_nav")
    }
    found |= vars(ledger.performance)
    shown = ("gross", "net", "leverage", "net_leverage", "effective_n", "nav_reason", "concentration_reason")
    found |= vars(rolled.exposures) | {name: getattr(rolled.exposures, name) for name in shown}
    if factors is not None:
        shown = ("dollars", "beta", "coverage", "age", "dollar_reason", "beta_reason", "warnings")
        found |= {name: getattr(factors, name) for name in shown}
    return {name: part[:, portfolio] for name, part in found.items()}


@st.composite
def instruments(draw: st.DrawFn) -> Instruments:
    """Listed symbols with splits, dividends and holes, options on them, private positions, cash."""
    sessions, symbols, options = draw(st.integers(2, 12)), draw(st.integers(1, 3)), draw(st.integers(0, 2))
    rng, shape = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), (sessions, symbols)
    close = np.round(50 * np.exp(np.cumsum(rng.normal(0, 0.03, shape), axis=0)), 2)
    split = np.where(rng.random(shape) < 0.1, rng.choice([2.0, 3.0, 0.1], shape), 1.0)
    dividend = np.where(rng.random(shape) < 0.2, 0.25, 0.0)
    close[rng.random(shape) < 0.15] = np.nan
    close[rng.random(shape) < 0.02] = 0.0
    stocks = listed(close, split, dividend)
    on = rng.integers(0, symbols, options)
    premium = np.round(rng.uniform(0, 9, (sessions, options)), 2)
    delta = np.where(rng.random(premium.shape) < 0.1, np.nan, rng.uniform(-1, 1, premium.shape))
    contracts = replace(
        listed(premium, split[:, on], np.zeros_like(premium)),
        exposure_price=delta * 50,
        kind=np.full(options, Kind.OPTION),
    )
    ages = [np.sort(rng.integers(-3, sessions, n)) for n in (0, 1, 3)]
    funds = private([(rows, np.round(rng.uniform(30, 60, len(rows)), 2)) for rows in ages], sessions)
    whole = join([stocks, contracts, funds, cash(np.array([NAN, 0.98]), sessions)])
    underlying = whole.underlying.copy()
    underlying[symbols : symbols + options] = on
    return replace(whole, underlying=underlying)


@st.composite
def books(draw: st.DrawFn, portfolios: int = 1) -> Book:
    """Books with shorts, same-day trades, undated lots and flows on random instruments; any anchor."""
    grid = draw(instruments())
    sessions = grid.sessions
    holders = []
    for _ in range(portfolios):
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        flows = np.where(rng.random(sessions) < 0.3, np.round(rng.normal(0, 2e4, sessions), 2), 0.0)
        trades = tuple(draw(_trade(grid)) for _ in range(draw(st.integers(0, 6))))
        holders.append(Holder(trades, tuple(flows.tolist()), draw(st.integers(0, sessions - 1)), 1e5))
    return Book(grid, tuple(holders))


@st.composite
def _trade(draw: st.DrawFn, grid: Instruments) -> Trade:
    price = st.floats(20, 90).map(lambda x: round(x, 2))
    column, sessions = draw(st.integers(0, len(grid) - 1)), grid.sessions
    entry = draw(st.integers(-1, sessions))
    exit_ = draw(st.one_of(st.just(OPEN), st.integers(max(entry, 0), sessions)))
    undated = entry < 0 and draw(st.booleans())
    fills = st.just(NAN) if undated else st.one_of(st.just(NAN), price)
    return Trade(
        quantity=draw(st.integers(-300, 300).filter(bool)),
        column=column,
        entry=entry,
        exit=exit_,
        entry_price=draw(st.one_of(fills, price)),
        exit_price=draw(st.one_of(st.just(NAN), price)) if exit_ < OPEN else NAN,
        multiplier=100.0 if grid.kind[column] == Kind.OPTION else 1.0,
        undated=undated,
    )


def beta_values(book: Book, factors: int = 3, seed: int = 0) -> tuple[FloatArray, Any]:
    """Random betas of a book's instruments, (T, S, K), with holes; and which factors are in the model."""
    rng = np.random.default_rng(seed)
    value = rng.normal(1, 0.5, (book.sessions, len(book.instruments), factors))
    value[rng.random(value.shape[:2]) < 0.2] = np.nan
    value[:, book.instruments.kind != Kind.LISTED] = np.nan
    in_model = np.ones((book.sessions, factors), dtype=np.bool_)
    if factors > 1:
        value[: book.sessions // 2, :, -1] = np.nan
        in_model[: book.sessions // 2, -1] = False
    return value, in_model


def reordered(book: Book, columns: Sequence[int]) -> Book:
    """The same book with its instruments in another order."""
    place = {old: new for new, old in enumerate(columns)}
    old = book.instruments
    moved: dict[str, Any] = {f.name: getattr(old, f.name)[..., list(columns)] for f in fields(old)}
    moved["underlying"] = np.array([place[int(u)] for u in moved["underlying"]], dtype=np.int64)
    holders = tuple(
        replace(h, trades=tuple(replace(t, column=place[t.column]) for t in h.trades)) for h in book.holders
    )
    return Book(Instruments(**moved), holders)


def changed(book: Book, row: int, rng: np.random.Generator) -> Book:
    """The same book with other prices, dividends and flows after `row`."""
    later, old = slice(row + 1, None), book.instruments
    close, dividend, exposure = old.close.copy(), old.dividend.copy(), old.exposure_price.copy()
    close[later] *= np.exp(rng.normal(0, 0.1, close[later].shape))
    exposure[later] *= np.exp(rng.normal(0, 0.1, close[later].shape))
    dividend[later, old.kind == Kind.LISTED] += 0.5
    grid = replace(old, close=close, dividend=dividend, exposure_price=exposure)
    holders = tuple(
        replace(h, flows=tuple(f + 1234.0 * (t > row) for t, f in enumerate(h.flows))) for h in book.holders
    )
    return Book(grid, holders)


def one_table(values: FloatArray, in_model: Any, sessions: int) -> BetaTable:
    """Betas (B, S, K) under the keys k0, k1, …"""
    return join_as_of(tuple(f"k{i}" for i in range(values.shape[2])), values, in_model, sessions)


def assert_same_bits(left: Mapping[str, FloatArray], right: Mapping[str, FloatArray]) -> None:
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
