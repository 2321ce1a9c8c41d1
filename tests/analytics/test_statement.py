"""What lots and positions are at the close of a session."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassfolio.analytics.statement import net_lots, state_lots
from glassfolio.model.results import NONE, Reason, Warning_, warnings_of
from tests.analytics.books import NAN, Book, Trade, account, assert_close, books
from tests.analytics.test_exposures import option_on

FEW = settings(max_examples=80, deadline=None)


@given(books(portfolios=2), st.integers(0, 11), st.integers(0, 11))
@FEW
def test_statements_add_up_to_the_accounts(book: Book, row: int, since: int) -> None:
    """By lot and by position; the figures are the accounts' own."""
    row, since = min(row, book.sessions - 1), min(since, row, book.sessions - 1)
    ledger, exposures = book.roll_up().ledger, book.roll_up().exposures
    by_lot = state_lots(book.lots, book.instruments, row, since)
    for stated in (by_lot, net_lots(by_lot)):
        for p in range(2):
            own = stated.portfolio == p
            # A position with a lot that cannot be valued has no value; its other lots have theirs.
            if stated is by_lot or not np.isnan(stated.value[own]).any():
                assert_close(np.nansum(stated.value[own]), ledger.value[row, p], 1e5)
                assert_close(np.nansum(stated.exposure[own]), exposures.net[row, p], 1e5)
            assert_close(stated.realised[own].sum(), ledger.realised[since : row + 1, p].sum(), 1e5)
            assert_close(stated.income[own].sum(), ledger.income[since : row + 1, p].sum(), 1e5)
            assert stated.lots[own & (stated.reason == NONE)].sum() <= ledger.lots[row, p]
    assert by_lot.lots[by_lot.reason == NONE].sum() == ledger.lots[row].sum()
    np.testing.assert_array_equal(np.isnan(by_lot.value), by_lot.reason != NONE)
    fresh = np.abs(by_lot.value[by_lot.stale == 0]).sum()
    size = np.nansum(np.abs(by_lot.value))
    shares = ledger.stale_value_share[row] @ [
        np.nansum(np.abs(by_lot.value[by_lot.portfolio == p])) for p in (0, 1)
    ]
    assert_close(np.array(size - fresh), shares, 1e5)


def test_a_lot_states_quantity_value_cost_and_gain() -> None:
    trades = [
        Trade(100, entry=0, entry_price=9),
        Trade(40, entry=0, exit=2, entry_price=9, exit_price=14),
        Trade(10, column=1, undated=True),
    ]
    book = account(trades, [[10, 50], [12, 51], [13, 52], [13, 53]])
    book.instruments.dividend[1, 0] = 0.5
    got = state_lots(book.lots, book.instruments, 2)
    np.testing.assert_array_equal(got.lots, [1, 0, 1])
    np.testing.assert_array_equal(got.quantity, [100, 0, 10])
    np.testing.assert_array_equal(got.value, [1300, 0, 520])
    np.testing.assert_array_equal(got.cost, [900, 0, NAN])
    np.testing.assert_array_equal(got.unrealised, [400, 0, NAN])
    np.testing.assert_array_equal(got.realised, [0, 200, 0])
    np.testing.assert_array_equal(got.income, [50, 20, 0])
    np.testing.assert_array_equal(got.stale, [0, -1, 0])
    assert state_lots(book.lots, book.instruments, 3, since=3).realised.sum() == 0
    assert state_lots(book.lots, book.instruments, 3, since=2).income.sum() == 0


def test_income_is_what_was_held_the_day_before_in_the_sessions_asked_for() -> None:
    """Bought on the ex-date there is none, sold on it there is one; from `since` to the session."""
    trades = [Trade(10, entry=1, exit=3, entry_price=10, exit_price=10), Trade(10, entry=0, entry_price=10)]
    book = account(trades, [[10]] * 5)
    book.instruments.dividend[1:, 0] = [1, 10, 100, 1000]

    def incomes(row: int, since: int) -> list[float]:
        found: list[float] = state_lots(book.lots, book.instruments, row, since).income.tolist()
        return found

    assert incomes(4, 0) == [1100, 11110]
    assert incomes(3, 2) == [1100, 1100]
    assert incomes(2, 1) == [100, 110]
    assert incomes(1, 0) == [0, 10]


def test_lots_of_one_instrument_are_one_position() -> None:
    trades = [Trade(100, entry_price=9), Trade(5, column=1, entry_price=2), Trade(-30, entry_price=8)]
    book = account(trades, [[10, 3]])
    got = net_lots(state_lots(book.lots, book.instruments, 0))
    np.testing.assert_array_equal(got.column, [0, 1])
    np.testing.assert_array_equal(got.lots, [2, 1])
    np.testing.assert_array_equal(got.quantity, [70, 5])
    np.testing.assert_array_equal(got.value, [700, 15])
    np.testing.assert_array_equal(got.cost, [900 - 240, 10])
    np.testing.assert_array_equal(got.unrealised, [40, 5])


