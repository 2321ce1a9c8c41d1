"""What must hold for the accounts and exposures of every portfolio, on random books."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glassfolio.analytics import portion
from glassfolio.analytics.instruments import Kind
from glassfolio.analytics.rollup import Rollup
from glassfolio.model.results import NONE
from tests.analytics.books import (
    NAN,
    OPEN,
    Book,
    Holder,
    Trade,
    account,
    assert_close,
    assert_same_bits,
    beta_values,
    books,
    changed,
    numbers,
    one_table,
    reordered,
)

FEW = settings(max_examples=80, deadline=None)
SCALE = 1e5
MONEY = ("nav", "cash", "value", "pnl", "realised", "unrealised", "income", "long", "short", "gross", "net")
RATIOS = ("daily_return", "twr_cum", "drawdown", "leverage", "net_leverage", "hhi", "top_3", "top_10", "beta")


def rolled(book: Book, start: int = 0) -> Any:
    """All numbers of the first portfolio, factor exposures included."""
    return book.roll(start, betas=one_table(*beta_values(book), book.sessions - start))


@given(books())
@FEW
def test_the_books_balance_every_day(book: Book) -> None:
    """N = C + V; N moves by P&L and flow; P&L is income, realised and the change of unrealised."""
    ledger = book.roll()
    assert_close(ledger.cash + ledger.value, ledger.nav, SCALE)
    assert_close(np.diff(ledger.nav), (ledger.pnl + ledger.flow)[1:], SCALE)
    assert_close((ledger.realised + ledger.income)[1:] + np.diff(ledger.unrealised), ledger.pnl[1:], SCALE)
    assert_close(ledger.pnl.sum() + ledger.flow.sum(), ledger.nav[-1] - ledger.previous_nav[0], SCALE)
    assert_close(ledger.previous_nav[0] + ledger.cum_pnl + ledger.cum_flow, ledger.nav, SCALE)
    assert_close(ledger.cum_income, np.cumsum(ledger.income), SCALE)
    assert ledger.nav[book.anchor] == book.equity
    assert all(np.isfinite(getattr(ledger, name)).all() for name in MONEY)


@given(books())
@FEW
def test_missing_ratios_have_a_reason_and_only_those(book: Book) -> None:
    got = rolled(book)
    for value, reason in (
        (got.daily_return, got.daily_reason),
        (got.twr_cum, got.twr_reason),
        (got.leverage, got.nav_reason),
        (got.net_leverage, got.nav_reason),
        (got.hhi, got.concentration_reason),
        (got.dollars, got.dollar_reason),
        (got.beta, got.beta_reason),
    ):
        np.testing.assert_array_equal(np.isnan(value), reason != NONE)


@given(books())
@FEW
def test_bounds_hold_for_every_book(book: Book) -> None:
    got = book.roll()
    assert not (got.drawdown > 0).any()
    assert (got.gross >= np.abs(got.net) - 1e-9).all()
    assert (got.short <= 0).all()
    assert (got.long >= 0).all()
    for share in (got.stale_value_share, got.value_coverage, got.exposure_coverage):
        assert ((share >= -1e-12) & (share <= 1 + 1e-12) | np.isnan(share)).all()
    there = np.isfinite(got.hhi)
    assert (got.hhi[there] <= 1 + 1e-12).all()
    assert (got.hhi[there] >= 1 / got.positions[there] - 1e-12).all()
    assert (got.top_3[there] <= got.top_10[there] + 1e-12).all()
    assert (got.positions <= got.lots).all()


@given(books(portfolios=2), st.randoms(use_true_random=False))
@FEW
def test_the_order_of_lots_and_instruments_changes_no_bit(book: Book, random: Random) -> None:
    columns = list(range(len(book.instruments)))
    random.shuffle(columns)
    holders = []
    for holder in reordered(book, columns).holders:
        trades = list(holder.trades)
        random.shuffle(trades)
        holders.append(replace(holder, trades=tuple(trades)))
    value, in_model = beta_values(book)
    other = Book(reordered(book, columns).instruments, tuple(holders))
    before = book.roll_up(betas=one_table(value, in_model, book.sessions))
    after = other.roll_up(betas=one_table(value[:, columns], in_model, book.sessions))
    for p in range(2):
        assert_same_bits(numbers(before, p), numbers(after, p))


@given(books(), st.integers(1, 11))
@FEW
def test_a_later_start_gives_the_same_bits(book: Book, start: int) -> None:
    """Whatever part of the history is asked for, a session's account is the same."""
    assume(start < book.sessions)
    whole, part = rolled(book), rolled(book, start)
    compounded = ("twr_cum", "drawdown", "twr_reason", "cum_pnl", "cum_income", "cum_flow")
    for name, there in vars(whole).items():
        if name not in compounded:
            np.testing.assert_array_equal(there[start:], getattr(part, name), err_msg=name)
    assert_close(part.previous_nav[0] + part.cum_pnl + part.cum_flow, part.nav, SCALE)
    assert_same_bits(vars(part), vars(rolled(book, start)))


