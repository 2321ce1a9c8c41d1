"""The account of a portfolio: examples worked by hand, and every kind of book."""

from collections.abc import Sequence

import numpy as np
import pytest

from glassfolio.analytics.ledger import Accounts
from glassfolio.analytics.lots import Excluded, Unvalued
from glassfolio.analytics.rollup import roll
from glassfolio.model.results import Reason
from tests.analytics.books import NAN, Book, Holder, Trade, account, numbers, table


def test_a_gain_is_counted_once() -> None:
    """Realised gains are attribution, not addition: 100 bought at 10 and sold at 20 earn 1,000, not 2,000."""
    book = account(
        [Trade(100, entry=1, exit=3, entry_price=10, exit_price=20)], [[10], [12], [18], [21], [22]]
    )
    ledger = book.roll()
    np.testing.assert_array_equal(ledger.pnl, [0, 200, 600, 200, 0])
    np.testing.assert_array_equal(ledger.realised, [0, 0, 0, 1000, 0])
    assert ledger.nav[-1] - ledger.previous_nav[0] == 1000
    np.testing.assert_array_equal(ledger.nav, [99_000, 99_200, 99_800, 100_000, 100_000])
    np.testing.assert_array_equal(ledger.cash, [99_000, 98_000, 98_000, 100_000, 100_000])


@pytest.mark.parametrize(
    ("trade", "pnl"),
    [
        (Trade(10, entry=1, entry_price=11), [0, 10, 20, -10]),
        (Trade(10), [0, 20, 20, -10]),
        (Trade(10, exit=2, exit_price=15), [0, 20, 30, 0]),
        (Trade(10, entry=2, exit=2, entry_price=13, exit_price=14.5), [0, 0, 15, 0]),
        (Trade(-10, entry=1, exit=3, entry_price=11, exit_price=12), [0, -10, -20, 20]),
        (Trade(10, entry=1, exit=3), [0, 0, 20, -10]),
    ],
    ids=["entry", "held", "exit", "same day", "short", "fills unknown: at the close"],
)
def test_the_four_cases_of_daily_pnl(trade: Trade, pnl: Sequence[float]) -> None:
    """The entry day earns from the fill to the close, the exit day from the previous close to the fill."""
    np.testing.assert_array_equal(account([trade], [[10], [12], [14], [13]]).roll().pnl, pnl)


def test_margin_debit_is_shown_as_negative_cash() -> None:
    """Cash is never clamped: long 150,000 on an equity of 100,000 owes 50,000."""
    ledger = account([Trade(1500)], [[90], [100]]).roll()
    np.testing.assert_array_equal(ledger.cash, [-50_000, -50_000])
    np.testing.assert_array_equal(ledger.nav, [85_000, 100_000])


def test_a_contribution_is_not_performance() -> None:
    """900,000 paid in on a morning with 10,000 of P&L is a day of 1 %, not of 7 %."""
    book = account([Trade(1000)], [[100], [150], [160]], 1_060_000, flows=[0, 0, 900_000])
    daily = book.roll().daily_return
    assert book.roll().nav[1] == 150_000
    assert daily[2] == pytest.approx(10_000 / 1_050_000)


def test_a_withdrawal_counts_at_the_end_of_the_day() -> None:
    book = account([Trade(100)], [[100], [110]], 6_000, flows=[0, -5_000])
    assert book.roll().daily_return[1] == pytest.approx(1_000 / 10_000)


def test_nav_rejoins_exactly_after_a_missing_close() -> None:
    """A late close is a carried price: the P&L of the gap lands once, on the first new close."""
    trades = [Trade(100), Trade(-50, column=1, entry=1, entry_price=20)]
    closes = [[10.0, 20.0], [11.0, 21.0], [12.0, 22.0], [14.0, 23.0], [13.0, 24.0]]
    whole = account(trades, closes, anchor=0).roll()
    closes[2] = [NAN, 22]
    holed = account(trades, closes, anchor=0).roll()
    np.testing.assert_array_equal(np.delete(holed.nav, 2), np.delete(whole.nav, 2))
    np.testing.assert_array_equal(holed.pnl[2:4] - whole.pnl[2:4], [-100, 100])
    assert holed.stale_value_share[2] == pytest.approx(1100 / (1100 + 1100))
    np.testing.assert_array_equal(holed.lots, whole.lots)


