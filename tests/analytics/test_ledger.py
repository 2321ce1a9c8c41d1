"""The account of a portfolio: examples worked by hand, and every kind of book."""

from collections.abc import Sequence

import numpy as np
import pytest

from glassfolio.analytics.ledger import Ledger, roll
from glassfolio.analytics.lots import Excluded, LotTable, Unvalued
from glassfolio.model.results import Reason
from tests.analytics.books import (
    NAN,
    Trade,
    account,
    table,
)


def test_a_gain_is_counted_once() -> None:
    """Realised gains are attribution, not addition: 100 bought at 10 and sold at 20 earn 1,000, not 2,000."""
    book = account(
        [Trade(100, entry=1, exit=3, entry_price=10, exit_price=20)], [[10], [12], [18], [21], [22]]
    )
    ledger = book.roll()
    np.testing.assert_array_equal(ledger.pnl, [0, 200, 600, 200, 0])
    np.testing.assert_array_equal(ledger.realised, [0, 0, 0, 1000, 0])
    assert ledger.nav[-1] - ledger.opening == 1000
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
    daily = book.roll().performance.daily_return
    assert book.roll().nav[1] == 150_000
    assert daily[2] == pytest.approx(10_000 / 1_050_000)


def test_a_withdrawal_counts_at_the_end_of_the_day() -> None:
    book = account([Trade(100)], [[100], [110]], 6_000, flows=[0, -5_000])
    assert book.roll().performance.daily_return[1] == pytest.approx(1_000 / 10_000)


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
    book.split[2] = 10
    ledger = book.roll()
    np.testing.assert_allclose(ledger.value, [10_000, 10_200, 10_500, 10_800], rtol=1e-15)
    np.testing.assert_allclose(ledger.pnl, [1_000, 200, 300, 300], rtol=1e-12)


def test_a_split_inside_a_gap_keeps_the_value() -> None:
    book = account([Trade(100)], [[10], [NAN], [NAN], [6]])
    book.split[1] = 2
    np.testing.assert_allclose(book.roll().value, [500, 500, 500, 600])


def test_a_short_pays_the_dividend() -> None:
    book = account([Trade(-100), Trade(30)], [[10], [9]])
    book.dividend[1] = 0.5
    ledger = book.roll()
    np.testing.assert_array_equal(ledger.income, [0, -50 + 15])
    assert ledger.pnl[1] == (100 - 50) + (-30 + 15)


def test_an_undated_lot_begins_at_its_first_close_and_earns_nothing_on_it() -> None:
    ledger = account([Trade(100)], [[NAN], [10], [11]], anchor=0).roll()
    np.testing.assert_array_equal(ledger.cash, [100_000, 99_000, 99_000])
    np.testing.assert_array_equal(ledger.nav, [100_000, 100_000, 100_100])
    assert not ledger.cost_known[0]


def test_a_dated_lot_without_a_price_yet_is_carried_at_its_fill() -> None:
    """The fill is the last known price; the value never vanishes because a close is late."""
    ledger = account([Trade(100, entry=0, entry_price=9)], [[NAN], [NAN], [11]], anchor=0).roll()
    np.testing.assert_array_equal(ledger.value, [900, 900, 1100])
    np.testing.assert_array_equal(ledger.pnl, [0, 0, 200])
    np.testing.assert_array_equal(ledger.stale_value_share, [1, 1, 0])


def test_a_symbol_without_any_price_is_left_out_and_named() -> None:
    """Missing is not zero: no value, a reason, and the share of the book it concerns."""
    book = account([Trade(100), Trade(50, column=1, entry=0, entry_price=20)], [[10, NAN], [30, NAN]])
    ledger = book.roll()
    assert ledger.unvalued == (Unvalued(1, Excluded.NO_PRICE),)
    assert np.isnan(ledger.values[:, 1]).all()
    np.testing.assert_array_equal(ledger.value, [1000, 3000])
    np.testing.assert_array_equal(ledger.value_coverage, [0.5, 0.75])
    np.testing.assert_array_equal(ledger.lots, [1, 1])


def test_coverage_is_unknown_while_an_unpriced_lot_has_no_cost() -> None:
    ledger = account([Trade(100), Trade(50, column=-1, exit=1)], [[10], [30]]).roll()
    np.testing.assert_array_equal(ledger.value_coverage, [NAN, 1])


def test_lots_outside_the_grid_do_not_count() -> None:
    later, before = Trade(100, entry=2, entry_price=10), Trade(100, exit=-1, exit_price=12)
    ledger = account([later, before], [[10], [11]]).roll()
    assert ledger.unvalued == (Unvalued(0, Excluded.NOT_YET_HELD),)
    np.testing.assert_array_equal(ledger.nav, [100_000, 100_000])
    np.testing.assert_array_equal(ledger.lots, [0, 0])


