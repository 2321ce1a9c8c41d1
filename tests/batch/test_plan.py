"""What is missing and how it is cut: pure, and independent of the order in which it is asked."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassfolio.batch import plan
from glassfolio.model.market import Interval
from glassfolio.sessions import Sessions
from glassfolio.store.market import OK, Asked
from tests.batch.workshop import START

NEWEST = date(2022, 12, 28)


def answered(start: date, end: date, outcome: str = OK, age_days: int = 0) -> Asked:
    return Asked("A", Interval(start, end), outcome, START - timedelta(days=age_days))


class TestMissingRange:
    def test_nothing_stored_is_the_whole_range(self, calendar: Sessions) -> None:
        first, last = calendar.ordinal(date(2022, 3, 1)), calendar.ordinal(NEWEST)
        assert plan.missing_range(calendar, first, last, []) == Interval(date(2022, 3, 1), NEWEST)

    def test_all_stored_is_nothing(self, calendar: Sessions) -> None:
        first, last = calendar.ordinal(date(2022, 3, 1)), calendar.ordinal(NEWEST)
        stored = [answered(date(2022, 2, 1), date(2022, 6, 30)), answered(date(2022, 7, 1), NEWEST)]
        assert plan.missing_range(calendar, first, last, stored) is None

    def test_weekends_between_two_answers_are_not_missing(self, calendar: Sessions) -> None:
        first, last = calendar.ordinal(date(2022, 3, 3)), calendar.ordinal(date(2022, 3, 8))
        stored = [
            answered(date(2022, 3, 3), date(2022, 3, 4)),
            answered(date(2022, 3, 7), date(2022, 3, 8)),
        ]
        assert plan.missing_range(calendar, first, last, stored) is None

    def test_one_stale_symbol_is_filled_whatever_others_have(self, calendar: Sessions) -> None:
        """Pitfall: fetch starts at the newest date over all symbols."""
        first, last = calendar.ordinal(date(2022, 3, 1)), calendar.ordinal(NEWEST)
        stored = [answered(date(2022, 3, 1), date(2022, 10, 31))]
        assert plan.missing_range(calendar, first, last, stored) == Interval(date(2022, 11, 1), NEWEST)

    def test_failures_store_nothing(self, calendar: Sessions) -> None:
        first, last = calendar.ordinal(date(2022, 3, 1)), calendar.ordinal(NEWEST)
        stored = [answered(date(2022, 3, 1), NEWEST, "empty")]
        assert plan.missing_range(calendar, first, last, stored) is not None

    @given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 30)), max_size=6), st.integers(0, 60))
    def test_the_range_begins_and_ends_on_a_missing_session(
        self, calendar: Sessions, stretches: list[tuple[int, int]], length: int
    ) -> None:
        first = calendar.ordinal(date(2022, 3, 1)) + 20
        last = first + length
        stored = [
            answered(calendar.day(first - 20 + a), calendar.day(first - 20 + a + n)) for a, n in stretches
        ]
        have = {first - 20 + a + i for a, n in stretches for i in range(n + 1)}
        missing = [i for i in range(first, last + 1) if i not in have]
        got = plan.missing_range(calendar, first, last, stored)
        if not missing:
            assert got is None
        else:
            assert got == Interval(calendar.day(missing[0]), calendar.day(missing[-1]))


class TestKnownUnknown:
    @pytest.mark.parametrize("outcome", ["not_found", "empty"])
    def test_a_dead_symbol_is_not_asked_again_for_a_week(self, outcome: str) -> None:
        """Pitfall: a dead ticker asked 135 times."""
        assert plan.known_unknown([answered(NEWEST, NEWEST, outcome, 6)], START) == outcome
        assert plan.known_unknown([answered(NEWEST, NEWEST, outcome, 7)], START) is None

    def test_a_symbol_that_once_had_prices_is_asked(self) -> None:
        answers = [answered(date(2022, 1, 3), date(2022, 2, 1)), answered(NEWEST, NEWEST, "empty")]
        assert plan.known_unknown(answers, START) is None

    @pytest.mark.parametrize("outcome", ["network", "rate_limited", "blocked", OK])
    def test_trouble_says_nothing_about_a_symbol(self, outcome: str) -> None:
        assert plan.known_unknown([answered(NEWEST, NEWEST, outcome)], START) is None
        assert plan.known_unknown([], START) is None


@pytest.mark.parametrize(
    ("seconds", "rate", "size"),
    [(0.001, None, 25), (0.3, None, 3), (0.3, 1.0, 1), (2.0, None, 1), (0.0, None, 25), (0.01, 10.0, 10)],
)
def test_a_chunk_takes_about_a_second(seconds: float, rate: float | None, size: int) -> None:
    """So that a slow provider shows each symbol as it lands."""
    assert plan.fetch_size(seconds, rate) == size


@given(st.lists(st.integers(), max_size=200), st.integers(1, 70))
def test_pieces_are_the_whole_in_order(items: list[int], size: int) -> None:
    cut = list(plan.pieces(items, size))
    assert [item for piece in cut for item in piece] == items
    assert all(len(piece) == size for piece in cut[:-1])


def test_symbols_of_one_range_stand_together() -> None:
    one, other = Interval(NEWEST, NEWEST), Interval(date(2022, 1, 3), NEWEST)
    missing = {"A": one, "B": other, "C": one}
    assert plan.by_interval(missing) == [("A", one), ("C", one), ("B", other)]


class TestWindow:
    """The later of the first lot's entry and the 254th session before the end, to the newest session."""

    def window(
        self,
        calendar: Sessions,
        *entries: date | None,
        history: int | None = 254,
        anchor: date = NEWEST,
    ) -> tuple[date, date]:
        return plan.window(calendar, entries, NEWEST, anchor, history)

    def count(self, calendar: Sessions, span: tuple[date, date]) -> int:
        return len(calendar.between(*span))

    def test_an_old_lot_gives_254_sessions(self, calendar: Sessions) -> None:
        span = self.window(calendar, date(2015, 1, 5))
        assert span[1] == NEWEST
        assert self.count(calendar, span) == 254

    def test_a_young_lot_begins_with_its_entry(self, calendar: Sessions) -> None:
        assert self.window(calendar, date(2022, 9, 1)) == (date(2022, 9, 1), NEWEST)

    def test_the_first_of_several_lots_counts(self, calendar: Sessions) -> None:
        assert self.window(calendar, date(2022, 11, 1), date(2022, 9, 1))[0] == date(2022, 9, 1)

    def test_an_entry_on_a_weekend_counts_from_the_next_session(self, calendar: Sessions) -> None:
        assert self.window(calendar, date(2022, 9, 3))[0] == date(2022, 9, 6)

    def test_a_lot_without_a_date_gives_254_sessions(self, calendar: Sessions) -> None:
        assert self.count(calendar, self.window(calendar, None, date(2022, 11, 1))) == 254

    def test_all_goes_back_to_the_first_lot(self, calendar: Sessions) -> None:
        assert self.window(calendar, date(2015, 1, 5), history=None)[0] == date(2015, 1, 5)
        assert self.count(calendar, self.window(calendar, None, history=None)) == 254
        assert self.window(calendar, None, date(2015, 1, 5), history=None)[0] == date(2015, 1, 5)

    def test_a_stated_equity_before_it_is_reached(self, calendar: Sessions) -> None:
        """The session whose NAV is known is always valued."""
        assert self.window(calendar, date(2022, 9, 1), anchor=date(2022, 6, 30))[0] == date(2022, 6, 30)
        assert self.window(calendar, date(2022, 9, 1), anchor=date(2022, 10, 3))[0] == date(2022, 9, 1)

    def test_one_session_is_enough(self, calendar: Sessions) -> None:
        assert self.window(calendar, NEWEST) == (NEWEST, NEWEST)
        assert self.window(calendar, date(2015, 1, 5), history=1) == (NEWEST, NEWEST)

    @given(
        st.lists(st.one_of(st.none(), st.dates(date(2014, 1, 2), NEWEST)), min_size=1, max_size=4),
        st.one_of(st.none(), st.integers(1, 600)),
        st.dates(date(2014, 1, 2), NEWEST),
    )
    def test_it_always_ends_at_the_newest_and_holds_the_anchor(
        self, calendar: Sessions, entries: list[date | None], history: int | None, anchor: date
    ) -> None:
        first, last = self.window(calendar, *entries, history=history, anchor=anchor)
        assert last == NEWEST
        assert first <= calendar.day(calendar.ordinal(anchor)) or first <= anchor
        assert calendar.is_session(first)
