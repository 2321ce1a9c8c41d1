"""Prices, what was asked of providers, and their shared allowance."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassfolio.db import bulk
from glassfolio.db.engine import Database
from glassfolio.db.tables import price, quarantine
from glassfolio.model.market import Bars, Basis, Interval
from glassfolio.sessions import Sessions
from glassfolio.store import market
from glassfolio.store.market import OK, Allowance, Asked, _merged
from tests.store.rows import NOW

START = date(2022, 3, 1)


def bars(symbol: str, days: list[str], close: list[float], **more: list[float]) -> Bars:
    count = len(days)
    return Bars(
        symbol,
        Basis.AS_TRADED,
        np.array(days, dtype="datetime64[D]"),
        np.array(close),
        split=np.array(more.get("split", [1.0] * count)),
        dividend=np.array(more.get("dividend", [0.0] * count)),
        adj_close=np.full(count, np.nan),
        volume=np.array(more.get("volume", [-1] * count), dtype=np.int64),
    )


class TestPanel:
    def test_prices_stand_on_the_grid_and_holes_are_nan(self, database: Database, calendar: Sessions) -> None:
        """Missing is never zero, and never the day before."""
        days = ["2022-03-01", "2022-03-03"]
        with database.transaction() as connection:
            market.write_bars(
                connection, "p", [bars("B", days, [10.5, 11.25], split=[1, 4], dividend=[0.25, 0])]
            )
            grid = calendar.between(date(2022, 3, 1), date(2022, 3, 4))
            panel = market.panel(connection, ["B", "A"], grid, np.arange(len(grid)))
        assert panel.symbols == ("A", "B")
        np.testing.assert_array_equal(panel.close[:, 1], [10.5, np.nan, 11.25, np.nan])
        np.testing.assert_array_equal(panel.split[:, 1], [1, 1, 4, 1])
        np.testing.assert_array_equal(panel.dividend[:, 1], [0.25, 0, 0, 0])
        assert np.isnan(panel.close[:, 0]).all()
        assert panel.revisions == {"A": 0, "B": 1}

    def test_writing_twice_is_writing_once_but_for_the_revision(self, database: Database) -> None:
        one = bars("A", ["2022-03-01"], [10.0], volume=[5_000_000_000])
        with database.transaction() as connection:
            market.write_bars(connection, "p", [one])
            before = connection.execute(price.select()).all()
            market.write_bars(connection, "p", [one])
            assert connection.execute(price.select()).all() == before
            assert market.revisions(connection, ["A"]) == {"A": 2}
            assert before[0].volume == 5_000_000_000

    def test_a_symbol_has_the_prices_of_one_provider_only(self, database: Database) -> None:
        """Pitfall: providers mixed in one series, on different share bases."""
        with database.transaction() as connection:
            market.write_bars(connection, "p", [bars("A", ["2022-03-01", "2022-03-02"], [10.0, 11.0])])
            market.write_bars(connection, "q", [bars("A", ["2022-03-02"], [22.0])])
            rows = connection.execute(price.select()).all()
        assert [(row.provider, row.close) for row in rows] == [("q", 22.0)]

    def test_extreme_closes_come_back_bit_for_bit(self, database: Database) -> None:
        closes = [0.1 + 0.2, 1e-7, 123456789.123456789]
        days = ["2022-03-01", "2022-03-02", "2022-03-03"]
        with database.transaction() as connection:
            market.write_bars(connection, "p", [bars("A", days, closes)])
            rows = connection.execute(price.select().order_by(price.c.session)).all()
        assert [row.close for row in rows] == closes


class TestBulk:
    def test_a_row_given_again_is_replaced(self, database: Database) -> None:
        columns = ("symbol", "session", "provider", "reason")
        with database.transaction() as connection:
            rows = [("A", "2022-03-01", "p", "spike"), ("B", "2022-03-01", "p", "stale")]
            assert bulk.upsert(connection, quarantine, columns, rows) == 2
            assert bulk.upsert(connection, quarantine, columns, rows) == 2
            bulk.upsert(connection, quarantine, columns, [("A", "2022-03-01", "p", "conflict")])
            found = connection.execute(quarantine.select().order_by(quarantine.c.symbol)).all()
        assert [(row.symbol, row.reason) for row in found] == [("A", "conflict"), ("B", "stale")]

    def test_nothing_is_nothing(self, database: Database) -> None:
        with database.transaction() as connection:
            assert bulk.upsert(connection, quarantine, ("symbol", "session", "provider", "reason"), []) == 0

    def test_what_was_rolled_back_is_not_there_and_can_be_written_again(self, database: Database) -> None:
        columns, rows = ("symbol", "session", "provider", "reason"), [("A", "2022-03-01", "p", "spike")]

        def fails() -> None:
            with database.transaction() as connection:
                bulk.upsert(connection, quarantine, columns, rows)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fails()
        with database.transaction() as connection:
            assert connection.execute(quarantine.select()).all() == []
            bulk.upsert(connection, quarantine, columns, rows)
            assert len(connection.execute(quarantine.select()).all()) == 1


intervals = st.builds(
    lambda start, length: Interval(START + timedelta(days=start), START + timedelta(days=start + length)),
    st.integers(0, 40),
    st.integers(0, 12),
)


def days_of(interval: Interval) -> set[date]:
    return {interval.start + timedelta(days=i) for i in range((interval.end - interval.start).days + 1)}


class TestCoverage:
    @given(st.lists(intervals, min_size=1, max_size=12))
    def test_answers_with_bars_cover_exactly_their_days_in_the_fewest_stretches(
        self, given_intervals: list[Interval]
    ) -> None:
        """Against a model that is a set of days."""
        kept: list[Asked] = []
        days: set[date] = set()
        for interval in given_intervals:
            kept = sorted(
                _merged([*kept, Asked("A", interval, OK, NOW)]), key=lambda item: item.interval.start
            )
            days |= days_of(interval)
        assert set().union(*(days_of(item.interval) for item in kept)) == days
        gaps = sum(day + timedelta(days=1) not in days for day in days)
        assert len(kept) == gaps

    @given(st.lists(st.tuples(intervals, st.sampled_from([OK, "empty"])), min_size=1, max_size=10))
    def test_no_day_is_claimed_that_was_never_answered_with_bars(
        self, answers: list[tuple[Interval, str]]
    ) -> None:
        kept: list[Asked] = []
        answered: set[date] = set()
        for interval, outcome in answers:
            kept = sorted(
                _merged([*kept, Asked("A", interval, outcome, NOW)]), key=lambda item: item.interval.start
            )
            answered |= days_of(interval) if outcome == OK else set()
            claimed = [days_of(item.interval) for item in kept if item.outcome == OK]
            assert set().union(*claimed) <= answered
            starts = [item.interval.start for item in kept]
            assert len(starts) == len(set(starts))

    def test_what_was_asked_comes_back_merged(self, database: Database) -> None:
        first = Asked("A", Interval(date(2022, 3, 1), date(2022, 3, 4)), OK, NOW)
        second = Asked("A", Interval(date(2022, 3, 5), date(2022, 3, 9)), OK, NOW)
        with database.transaction() as connection:
            for answer in (first, second, second):
                before = market.asked(connection, ["A"], "p")
                market.record_asked(connection, "p", [answer], before)
            found = market.asked(connection, ["A", "B"], "p")
            assert market.asked(connection, ["A"], "q") == {"A": []}
        assert found == {
            "A": [Asked("A", Interval(date(2022, 3, 1), date(2022, 3, 9)), OK, NOW)],
            "B": [],
        }


class TestAllowance:
    """The database's clock is a literal here, so a test says what time it is."""

    def allowance(self, at: float, *, per_second: float = 2.0, burst: float = 3.0) -> Allowance:
        return Allowance("p", per_second, burst, f"CAST({at} AS DOUBLE PRECISION)")

    def take(self, database: Database, at: float) -> float:
        with database.transaction() as connection:
            return self.allowance(at).take(connection)

    def test_a_burst_is_granted_and_then_the_rate_holds(self, database: Database) -> None:
        assert [self.take(database, 1000.0) for _ in range(3)] == [0.0] * 3
        assert self.take(database, 1000.0) == pytest.approx(0.5)
        assert self.take(database, 1000.25) == pytest.approx(0.25)
        assert self.take(database, 1000.5) == 0.0
        assert self.take(database, 1000.5) > 0

    def test_an_idle_hour_saves_up_no_more_than_a_burst(self, database: Database) -> None:
        self.take(database, 1000.0)
        assert [self.take(database, 4600.0) == 0.0 for _ in range(5)] == [True, True, True, False, False]

    def test_a_pause_holds_for_everybody_and_a_longer_one_stays(self, database: Database) -> None:
        with database.transaction() as connection:
            self.allowance(1000.0).pause(connection, 10)
            self.allowance(1000.0).pause(connection, 2)
        assert self.take(database, 1001.0) == pytest.approx(9.0)
        assert self.take(database, 1010.5) == 0.0

    def test_workers_side_by_side_share_it(self, database: Database) -> None:
        """Pitfall: parallel fetch reverted after rate limits; two workers, limit kept."""
        self.take(database, 1000.0)
        with ThreadPoolExecutor(6) as pool:
            waits = list(pool.map(lambda _i: self.take(database, 1001.0), range(12)))
        assert waits.count(0.0) == 3

    def test_the_clock_of_the_database_itself_is_a_number(self, database: Database) -> None:
        with database.transaction() as connection:
            assert Allowance("p", 1.0, 1.0, database.dialect.epoch).take(connection) == 0.0
            assert 0 < Allowance("p", 1.0, 1.0, database.dialect.epoch).take(connection) <= 1.0
