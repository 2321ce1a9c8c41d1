"""What must hold for the account of every portfolio, on random books."""

from dataclasses import replace
from random import Random

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glassfolio.model.results import NONE
from tests.analytics.books import (
    NAN,
    OPEN,
    Account,
    Trade,
    account,
    accounts,
    assert_close,
    assert_same_bits,
    changed,
    numbers,
)

FEW = settings(max_examples=60, deadline=None)
SCALE = 1e5


@given(accounts())
@FEW
def test_the_books_balance_every_day(book: Account) -> None:
    """N = C + V; N moves by P&L and flow; P&L is income, realised and the change of unrealised."""
    ledger = book.roll()
    assert_close(ledger.cash + ledger.value, ledger.nav, SCALE)
    assert_close(np.diff(ledger.nav), (ledger.pnl + ledger.flow)[1:], SCALE)
    assert_close((ledger.realised + ledger.income)[1:] + np.diff(ledger.unrealised), ledger.pnl[1:], SCALE)
    assert_close(ledger.opening + ledger.cum_pnl + ledger.cum_flow, ledger.nav, SCALE)
    assert ledger.nav[book.anchor] == book.equity
    assert all(
        np.isfinite(getattr(ledger, name)).all() for name in ("nav", "cash", "value", "pnl", "unrealised")
    )


@given(accounts())
@FEW
def test_missing_ratios_have_a_reason_and_only_those(book: Account) -> None:
    performance = book.roll().performance
    np.testing.assert_array_equal(np.isnan(performance.daily_return), performance.daily_reason != NONE)
    np.testing.assert_array_equal(np.isnan(performance.twr_cum), performance.twr_reason != NONE)
    assert not (performance.drawdown > 0).any()


@given(accounts(), st.randoms(use_true_random=False))
@FEW
def test_the_order_of_lots_and_symbols_changes_no_bit(book: Account, random: Random) -> None:
    symbols = list(range(book.close.shape[1]))
    random.shuffle(symbols)
    place = {old: new for new, old in enumerate(symbols)}
    trades = [replace(t, column=place.get(t.column, t.column)) for t in book.trades]
    random.shuffle(trades)
    other = replace(
        book,
        trades=tuple(trades),
        close=book.close[:, symbols],
        split=book.split[:, symbols],
        dividend=book.dividend[:, symbols],
    )
    assert_same_bits(numbers(book.roll()), numbers(other.roll()))


@given(accounts(), st.integers(1, 11))
@FEW
def test_a_later_start_gives_the_same_bits(book: Account, start: int) -> None:
    """Whatever part of the history is asked for, a session's account is the same."""
    assume(start < len(book.close))
    whole, part = book.roll(), book.roll(start)
    for name in ("nav", "cash", "value", "pnl", "realised", "unrealised", "income", "stale_value_share"):
        np.testing.assert_array_equal(getattr(whole, name)[start:], getattr(part, name), err_msg=name)
    np.testing.assert_array_equal(whole.performance.daily_return[start:], part.performance.daily_return)
    assert_close(part.opening + part.cum_pnl + part.cum_flow, part.nav, SCALE)
    assert_same_bits(numbers(part), numbers(book.roll(start)))


@given(accounts(), st.integers(0, 11), st.integers(0, 2**32 - 1))
@FEW
def test_later_data_do_not_change_earlier_results(book: Account, row: int, seed: int) -> None:
    """No look-ahead: P&L and values up to t stay; NAV and cash too, or shift by one constant."""
    assume(row < len(book.close))
    book = replace(book, trades=tuple(_with_fills(t) for t in book.trades))
    before, after = book.roll(), changed(book, row, np.random.default_rng(seed)).roll()
    upto = slice(None, row + 1)
    for name in ("value", "pnl", "realised", "unrealised", "income", "positions", "lots"):
        np.testing.assert_array_equal(getattr(after, name)[upto], getattr(before, name)[upto], err_msg=name)
    for name in ("nav", "cash"):
        shift = getattr(after, name)[upto] - getattr(before, name)[upto]
        assert_close(shift, np.full_like(shift, shift[0]), SCALE)
        if book.anchor <= row:
            np.testing.assert_array_equal(shift, 0)


