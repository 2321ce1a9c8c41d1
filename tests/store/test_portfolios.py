"""Portfolios and lots as they were written, and whose they are."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from glassfolio.db.engine import Database
from glassfolio.model.holdings import InvestmentClass, Lot, OptionContract
from glassfolio.store import portfolios
from tests.store.rows import NOW, add_portfolio, lot

EXACT = ("0.1", "100000.10", "999999999999999.999999999999", "-0.000000000001", "3", "100.1000")


@pytest.mark.parametrize("digits", EXACT)
def test_decimals_come_back_digit_for_digit(database: Database, digits: str) -> None:
    """Pitfall: 6 decimals in the check against 4 in the table; the longest legal value round-trips."""
    with database.transaction() as connection:
        item = add_portfolio(connection, equity=digits, lots=(lot(quantity=digits, price=digits),))
    with database.reading() as connection:
        found = portfolios.owned(connection, item.id, item.owner_id)
        (read,) = portfolios.lots(connection, item.id)
    assert found is not None
    assert str(found.equity) == str(read.quantity) == str(read.entry_price) == str(Decimal(digits))


def test_every_field_of_a_lot_comes_back(database: Database) -> None:
    call = OptionContract("AAPL", date(2024, 1, 19), "C", Decimal("150.50"), Decimal(100))
    option = replace(
        lot(1, call.symbol), option=call, investment_class=InvestmentClass.OPTIONS, subtype="CALL"
    )
    closed = replace(lot(2), exit_date=date(2022, 5, 2), exit_price=Decimal("157.25"), raw="AAPL,…")
    unknown = Lot(3, 5, "KO", Decimal(1), None, None, InvestmentClass.PUBLIC)
    kept = (lot(0), option, closed, unknown)
    with database.transaction() as connection:
        item = add_portfolio(connection, lots=kept)
    with database.reading() as connection:
        assert portfolios.lots(connection, item.id) == kept
        assert portfolios.owned(connection, item.id, item.owner_id) == item


def test_what_is_somebody_elses_or_deleted_is_not_there(database: Database) -> None:
    with database.transaction() as connection:
        item = add_portfolio(connection, "alice")
        other = portfolios.user_id(connection, "bob", NOW)
        assert portfolios.owned(connection, item.id, other) is None
        assert portfolios.delete(connection, item.id, other, NOW) is False
        assert portfolios.owned(connection, item.id, item.owner_id) is not None
        assert portfolios.delete(connection, item.id, item.owner_id, NOW) is True
        assert portfolios.delete(connection, item.id, item.owner_id, NOW) is False
        assert portfolios.owned(connection, item.id, item.owner_id) is None
        assert portfolios.get(connection, item.id) is None
        assert portfolios.all_of(connection, item.owner_id) == []


def test_an_account_name_is_taken_once_among_the_living(database: Database) -> None:
    """Pitfall: deleted portfolios still block their name."""
    with database.transaction() as connection:
        item = add_portfolio(connection, account_name="Straße")
        add_portfolio(connection, "bob", account_name="Straße")
    with pytest.raises(IntegrityError), database.transaction() as connection:
        add_portfolio(connection, account_name=" STRASSE ")
    with database.transaction() as connection:
        assert portfolios.live_account(connection, item.owner_id, "strasse") == item.id
        portfolios.delete(connection, item.id, item.owner_id, NOW)
        add_portfolio(connection, account_name="strasse")


def test_a_subject_is_one_user_however_often_it_is_seen(database: Database) -> None:
    with database.transaction() as connection:
        first = portfolios.user_id(connection, "alice", NOW)
        assert portfolios.user_id(connection, "alice", NOW) == first
        assert portfolios.user_id(connection, "Alice", NOW) != first


def test_an_anchor_once_fixed_stays(database: Database) -> None:
    """Pitfall: equity is one mutable field, the seed of its own recursion."""
    with database.transaction() as connection:
        item = add_portfolio(connection)
        portfolios.set_anchor(connection, item.id, date(2022, 12, 28))
        portfolios.set_anchor(connection, item.id, date(2022, 12, 29))
        found = portfolios.get(connection, item.id)
    assert found is not None
    assert found.anchor == date(2022, 12, 28)