def test_cash_like_and_private_lots_are_worth_what_is_stated() -> None:
    cash = Trade(15_000, column=-1, cash_like=True)
    fund = Trade(2, column=-1, stated_price=25_000, entry=1, entry_price=24_000)
    ledger = account([cash, fund], [[10], [11]]).roll()
    np.testing.assert_array_equal(ledger.value, [15_000, 65_000])
    np.testing.assert_array_equal(ledger.pnl, [0, 2_000])
    np.testing.assert_array_equal(ledger.positions, [0, 1])
    np.testing.assert_array_equal(ledger.stale_value_share, [0, 0])


def test_the_multiplier_counts_in_value_cash_and_pnl() -> None:
    ledger = account(
        [Trade(2, entry=1, entry_price=3, stated_price=4, column=-1, multiplier=100)], [[1], [1]]
    ).roll()
    assert ledger.value[1] == 800
    assert ledger.pnl[1] == 200
    assert ledger.cash[0] - ledger.cash[1] == 600


def test_ratios_end_where_nav_is_not_positive() -> None:
    """Money stays, the return and everything compounded from it is missing with a reason."""
    ledger = account([Trade(1000)], [[10], [21], [22], [23]], equity=-500, anchor=0).roll()
    np.testing.assert_array_equal(ledger.nav, [-500, 10_500, 11_500, 12_500])
    performance = ledger.performance
    np.testing.assert_array_equal(np.isnan(performance.daily_return), [True, True, False, False])
    assert performance.daily_reason[0] == Reason.INSUFFICIENT_HISTORY.code
    assert performance.daily_reason[1] == Reason.NONPOSITIVE_NAV.code
    np.testing.assert_array_equal(np.isnan(performance.twr_cum), [False, True, True, True])
    assert (performance.twr_reason[1:] == Reason.NONPOSITIVE_NAV.code).all()
    assert np.isnan(performance.drawdown[1:]).all()


def test_returns_compound_and_drawdown_counts_from_the_peak() -> None:
    ledger = account([Trade(1000)], [[100], [110], [88], [99]], 99_000).roll()
    np.testing.assert_allclose(ledger.performance.twr_cum, [0, 0.1, -0.12, -0.01], atol=1e-15)
    np.testing.assert_allclose(ledger.performance.drawdown, [0, 0, -0.2, -0.1], atol=1e-15)


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


@pytest.mark.parametrize("anchor", [-1, 2])
def test_an_anchor_outside_the_grid_is_refused(anchor: int) -> None:
    with pytest.raises(ValueError, match="anchor"):
        account([Trade(1)], [[1], [2]], anchor=anchor).roll()


def test_a_lot_sold_before_it_is_bought_is_refused() -> None:
    with pytest.raises(ValueError, match="sold before"):
        table([Trade(1, entry=3, exit=2)])


BOOKS: dict[str, list[Trade]] = {
    "empty": [],
    "all cash": [Trade(100_000, column=-1, cash_like=True)],
    "long-short": [Trade(1000), Trade(-950, column=1)],
    "net short": [Trade(100), Trade(-3000, column=1)],
    "levered": [Trade(9000)],
    "one symbol, many lots": [Trade(10 + n, entry=n % 3, entry_price=10.0) for n in range(40)],
    "private only": [Trade(3, column=-1, stated_price=20_000)],
    "unpriced only": [Trade(3, column=-1)],
    "closed only": [Trade(100, entry=0, exit=1, entry_price=10, exit_price=12)],
}


@pytest.mark.parametrize("name", BOOKS)
def test_every_kind_of_book_has_finite_money(name: str) -> None:
    ledger: Ledger = account(BOOKS[name], [[10, 20], [11, 19], [12, 22]]).roll()
    for part in (ledger.nav, ledger.cash, ledger.value, ledger.pnl, ledger.stale_value_share):
        assert np.isfinite(part).all()
    assert ledger.nav[-1] == 100_000


def test_a_portfolio_without_open_lots_is_cash() -> None:
    ledger = account(BOOKS["closed only"], [[10, 20], [11, 19], [12, 22]]).roll()
    np.testing.assert_array_equal(ledger.nav[1:], ledger.cash[1:])


def test_no_lots_and_no_prices_are_no_error() -> None:
    empty: LotTable = table([])
    ledger = roll(
        empty, np.empty((3, 0)), np.empty((3, 0)), np.empty((3, 0)), np.array([0.0, 5.0, 0.0]), 1, 10.0
    )
    np.testing.assert_array_equal(ledger.nav, [5, 10, 10])
    np.testing.assert_array_equal(ledger.performance.daily_return, [0, 0, 0])