def test_one_unknown_fill_leaves_the_position_without_cost() -> None:
    book = account([Trade(100, entry_price=9), Trade(10)], [[10], [11]])
    got = net_lots(state_lots(book.lots, book.instruments, 1))
    assert got.value[0] == 1210
    assert np.isnan([got.cost[0], got.unrealised[0]]).all()


def test_quantities_are_stated_on_the_sessions_own_share_basis() -> None:
    book = account([Trade(100, entry=0, entry_price=9)], [[100], [10], [11]])
    book.instruments.split[1] = 10
    quantities = [state_lots(book.lots, book.instruments, row).quantity[0] for row in range(3)]
    assert quantities == [10, 100, 100]


def test_what_has_no_price_has_a_reason_and_no_value() -> None:
    book = account([Trade(100, column=1, entry_price=9)], [[10, NAN]])
    got = state_lots(book.lots, book.instruments, 0)
    assert np.isnan([got.value[0], got.exposure[0], got.unrealised[0]]).all()
    assert (got.reason[0], got.lots[0], got.quantity[0], got.cost[0]) == (Reason.NO_PRICE.code, 1, 100, 900)
    assert net_lots(got).reason[0] == Reason.NO_PRICE.code
    assert got.stale[0] == -1


def test_a_carried_price_says_how_old_it_is() -> None:
    book = account(
        [Trade(1, entry=0, entry_price=9), Trade(1, column=1, entry_price=5)], [[10, 1], [NAN, 1], [NAN, 1]]
    )
    got = state_lots(book.lots, book.instruments, 2)
    np.testing.assert_array_equal(got.stale, [2, 0])
    assert warnings_of(int(got.warnings[0])) == (Warning_.STALE_PRICE,)
    assert got.warnings[1] == 0


def test_a_private_position_at_its_fill_is_as_old_as_the_fill() -> None:
    book = account([Trade(1, column=0, entry=1, entry_price=9)], [[]] * 4, funds=[{3: 12.0}])
    ages = [state_lots(book.lots, book.instruments, row).stale[0] for row in range(4)]
    assert ages == [-1, 0, 1, 0]


def test_warnings_of_a_price_go_where_it_is_carried() -> None:
    book = option_on(account([Trade(1, column=1)], [[100, 3], [100, NAN], [100, 4]]), 1, 0, [50.0] * 3)
    book.instruments.warnings[0, 1] = Warning_.MODEL_PRICE.bit
    got = [state_lots(book.lots, book.instruments, row) for row in range(3)]
    assert [warnings_of(int(each.warnings[0])) for each in got] == [
        (Warning_.MODEL_PRICE,),
        (Warning_.STALE_PRICE, Warning_.MODEL_PRICE),
        (),
    ]
    assert net_lots(got[1]).warnings[0] == got[1].warnings[0]
    assert [each.exposure[0] for each in got] == [50, 50, 50]


@pytest.mark.parametrize(
    ("price", "ratio", "ambiguous"),
    [
        (100.0, 10.0, True),  # as it was traded, though the file counts new shares
        (10.0, 10.0, False),  # restated, as it should be
        (70.0, 2.0, False),  # 40 % off on the stated basis
        (76.0, 2.0, True),  # 52 % off on the stated basis, 24 % as it stands
        (151.0, 2.0, False),  # far off either way
        (149.0, 2.0, True),
        (100.0, 1.0, False),
        (100.0, 0.1, True),  # a reverse split
    ],
)
def test_a_fill_near_the_raw_close_only_has_an_ambiguous_basis(
    price: float, ratio: float, ambiguous: bool
) -> None:
    """split_basis_ambiguous: more than 50 % away on the stated basis, near on the raw one."""
    book = account([Trade(10, entry=0, entry_price=price)], [[100], [100 / ratio]])
    book.instruments.split[1] = ratio
    got = state_lots(book.lots, book.instruments, 1)
    assert (Warning_.SPLIT_BASIS_AMBIGUOUS in warnings_of(int(got.warnings[0]))) is ambiguous


@pytest.mark.parametrize(
    "trade", [Trade(10, entry_price=100), Trade(10, entry=0, exit=1, entry_price=100), Trade(10, entry=0)]
)
def test_a_basis_is_not_doubted_without_a_fill_on_the_grid_or_a_split_after_it(trade: Trade) -> None:
    book = account([replace(trade, basis=0 if trade.exit == 1 else 2)], [[100], [100], [10]])
    book.instruments.split[2] = 10
    got = state_lots(book.lots, book.instruments, 0)
    assert not got.warnings[0] & Warning_.SPLIT_BASIS_AMBIGUOUS.bit


def test_an_empty_book_states_nothing() -> None:
    book = account([], [[1]])
    for stated in (
        state_lots(book.lots, book.instruments, 0),
        net_lots(state_lots(book.lots, book.instruments, 0)),
    ):
        assert all(len(getattr(stated, field.name)) == 0 for field in fields(stated))