def test_a_split_changes_shares_and_not_money() -> None:
    """A 10:1 split is not a day of -90 %, and the file's quantity is on the basis of the file's date."""
    book = account([Trade(1000, entry=0, entry_price=9)], [[100], [102], [10.5], [10.8]])
    book.instruments.split[2] = 10
    ledger = book.roll()
    np.testing.assert_allclose(ledger.value, [10_000, 10_200, 10_500, 10_800], rtol=1e-15)
    np.testing.assert_allclose(ledger.pnl, [1_000, 200, 300, 300], rtol=1e-12)


def test_a_split_inside_a_gap_keeps_the_value() -> None:
    book = account([Trade(100)], [[10], [NAN], [NAN], [6]])
    book.instruments.split[1] = 2
    np.testing.assert_allclose(book.roll().value, [500, 500, 500, 600])


def test_a_short_pays_the_dividend() -> None:
    book = account([Trade(-100), Trade(30)], [[10], [9]])
    book.instruments.dividend[1] = 0.5
    ledger = book.roll()
    np.testing.assert_array_equal(ledger.income, [0, -50 + 15])
    assert ledger.pnl[1] == (100 - 50) + (-30 + 15)


def test_an_undated_lot_begins_at_its_first_close_and_earns_nothing_on_it() -> None:
    ledger = account([Trade(100)], [[NAN], [10], [11]], anchor=0).roll()
    np.testing.assert_array_equal(ledger.cash, [100_000, 99_000, 99_000])
    np.testing.assert_array_equal(ledger.nav, [100_000, 100_000, 100_100])


def test_a_dated_lot_without_a_price_yet_is_carried_at_its_fill() -> None:
    """The fill is the last known price; the value never vanishes because a close is late."""
    ledger = account([Trade(100, entry=0, entry_price=9)], [[NAN], [NAN], [11]], anchor=0).roll()
    np.testing.assert_array_equal(ledger.value, [900, 900, 1100])
    np.testing.assert_array_equal(ledger.pnl, [0, 0, 200])
    np.testing.assert_array_equal(ledger.stale_value_share, [0, 1, 0])


def test_a_symbol_without_any_price_is_left_out_and_named() -> None:
    """Missing is not zero: no value, a reason, and the share of the book it concerns."""
    book = account([Trade(100), Trade(50, column=1, entry=0, entry_price=20)], [[10, NAN], [30, NAN]])
    assert book.roll_up().ledger.unvalued == (Unvalued(1, Excluded.NO_PRICE),)
    ledger = book.roll()
    np.testing.assert_array_equal(ledger.value, [1000, 3000])
    np.testing.assert_array_equal(ledger.value_coverage, [0.5, 0.75])
    np.testing.assert_array_equal(ledger.lots, [1, 1])


def test_coverage_is_unknown_while_an_unpriced_lot_has_no_cost() -> None:
    ledger = account([Trade(100), Trade(50, column=1, exit=1)], [[10, NAN], [30, NAN]]).roll()
    np.testing.assert_array_equal(ledger.value_coverage, [NAN, 1])


def test_lots_outside_the_grid_do_not_count() -> None:
    later, before = Trade(100, entry=2, entry_price=10), Trade(100, exit=-1, exit_price=12)
    book = account([later, before], [[10], [11]])
    assert book.roll_up().ledger.unvalued == (Unvalued(0, Excluded.NOT_YET_HELD),)
    np.testing.assert_array_equal(book.roll().nav, [100_000, 100_000])
    np.testing.assert_array_equal(book.roll().lots, [0, 0])