@given(books(), st.integers(0, 11), st.integers(0, 2**32 - 1))
@FEW
def test_later_data_do_not_change_earlier_results(book: Book, row: int, seed: int) -> None:
    """No look-ahead: P&L, values and dollar exposures up to t stay; NAV and cash stay if t is the anchor or
    later, else all move by one constant."""
    assume(row < book.sessions)
    book = book.trading(*(_with_fills(t) for t in book.trades))
    value, in_model = beta_values(book)
    betas = one_table(value, in_model, book.sessions)
    value[row + 1 :] *= 1.5
    later = one_table(value, in_model, book.sessions)
    other = changed(book, row, np.random.default_rng(seed))
    before, after = book.roll(betas=betas), other.roll(betas=later)
    upto = slice(None, row + 1)
    money = (
        "value",
        "pnl",
        "realised",
        "unrealised",
        "income",
        "long",
        "short",
        "hhi",
        "dollars",
        "coverage",
    )
    for name in (*money, "positions", "lots", "stale_value_share"):
        np.testing.assert_array_equal(getattr(after, name)[upto], getattr(before, name)[upto], err_msg=name)
    for name in ("nav", "cash"):
        shift = getattr(after, name)[upto] - getattr(before, name)[upto]
        assert_close(shift, np.full_like(shift, shift[0]), SCALE)
        if book.anchor <= row:
            np.testing.assert_array_equal(shift, 0)
    if book.anchor <= row:
        for name in ("daily_return", "twr_cum", "drawdown", "leverage", "beta"):
            np.testing.assert_array_equal(getattr(after, name)[upto], getattr(before, name)[upto])


def _with_fills(trade: Trade) -> Trade:
    return replace(trade, entry_price=30.0, exit_price=31.0 if trade.exit < OPEN else NAN, undated=False)


@given(books(), st.integers(0, 2**32 - 1))
@FEW
def test_deleting_a_close_changes_only_what_depends_on_it(book: Book, seed: int) -> None:
    """Pitfall: a missing close counted as 0. The price is carried, and NAV rejoins on the next close."""
    rng = np.random.default_rng(seed)
    book = book.trading(*(_with_fills(t) for t in book.trades))
    close, t, c = book.instruments.close, rng.integers(book.sessions - 1), rng.integers(len(book.instruments))
    known = np.isfinite(close[:, c])
    assume(known[:t].any() and known[t] and known[t + 1])
    holed = close.copy()
    holed[t, c] = NAN
    other = replace(book, instruments=replace(book.instruments, close=holed)).roll()
    whole = book.roll()
    assert_close(np.delete(other.value, t), np.delete(whole.value, t), SCALE)
    far = np.ones(book.sessions, dtype=np.bool_)
    far[t : t + 2] = False
    assert_close(other.pnl[far], whole.pnl[far], SCALE)
    assert_close(other.pnl[t : t + 2].sum(), whole.pnl[t : t + 2].sum(), SCALE)
    assert np.isfinite(other.value).all()
    held = [lot.entry <= t < lot.exit and lot.column == c and close[t, c] != 0 for lot in book.trades]
    assert (other.value[t] != 0) | (not any(held)) | (whole.value[t] == 0) | (len(held) > 1)