def _with_fills(trade: Trade) -> Trade:
    return replace(trade, entry_price=30.0, exit_price=31.0 if trade.exit < OPEN else NAN)


@given(accounts(), st.sampled_from([2.0, 4.0, 10.0]), st.integers(0, 11))
@FEW
def test_a_further_split_changes_nothing(book: Account, ratio: float, row: int) -> None:
    """Prices divided and the split recorded from one session on; open lots are then stated in new shares."""
    assume(0 < row < len(book.close))
    close, split, dividend = book.close.copy(), book.split.copy(), book.dividend.copy()
    close[row:], dividend[row:] = close[row:] / ratio, dividend[row:] / ratio
    split[row] *= ratio
    trades = tuple(
        _restated(t, ratio) if t.column >= 0 and min(t.exit, OPEN) >= row else t for t in book.trades
    )
    other = replace(book, trades=trades, close=close, split=split, dividend=dividend).roll()
    for name, numbers_before in numbers(book.roll()).items():
        assert_close(numbers(other)[name], numbers_before, SCALE)


def _restated(trade: Trade, ratio: float) -> Trade:
    return replace(
        trade,
        quantity=trade.quantity * ratio,
        entry_price=trade.entry_price / ratio,
        exit_price=trade.exit_price / ratio,
    )


@given(accounts())
@FEW
def test_cutting_lots_in_two_changes_nothing_but_their_count(book: Account) -> None:
    halves = tuple(replace(t, quantity=t.quantity * share) for t in book.trades for share in (0.25, 0.75))
    before, after = numbers(book.roll()), numbers(replace(book, trades=halves).roll())
    assert (after.pop("lots") == 2 * before.pop("lots")).all()
    for name in before:
        assert_close(after[name], before[name], SCALE)


@given(accounts(), st.sampled_from([0.5, 2.0, 1024.0]))
@FEW
def test_dollars_scale_and_ratios_do_not(book: Account, factor: float) -> None:
    trades = tuple(replace(t, quantity=t.quantity * factor) for t in book.trades)
    bigger = replace(book, trades=trades, flows=book.flows * factor, equity=book.equity * factor).roll()
    ledger = book.roll()
    for name in ("nav", "cash", "value", "pnl", "realised", "unrealised", "income", "cum_pnl"):
        np.testing.assert_array_equal(getattr(bigger, name), factor * getattr(ledger, name), err_msg=name)
    assert_same_bits(vars(ledger.performance), vars(bigger.performance))


@given(accounts())
@FEW
def test_a_reversed_book_earns_the_opposite(book: Account) -> None:
    trades = tuple(replace(t, quantity=-t.quantity) for t in book.trades)
    reversed_book, ledger = replace(book, trades=trades).roll(), book.roll()
    for name in ("value", "pnl", "realised", "unrealised", "income"):
        assert_close(getattr(reversed_book, name), -getattr(ledger, name), SCALE)


@given(accounts())
@FEW
def test_a_lot_that_does_not_count_leaves_no_trace_in_the_last_bit(book: Account) -> None:
    """Neither a purchase after the grid nor a sale before it."""
    extra = (Trade(7, entry=OPEN - 1, entry_price=3), Trade(-3, exit=-1))
    before, after = numbers(book.roll()), numbers(replace(book, trades=(*extra, *book.trades)).roll())
    assert_same_bits(before, after)


def test_lots_that_do_not_count_change_no_bit_among_many() -> None:
    """Sums run one lot after the other, so zeros in between do not regroup them."""
    rng = np.random.default_rng(0)
    closes = np.round(50 * np.exp(np.cumsum(rng.normal(0, 0.03, (30, 4)), axis=0)), 2).tolist()
    counted = [Trade(float(q), column=q % 4) for q in rng.integers(1, 300, 40)]
    idle = [Trade(float(q), column=q % 4, exit=-1) for q in rng.integers(1, 300, 9)]
    before, after = account(counted, closes).roll(), account([*counted, *idle], closes).roll()
    assert_same_bits(numbers(before), numbers(after))