def test_left_out_lots_are_named_by_their_place_among_all_portfolios() -> None:
    grid = account([], [[NAN, 10], [NAN, 11]]).instruments
    lots = (Trade(5, column=1), Trade(1), Trade(3, column=1, entry=2), Trade(2))
    holders = tuple(Holder((trade,), (0.0, 0.0), 1, 100.0) for trade in lots)
    left_out = Book(grid, holders).roll_up().ledger.unvalued
    assert left_out == (
        Unvalued(1, Excluded.NO_PRICE),
        Unvalued(2, Excluded.NOT_YET_HELD),
        Unvalued(3, Excluded.NO_PRICE),
    )


def test_cash_like_lots_are_worth_one_dollar_or_what_is_stated() -> None:
    """They are no position, and no exposure, and cannot be stale."""
    book = account([Trade(15_000, column=0), Trade(100, column=1)], [[], []], money=[NAN, 0.98])
    ledger = book.roll()
    np.testing.assert_array_equal(ledger.value, [15_098, 15_098])
    np.testing.assert_array_equal(ledger.positions, [0, 0])
    np.testing.assert_array_equal(ledger.lots, [2, 2])
    np.testing.assert_array_equal(ledger.stale_value_share, [0, 0])
    np.testing.assert_array_equal(ledger.gross, [0, 0])


def test_a_private_position_steps_from_fill_to_appraisal_to_appraisal() -> None:
    """Before the first appraisal the entry price; carried with its age; nothing in between."""
    fund = Trade(2, entry=1, entry_price=24_000)
    ledger = account([fund], [[]] * 6, funds=[{2: 25_000, 4: 27_000}]).roll()
    np.testing.assert_array_equal(ledger.value, [0, 48_000, 50_000, 50_000, 54_000, 54_000])
    np.testing.assert_array_equal(ledger.pnl, [0, 0, 2_000, 0, 4_000, 0])
    np.testing.assert_array_equal(ledger.stale_value_share, [0, 0, 0, 1, 0, 1])


def test_a_later_appraisal_leaves_earlier_sessions_unchanged() -> None:
    """Pitfall: today's appraisal in old snapshots."""
    fund = Trade(2, entry_price=24_000)
    before = account([fund], [[]] * 4, anchor=0, funds=[{1: 25_000}]).roll()
    after = account([fund], [[]] * 4, anchor=0, funds=[{1: 25_000, 3: 90_000}]).roll()
    for name in ("nav", "value", "pnl", "gross"):
        np.testing.assert_array_equal(getattr(after, name)[:3], getattr(before, name)[:3])
    assert after.value[3] == 180_000


def test_a_private_position_needs_no_appraisal_and_no_date() -> None:
    ledger = account([Trade(3, entry_price=20_000, undated=True)], [[], []], funds=[{}]).roll()
    np.testing.assert_array_equal(ledger.value, [60_000, 60_000])
    np.testing.assert_array_equal(ledger.pnl, [0, 0])
    np.testing.assert_array_equal(ledger.value_coverage, [1, 1])


@pytest.mark.parametrize("multiplier", [100, 0.01], ids=["option contract", "bond quoted per 100"])
def test_the_multiplier_counts_in_value_cash_and_pnl(multiplier: float) -> None:
    trade = Trade(200, entry=1, entry_price=3, multiplier=multiplier)
    ledger = account([trade], [[3.5], [4], [4.5]]).roll()
    assert ledger.value[1] == 800 * multiplier
    assert ledger.pnl[1] == 200 * multiplier
    assert ledger.unrealised[1] == 200 * multiplier
    assert ledger.cash[0] - ledger.cash[1] == 600 * multiplier
    assert ledger.long[2] == 900 * multiplier