@given(books(), st.sampled_from([2.0, 4.0, 10.0]), st.integers(0, 11))
@FEW
def test_a_further_split_changes_nothing(book: Book, ratio: float, row: int) -> None:
    """Prices divided and the split recorded from one session on; open lots are then stated in new shares."""
    assume(0 < row < book.sessions)
    old = book.instruments
    split_up = (old.kind == Kind.LISTED) | (old.kind == Kind.OPTION)
    close, split, dividend, x = (
        grid.copy() for grid in (old.close, old.split, old.dividend, old.exposure_price)
    )
    for grid in (close, dividend, x):
        grid[row:, split_up] /= ratio
    split[row, split_up] *= ratio
    after_it = replace(old, close=close, split=split, dividend=dividend, exposure_price=x)
    trades = tuple(
        _restated(t, ratio) if split_up[t.column] and min(t.exit, OPEN) >= row else t for t in book.trades
    )
    other = replace(book, instruments=after_it).trading(*trades)
    betas = one_table(*beta_values(book), book.sessions)
    before, after = vars(book.roll(betas=betas)), vars(other.roll(betas=betas))
    for name, part in before.items():
        assert_close(after[name], part, SCALE)


def _restated(trade: Trade, ratio: float) -> Trade:
    return replace(
        trade,
        quantity=trade.quantity * ratio,
        entry_price=trade.entry_price / ratio,
        exit_price=trade.exit_price / ratio,
    )


@given(books())
@FEW
def test_cutting_lots_in_two_changes_nothing_but_their_count(book: Book) -> None:
    halves = [replace(t, quantity=t.quantity * share) for t in book.trades for share in (0.25, 0.75)]
    before, after = vars(rolled(book)), vars(rolled(book.trading(*halves)))
    assert (after.pop("lots") == 2 * before.pop("lots")).all()
    for name in before:
        assert_close(after[name], before[name], SCALE)


@given(books(), st.sampled_from([0.5, 2.0, 1024.0]))
@FEW
def test_dollars_scale_and_ratios_do_not(book: Book, factor: float) -> None:
    """Quantities, flows and equity times a factor."""
    holder = book.holders[0]
    bigger = Holder(
        trades=tuple(replace(t, quantity=t.quantity * factor) for t in holder.trades),
        flows=tuple(f * factor for f in holder.flows),
        anchor=holder.anchor,
        equity=holder.equity * factor,
    )
    before, after = rolled(book), rolled(replace(book, holders=(bigger,)))
    for name in (*MONEY, "dollars", "cum_pnl", "sector_net", "sector_gross"):
        np.testing.assert_array_equal(getattr(after, name), factor * getattr(before, name), err_msg=name)
    for name in (*RATIOS, "stale_value_share", "value_coverage", "coverage"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name), err_msg=name)


@given(books(), st.sampled_from([0.5, 4.0]))
@FEW
def test_prices_times_what_quantities_are_divided_by_change_nothing(book: Book, factor: float) -> None:
    old = book.instruments
    grid = replace(
        old,
        close=old.close * factor,
        dividend=old.dividend * factor,
        exposure_price=old.exposure_price * factor,
    )
    trades = (_restated(trade, 1 / factor) for trade in book.trades)
    before, after = vars(rolled(book)), vars(rolled(replace(book, instruments=grid).trading(*trades)))
    for name in before:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)


@given(books())
@FEW
def test_a_reversed_book_earns_the_opposite(book: Book) -> None:
    """P&L, net and betas negate; gross and concentration stay."""
    trades = (replace(t, quantity=-t.quantity) for t in book.trades)
    before, after = rolled(book), rolled(book.trading(*trades))
    for name in ("value", "pnl", "realised", "unrealised", "income", "net", "dollars"):
        assert_close(getattr(after, name), -getattr(before, name), SCALE)
    for name in ("gross", "hhi", "top_3", "top_10", "coverage", "positions", "stale_value_share"):
        assert_close(getattr(after, name), getattr(before, name), SCALE)
    assert_close(after.long, -before.short, SCALE)


