"""How wrong tries of a password are counted."""

from datetime import datetime, timedelta

import pytest

from glassfolio.db.engine import Database
from glassfolio.store import access
from tests.store.rows import NOW

WINDOW, MOST = timedelta(minutes=15), 5
INSTANT = timedelta(milliseconds=1)


def attempt(database: Database, moment: datetime, account: str = "alice") -> datetime | None:
    """One try, whose clock read `moment`: None when it may be made, else when the last wrong one was."""
    with database.transaction() as connection:
        return access.count_try(connection, account, "address", moment, moment - WINDOW, MOST)


@pytest.mark.parametrize("step", [INSTANT, -INSTANT, timedelta(0)], ids=["later", "earlier", "same"])
def test_tries_are_counted_in_whatever_order_their_clocks_were_read(
    database: Database, step: timedelta
) -> None:
    """Was: a try that read its clock before another and came after it forgot what had been counted."""
    answers = [attempt(database, NOW + step * number) for number in range(20)]
    assert answers[:MOST] == [None] * MOST
    assert None not in answers[MOST:]


def test_a_refused_try_does_not_prolong_the_wait(database: Database) -> None:
    for number in range(MOST):
        assert attempt(database, NOW + INSTANT * number) is None
    last = NOW + INSTANT * (MOST - 1)
    assert attempt(database, last + WINDOW / 2) == last
    assert attempt(database, last + WINDOW - INSTANT) == last
    assert attempt(database, last + WINDOW) is None


def test_a_clock_that_is_set_back_keeps_nobody_out_for_longer(database: Database) -> None:
    for _ in range(MOST):
        assert attempt(database, NOW) is None
    back = NOW - timedelta(days=365)
    assert attempt(database, back) == back
    assert attempt(database, back + WINDOW - INSTANT) == back
    assert attempt(database, back + WINDOW) is None


def test_forgiven_tries_and_those_of_others_do_not_count(database: Database) -> None:
    for _ in range(MOST):
        assert attempt(database, NOW) is None
        assert attempt(database, NOW, "bob") is None
    with database.transaction() as connection:
        access.forgive_tries(connection, "alice", "address")
    assert attempt(database, NOW) is None
    assert attempt(database, NOW, "bob") == NOW