def test_ratios_end_where_nav_is_not_positive() -> None:
    """Money stays, the return and everything compounded from it is missing with a reason."""
    ledger = account([Trade(1000)], [[10], [21], [22], [23]], equity=-500, anchor=0).roll()
    np.testing.assert_array_equal(ledger.nav, [-500, 10_500, 11_500, 12_500])
    np.testing.assert_array_equal(np.isnan(ledger.daily_return), [True, True, False, False])
    assert ledger.daily_reason[0] == Reason.INSUFFICIENT_HISTORY.code
    assert ledger.daily_reason[1] == Reason.NONPOSITIVE_NAV.code
    np.testing.assert_array_equal(np.isnan(ledger.twr_cum), [False, True, True, True])
    assert (ledger.twr_reason[1:] == Reason.NONPOSITIVE_NAV.code).all()
    assert np.isnan(ledger.drawdown[1:]).all()


def test_returns_compound_and_drawdown_counts_from_the_peak() -> None:
    ledger = account([Trade(1000)], [[100], [110], [88], [99]], 99_000).roll()
    np.testing.assert_allclose(ledger.twr_cum, [0, 0.1, -0.12, -0.01], atol=1e-15)
    np.testing.assert_allclose(ledger.drawdown, [0, 0, -0.2, -0.1], atol=1e-15)


def test_a_partial_close_leaves_earlier_sessions_unchanged() -> None:
    closes = [[10], [11], [12], [13]]
    whole = account([Trade(100, entry=0, entry_price=10)], closes, 50_000, anchor=1).roll()
    kept = Trade(60, entry=0, entry_price=10)
    sold = Trade(40, entry=0, exit=2, entry_price=10, exit_price=12.5)
    cut = account([kept, sold], closes, 50_000, anchor=1).roll()
    for name in ("nav", "cash", "value", "pnl", "unrealised"):
        np.testing.assert_array_equal(getattr(cut, name)[:2], getattr(whole, name)[:2])
    assert cut.pnl[2] == 60 + 40 * 1.5
    assert cut.pnl[3] == 60


def test_a_partial_close_and_a_same_day_lot_are_lots_of_their_own() -> None:
    """Two purchases of one symbol on one day, one of them sold in two parts: each counts once."""
    trades = [
        Trade(60, entry=1, entry_price=10),
        Trade(15, entry=1, exit=2, entry_price=11, exit_price=13),
        Trade(25, entry=1, exit=3, entry_price=11, exit_price=14),
    ]
    ledger = account(trades, [[10], [11], [12], [13]]).roll()
    np.testing.assert_array_equal(ledger.pnl, [0, 60, 60 + 15 * 2 + 25, 60 + 25 * 2])
    np.testing.assert_array_equal(ledger.realised, [0, 0, 30, 75])
    np.testing.assert_array_equal(ledger.lots, [0, 3, 2, 1])
    np.testing.assert_array_equal(ledger.positions, [0, 1, 1, 1])


def test_after_the_exit_a_lot_earns_nothing() -> None:
    """Pitfall: closed lots keep earning."""
    ledger = account([Trade(10, exit=1, exit_price=11)], [[10], [12], [30], [90]]).roll()
    np.testing.assert_array_equal(ledger.pnl, [0, 10, 0, 0])
    np.testing.assert_array_equal(ledger.value, [100, 0, 0, 0])
    np.testing.assert_array_equal(ledger.gross, [100, 0, 0, 0])


def test_quantities_are_on_the_share_basis_of_the_exit_or_of_the_file() -> None:
    """A lot closed before a split is stated in old shares, an open one in those of the file's date."""
    closes = [[100], [110], [120], [13], [14]]
    closed = account([Trade(10, entry=0, exit=2, entry_price=90, exit_price=125)], closes)
    filed_before = account([Trade(10, entry=0, entry_price=90, basis=1)], closes)
    filed_after = account([Trade(100, entry=0, entry_price=9, basis=4)], closes)
    for book in (closed, filed_before, filed_after):
        book.instruments.split[3] = 10
    np.testing.assert_array_equal(closed.roll().pnl, [100, 100, 150, 0, 0])
    for book in (filed_before, filed_after):
        np.testing.assert_allclose(book.roll().value, [1000, 1100, 1200, 1300, 1400])
        np.testing.assert_allclose(book.roll().pnl, [100, 100, 100, 100, 100])
        np.testing.assert_allclose(book.roll().unrealised, [100, 200, 300, 400, 500])