@given(st.floats(1, 200), st.floats(1, 200), st.integers(1, 500), st.integers(2, 9), st.randoms())
@FEW
def test_a_round_trip_earns_sale_less_purchase_once(
    bought: float, sold: float, quantity: int, sessions: int, random: Random
) -> None:
    """Pitfall: realised P&L added to the marks that already contain it."""
    entry = random.randrange(sessions)
    exit_ = random.randrange(entry, sessions)
    closes = [[random.uniform(5, 50)] for _ in range(sessions)]
    trade = Trade(quantity, entry=entry, exit=exit_, entry_price=bought, exit_price=sold)
    ledger = account([trade], closes, anchor=random.randrange(sessions)).roll()
    gain = quantity * (sold - bought)
    assert ledger.nav[-1] - ledger.previous_nav[0] == pytest.approx(gain, abs=1e-6)
    assert ledger.realised.sum() == pytest.approx(gain, abs=1e-6)


@given(books())
@FEW
def test_a_lot_that_does_not_count_leaves_no_trace_in_the_last_bit(book: Book) -> None:
    """Neither a purchase after the grid nor a sale before it."""
    extra = (Trade(7, entry=OPEN - 1, entry_price=3), Trade(-3, exit=-1))
    before, after = vars(rolled(book)), vars(rolled(book.trading(*extra, *book.trades)))
    assert_same_bits(before, after)


def many(portfolios: int, seed: int = 0) -> Book:
    """Portfolios of 0 to 40 lots on 25 symbols, one of 5,000."""
    rng = np.random.default_rng(seed)
    closes = np.round(50 * np.exp(np.cumsum(rng.normal(0, 0.03, (30, 25)), axis=0)), 2)
    closes[rng.random(closes.shape) < 0.02] = NAN
    grid = account([], closes.tolist()).instruments
    holders = []
    for p in range(portfolios):
        count = 5000 if p == portfolios // 2 else int(rng.integers(0, 41))
        rows = zip(
            rng.integers(1, 300, count), rng.integers(0, 25, count), rng.integers(-1, 20, count), strict=True
        )
        trades = tuple(Trade(float(q), int(c), int(e), entry_price=50.0 + float(q)) for q, c, e in rows)
        holders.append(Holder(trades, (0.0,) * 30, int(rng.integers(0, 30)), 1e6))
    return Book(grid, tuple(holders))


def threads(work: Callable[[Any], None], pieces: Iterable[Any]) -> Iterable[None]:
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(work, pieces)


def arrays(whole: Rollup) -> dict[str, Any]:
    kept = {k: v for k, v in vars(whole.ledger).items() if k not in ("performance", "unvalued")}
    assert whole.factors is not None
    betas = {k: v for k, v in vars(whole.factors).items() if k not in ("keys", "nav")}
    return kept | vars(whole.ledger.performance) | vars(whole.exposures) | betas


def test_neither_threads_nor_pieces_change_a_bit() -> None:
    """Large and small and empty portfolios beside each other, worked off in any way."""
    book = many(400)
    assert len(list(portion.cut(book.lots, 400, 30))) > 5
    betas = one_table(*beta_values(book), 30)
    whole, threaded = book.roll_up(betas=betas), book.roll_up(betas=betas, spread=threads)
    assert_same_bits(arrays(whole), arrays(threaded))
    for p in (0, 7, 199, 200, 201, 399):
        alone = numbers(book.of(p).roll_up(betas=betas))
        assert_same_bits(alone, numbers(whole, p))
        assert whole.ledger.nav[book.holders[p].anchor, p] == 1e6


def test_every_portfolio_is_in_one_piece_with_all_of_its_lots() -> None:
    """And pieces are small, unless a single portfolio is large."""
    lots = many(400).lots
    pieces = list(portion.cut(lots, 400, 254))
    assert sorted(p for piece in pieces for p in piece.portfolios) == list(range(400))
    for piece in pieces:
        counts = piece.ends - piece.begins
        assert counts.max() <= 2 * counts.min() or counts.max() == 1
        assert len(counts) == 1 or counts.sum() * 254 <= 2 * portion.CELLS
        for portfolio, begin, end in zip(piece.portfolios, piece.begins, piece.ends, strict=True):
            np.testing.assert_array_equal(np.flatnonzero(lots.portfolio == portfolio), np.arange(begin, end))
