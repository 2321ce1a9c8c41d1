"""Size, concentration and sectors of what portfolios are exposed to."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from glassfolio.analytics.exposures import Sectors
from glassfolio.analytics.instruments import Instruments, Kind
from glassfolio.analytics.rollup import exposures_to_underlyings
from glassfolio.model.results import NONE, Reason
from tests.analytics.books import NAN, Book, Trade, account, assert_close, books
from tests.analytics.test_ledger import BOOKS, odd

FEW = settings(max_examples=60, deadline=None)


def option_on(book: Book, column: int, underlying: int, exposure: list[float]) -> Book:
    """The same book, one of its listed columns an option with this delta times underlying price."""
    old = book.instruments
    kind, of, x = old.kind.copy(), old.underlying.copy(), old.exposure_price.copy()
    kind[column], of[column], x[:, column] = Kind.OPTION, underlying, exposure
    grid: Instruments = replace(old, kind=kind, underlying=of, exposure_price=x)
    return replace(book, instruments=grid)


def test_lots_are_netted_inside_an_instrument_only() -> None:
    """long, short, gross, net: short box positions vanish, other shorts do not."""
    trades = [Trade(100), Trade(-40), Trade(-20, column=1), Trade(500, column=2)]
    x = account(trades, [[10, 50]], money=[NAN]).roll()
    assert (x.long[0], x.short[0], x.gross[0], x.net[0]) == (600, -1000, 1600, -400)


def test_an_option_counts_with_delta_times_the_underlying_and_not_with_its_premium() -> None:
    """exposure: delta x premium understates by S/premium. Two contracts at delta 0.5 on a stock at 100."""
    book = account([Trade(2, column=1, multiplier=100)], [[100, 3]])
    x = option_on(book, 1, 0, [0.5 * 100]).roll()
    assert x.value[0] == 600
    assert x.long[0] == x.gross[0] == 10_000
    assert x.exposure_coverage[0] == 1


def test_a_deep_in_the_money_call_is_exposed_like_the_stock() -> None:
    """Pitfall: options left out of exposure."""
    stock = account([Trade(100)], [[100, 60]]).roll()
    call = option_on(account([Trade(1, column=1, multiplier=100)], [[100, 60]]), 1, 0, [100.0]).roll()
    assert call.net[0] == stock.net[0] == 10_000


def test_options_are_netted_with_their_underlying_for_concentration_only() -> None:
    """hhi by underlying, long and short by instrument: a covered call."""
    trades = [Trade(100), Trade(-1, column=1, multiplier=100), Trade(60, column=2)]
    book = option_on(account(trades, [[100, 4, 100]]), 1, 0, [40.0])
    x = book.roll()
    assert (x.long[0], x.short[0]) == (16_000, -4_000)
    assert x.hhi[0] == 0.5


def test_an_exposure_that_is_unknown_is_left_out_and_reduces_coverage() -> None:
    """Missing is not zero: an option valued from a stated price has no delta."""
    trades = [Trade(90), Trade(-1, column=1, multiplier=100)]
    x = option_on(account(trades, [[100, 10], [100, 10]]), 1, 0, [NAN, 50.0]).roll()
    np.testing.assert_array_equal(x.gross, [9_000, 9_000 + 5_000])
    np.testing.assert_array_equal(x.exposure_coverage, [0.9, 1])


def test_an_options_exposure_is_carried_like_its_price_and_over_its_splits() -> None:
    trades = [Trade(4, column=1, entry=0, entry_price=2, basis=2, multiplier=100)]
    book = option_on(account(trades, [[100, 4], [50, NAN], [51, 2]]), 1, 0, [40.0, NAN, 21.0])
    book.instruments.split[1] = 2
    np.testing.assert_array_equal(book.roll().long, [2 * 4000, 4 * 2000, 4 * 2100])


def test_an_expired_option_has_no_exposure() -> None:
    trade = Trade(1, column=1, exit=1, exit_price=0, multiplier=100)
    x = option_on(account([trade], [[100, 4], [90, 0]]), 1, 0, [40.0, 90.0]).roll()
    np.testing.assert_array_equal(x.gross, [4000, 0])


def test_leverage_is_over_nav_even_when_net_exposure_vanishes() -> None:
    """leverage: never over the sum of signed values; long 100k, short 95k on 100k is 1.95, not 39."""
    x = account([Trade(1000), Trade(-950, column=1)], [[100, 100]]).roll()
    assert x.leverage[0] == 1.95
    assert x.net_leverage[0] == pytest.approx(0.05)


def test_concentration_is_by_instrument_and_not_by_lot() -> None:
    """hhi, effective_n: two lots of 90 and 10 beside 100 of another name are two halves."""
    x = account([Trade(90), Trade(10), Trade(100, column=1)], [[1, 1]]).roll()
    assert x.hhi[0] == 0.5
    assert x.effective_n[0] == 2
    assert x.top_3[0] == x.top_10[0] == 1


def test_the_largest_positions_count_by_size_short_or_long() -> None:
    """top_3, top_10."""
    sizes = [5, -4, 3, 2, *[1.0] * 8]
    x = account([Trade(q, column=c) for c, q in enumerate(sizes)], [[1.0] * 12]).roll()
    assert x.top_3[0] == pytest.approx(12 / 22)
    assert x.top_10[0] == pytest.approx(20 / 22)


def test_each_private_position_stands_by_itself() -> None:
    funds = [Trade(1, column=1, entry_price=100), Trade(1, column=2, entry_price=100)]
    x = account([*funds, Trade(-2, column=0)], [[100]], funds=[{}, {}]).roll()
    np.testing.assert_allclose(x.hhi, 0.25**2 * 2 + 0.5**2)


def test_without_positive_nav_money_stays_and_leverage_goes() -> None:
    x = account([Trade(10)], [[100], [100]], equity=0, anchor=0, flows=[0, 5]).roll()
    np.testing.assert_array_equal(x.gross, [1000, 1000])
    np.testing.assert_array_equal(x.leverage, [NAN, 200])
    np.testing.assert_array_equal(x.net_leverage, [NAN, 200])
    np.testing.assert_array_equal(x.nav_reason, [Reason.NONPOSITIVE_NAV.code, NONE])


@given(books(portfolios=3))
@FEW
def test_exposures_to_underlyings_are_those_of_the_whole(book: Book) -> None:
    """For one portfolio or several, whatever they hold."""
    whole = book.roll_up().exposures
    for start in (0, book.sessions - 1):
        netted = exposures_to_underlyings(book.lots, book.instruments, start)
        for p in range(3):
            own = netted.portfolio == p
            assert_close(netted.exposure[own].sum(axis=0), whole.net[start:, p], 1e5)
            sizes = np.abs(netted.exposure[own])
            held = sizes.sum(axis=0) > 0
            there = sizes[:, held]
            assert_close((there**2).sum(axis=0) / there.sum(axis=0) ** 2, whole.hhi[start:, p][held])
            assert len(set(netted.column[own])) == own.sum()


def test_an_all_cash_book_has_no_concentration() -> None:
    x = account([Trade(10, column=1)], [[100]], money=[NAN]).roll()
    assert np.isnan([x.hhi[0], x.effective_n[0], x.top_3[0], x.top_10[0]]).all()
    assert x.concentration_reason[0] == Reason.NO_POSITIONS.code
    assert x.leverage[0] == 0


@pytest.mark.parametrize("name", BOOKS)
def test_every_kind_of_book_gives_numbers_or_reasons(name: str) -> None:
    x = odd(name).roll()
    np.testing.assert_array_equal(np.isnan(x.leverage), x.nav_reason != NONE)
    np.testing.assert_array_equal(np.isnan(x.hhi), x.concentration_reason != NONE)


def test_sectors_are_net_and_gross_over_nav_with_the_unclassified_beside_them() -> None:
    """Pitfall: |short| over equity, and unknown names vanish."""
    trades = [Trade(100), Trade(-30, column=1), Trade(-40, column=2), Trade(5, column=3), Trade(50, column=0)]
    book = account(trades, [[10, 10, 10, 10]], equity=2000)
    whole = book.roll_up(sectors=Sectors(np.array([0, 0, 1, 2]), 3)).exposures
    np.testing.assert_array_equal(whole.sector_net[0, 0], [1200, -400, 50])
    np.testing.assert_array_equal(whole.sector_gross[0, 0], [1800, 400, 50])
    np.testing.assert_allclose(whole.sector_net_weight[0, 0], [0.6, -0.2, 0.025])
    np.testing.assert_allclose(whole.sector_gross_weight[0, 0], [0.9, 0.2, 0.025])


@given(books(portfolios=2))
@FEW
def test_sectors_add_up_to_the_whole(book: Book) -> None:
    """The sum of buckets, however instruments are classified."""
    of = np.arange(len(book.instruments)) % 3
    for sectors in (Sectors(of, 4), None):
        whole = book.roll_up(sectors=sectors).exposures
        assert_close(whole.sector_net.sum(axis=2), whole.net, 1e5)
        assert_close(whole.sector_gross.sum(axis=2), whole.gross, 1e5)
        assert_close(whole.sector_net_weight.sum(axis=2), whole.net_leverage)
        assert_close(whole.sector_gross_weight.sum(axis=2), whole.leverage)
    assert whole.sector_net.shape[2] == 1


def test_a_sector_that_does_not_exist_is_refused() -> None:
    for of in ([0, 3], [-1, 0]):
        with pytest.raises(ValueError, match="none of 3"):
            Sectors(np.array(of), 3)
    with pytest.raises(ValueError, match="sectors are not of the instruments"):
        account([Trade(1)], [[1]]).roll_up(sectors=Sectors(np.array([0, 1]), 2))