def test_a_split_on_the_exit_session_comes_before_the_sale() -> None:
    book = account([Trade(100, entry=0, exit=2, entry_price=9, exit_price=11)], [[100], [102], [10.5]])
    book.instruments.split[2] = 10
    np.testing.assert_allclose(book.roll().pnl, [100, 20, 80])
    np.testing.assert_allclose(book.roll().realised, [0, 0, 200])


def test_a_dividend_belongs_to_who_held_the_day_before() -> None:
    """Bought on the ex-date there is none, sold on it there is one; it is paid on shares after a split."""
    trades = [Trade(10, entry=1, entry_price=10), Trade(10, entry=0, exit=1, entry_price=10, exit_price=10)]
    book = account(trades, [[10], [10], [5], [5]])
    book.instruments.split[2] = 2
    book.instruments.dividend[1:3, 0] = 0.5
    by_hand = book.trading(trades[0]).roll().income, book.trading(trades[1]).roll().income
    np.testing.assert_array_equal(by_hand[0], [0, 0, 5, 0])
    np.testing.assert_array_equal(by_hand[1], [0, 5, 0, 0])


def test_an_expiry_settles_into_cash_once() -> None:
    """An option is a column with a price path; its end is an exit at the settlement price."""
    long_call = Trade(2, entry=0, exit=2, entry_price=5, exit_price=8, multiplier=100)
    worthless = Trade(-1, column=1, entry=0, exit=2, entry_price=3, exit_price=0, multiplier=100)
    ledger = account([long_call, worthless], [[5, 3], [6, 2], [NAN, NAN], [NAN, NAN]], anchor=0).roll()
    np.testing.assert_array_equal(ledger.pnl, [0, 200 + 100, 400 + 200, 0])
    np.testing.assert_array_equal(ledger.realised, [0, 0, 600 + 300, 0])
    assert ledger.cash[2] - ledger.cash[1] == 1600
    np.testing.assert_array_equal(ledger.value[2:], [0, 0])


def test_an_undated_lot_listed_later_is_paid_for_at_its_first_close_whatever_it_cost() -> None:
    """Constant holdings: no entry P&L."""
    ledger = account([Trade(100, entry_price=3, undated=True)], [[NAN], [10], [11]], anchor=0).roll()
    np.testing.assert_array_equal(ledger.pnl, [0, 0, 100])
    np.testing.assert_array_equal(ledger.cash, [100_000, 99_000, 99_000])
    np.testing.assert_array_equal(ledger.unrealised, [0, 0, 100])


def test_equity_is_the_nav_of_the_anchor_to_the_cent_and_rolls_both_ways() -> None:
    """Pitfall: today's equity used as that of a year ago."""
    ledger = account([Trade(7)], [[3.1], [3.3], [2.9]], 1234.56, anchor=1, flows=[0, 0, 50.25]).roll()
    assert ledger.nav[1] == 1234.56
    assert ledger.nav[0] == pytest.approx(1234.56 - 1.4)
    assert ledger.nav[2] == pytest.approx(1234.56 - 2.8 + 50.25)


def test_flows_move_nav_and_cash_and_are_no_gain() -> None:
    ledger = account([Trade(1)], [[10], [10], [10]], 1000, flows=[0, 500, -200]).roll()
    np.testing.assert_array_equal(ledger.nav, [700, 1200, 1000])
    np.testing.assert_array_equal(ledger.cash, [690, 1190, 990])
    np.testing.assert_array_equal(ledger.cum_flow, [0, 500, 300])
    np.testing.assert_array_equal(ledger.cum_pnl, [0, 0, 0])
    np.testing.assert_array_equal(ledger.twr_cum, [0, 0, 0])


def test_three_skipped_nights_lose_no_gain() -> None:
    """Pitfall: the move since the last close on the equity of the last snapshot. Every session is its own."""
    closes = [[10], [11], [13], [12], [15]]
    whole = account([Trade(100)], closes).roll()
    caught_up = account([Trade(100)], closes).roll(start=4)
    assert caught_up.pnl[0] == whole.pnl[4] == 300
    assert caught_up.nav[0] == whole.nav[4]
    assert caught_up.previous_nav[0] == whole.nav[3]


def test_five_reruns_in_any_order_give_the_same_bits() -> None:
    """Pitfall: equity as the seed of its own recursion. Nothing is kept from one run to the next."""
    book = account([Trade(7, entry=1, entry_price=3.3)], [[3.1], [3.3], [2.9], [3.7]], 1234.56)
    first = numbers(book.roll_up())
    for start in (3, 1, 0, 2, 0):
        again = numbers(book.roll_up(start))
        for name in ("nav", "cash", "pnl", "daily_return"):
            np.testing.assert_array_equal(again[name], first[name][start:])


@pytest.mark.parametrize(("exit_", "proceeds"), [(1, 90), (2, 120)])
def test_an_unknown_sale_is_at_the_price_of_its_session_or_at_the_fill_before_any(
    exit_: int, proceeds: float
) -> None:
    trade = Trade(10, entry=0, exit=exit_, entry_price=9)
    ledger = account([trade], [[NAN], [NAN], [12], [13]], anchor=0).roll()
    assert ledger.cash[exit_] - ledger.cash[0] == proceeds
    assert ledger.realised[exit_] == proceeds - 90


def test_a_price_gap_at_entry_and_at_exit_uses_the_carried_price() -> None:
    trades = [Trade(10, entry=1, exit=3, entry_price=9)]
    ledger = account(trades, [[10], [NAN], [12], [NAN], [14]], anchor=0).roll()
    np.testing.assert_array_equal(ledger.pnl, [0, 10, 20, 0, 0])
    assert ledger.cash[-1] == 100_000 - 90 + 120


def test_a_lot_entered_after_the_last_price_is_carried_at_that_price() -> None:
    ledger = account([Trade(10, entry=2, entry_price=13)], [[10], [12], [NAN], [NAN]], anchor=0).roll()
    np.testing.assert_array_equal(ledger.value, [0, 0, 120, 120])
    np.testing.assert_array_equal(ledger.pnl, [0, 0, -10, 0])


def test_a_close_of_zero_is_a_price_and_a_missing_one_is_not() -> None:
    ledger = account([Trade(10), Trade(10, column=1)], [[5, 5], [0, NAN], [1, 1]]).roll()
    np.testing.assert_array_equal(ledger.value, [100, 50, 20])
    np.testing.assert_array_equal(ledger.pnl, [0, -50, -30])


def test_five_thousand_lots_of_one_symbol_are_one_position() -> None:
    trades = [Trade(1, entry=n % 3, entry_price=10.0) for n in range(5000)]
    ledger = account(trades, [[10], [11], [12]], 1e6).roll()
    np.testing.assert_array_equal(ledger.positions, [1, 1, 1])
    np.testing.assert_array_equal(ledger.lots, [1667, 3334, 5000])
    np.testing.assert_array_equal(ledger.value, [16_670, 36_674, 60_000])
    assert ledger.hhi[2] == 1


@pytest.mark.parametrize("anchor", [-1, 2])
def test_an_anchor_outside_the_grid_is_refused(anchor: int) -> None:
    with pytest.raises(ValueError, match="anchor"):
        account([Trade(1)], [[1], [2]], anchor=anchor).roll()


@pytest.mark.parametrize("equity", [NAN, float("inf")])
def test_an_equity_that_is_no_number_is_refused(equity: float) -> None:
    with pytest.raises(ValueError, match="equity"):
        account([Trade(1)], [[1], [2]], equity).roll()


def test_a_lot_sold_before_it_is_bought_is_refused() -> None:
    with pytest.raises(ValueError, match="sold before"):
        table([(0, Trade(1, entry=3, exit=2))])


def test_lots_of_a_portfolio_that_are_apart_are_refused() -> None:
    for order in ([0, 1, 0], [-1, 0]):
        with pytest.raises(ValueError, match="stand together"):
            table([(p, Trade(1)) for p in order])


@pytest.mark.parametrize(
    ("trades", "start", "match"),
    [
        ([(1, Trade(1))], 0, "unknown portfolio"),
        ([(0, Trade(1, column=2))], 0, "unknown portfolio or instrument"),
        ([(0, Trade(1, column=-1))], 0, "unknown portfolio or instrument"),
        ([(0, Trade(1))], 2, "from row 2"),
        ([(0, Trade(1))], -1, "from row -1"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    trades: list[tuple[int, Trade]], start: int, match: str
) -> None:
    book = account([], [[1, 2], [1, 2]])
    with pytest.raises(ValueError, match=match):
        roll(table(trades), book.instruments, book.accounts, start)


BOOKS: dict[str, list[Trade]] = {
    "empty": [],
    "all cash": [Trade(100_000, column=4)],
    "long-short": [Trade(1000), Trade(-950, column=1)],
    "net short": [Trade(100), Trade(-3000, column=1)],
    "levered": [Trade(9000)],
    "one symbol, many lots": [Trade(10 + n, entry=n % 3, entry_price=10.0) for n in range(40)],
    "private only": [Trade(3, column=3, entry_price=20_000)],
    "unpriced only": [Trade(3, column=2)],
    "closed only": [Trade(100, entry=0, exit=1, entry_price=10, exit_price=12)],
}


def odd(name: str, equity: float = 100_000.0) -> Book:
    """One of the odd books, on two listed symbols, one without prices, a fund and cash."""
    closes = [[10, 20, NAN], [11, 19, NAN], [12, 22, NAN]]
    return account(BOOKS[name], closes, equity, funds=[{}], money=[NAN])


@pytest.mark.parametrize("name", BOOKS)
@pytest.mark.parametrize("equity", [100_000.0, -5.0])
def test_every_kind_of_book_has_finite_money(name: str, equity: float) -> None:
    ledger = odd(name, equity).roll()
    money = (
        "nav",
        "cash",
        "value",
        "pnl",
        "realised",
        "unrealised",
        "income",
        "long",
        "short",
        "gross",
        "net",
    )
    for part in (*money, "stale_value_share", "positions", "lots"):
        assert np.isfinite(getattr(ledger, part)).all(), part
    assert ledger.nav[-1] == equity


def test_a_portfolio_without_open_lots_is_cash() -> None:
    """Pitfall: an all-cash portfolio with a NAV of 0."""
    ledger = odd("closed only").roll()
    np.testing.assert_array_equal(ledger.nav[1:], ledger.cash[1:])
    np.testing.assert_array_equal(odd("empty").roll().cash, [100_000] * 3)


def test_no_lots_and_no_prices_are_no_error() -> None:
    ledger = account([], [[], [], []], 10.0, anchor=1, flows=[0.0, 5.0, 0.0]).roll()
    np.testing.assert_array_equal(ledger.nav, [5, 10, 10])
    np.testing.assert_array_equal(ledger.daily_return, [0, 0, 0])


def test_no_portfolio_is_refused() -> None:
    nobody = Accounts(np.zeros((2, 0)), np.zeros(0, dtype=np.int64), np.zeros(0))
    with pytest.raises(ValueError, match="0 portfolios"):
        roll(table([]), account([], [[1], [2]]).instruments, nobody)
