"""The nightly catch-up (S13, S16d): when it is due, that it fires once, and makes up for missed nights."""

import threading
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from glassfolio.nightly import Nightly, due
from glassfolio.sessions import Sessions
from glassfolio.wiring import assemble
from tests.contracts.operating import ADMIN, AFTER_NEXT, NEXT, Hire, Office, hiring
from tests.contracts.running import HEADER, wait_for
from tests.fakes.tiingo import FakeTiingo

NEW_YORK = ZoneInfo("America/New_York")
EVENING = time(18, 30)
APPLE = HEADER + "AAPL,100,126.00,2021-03-15\n"


@pytest.fixture
def hire(fake: FakeTiingo, database_url: str, tmp_path: Path) -> Hire:
    return hiring(fake, database_url, tmp_path)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        # Winter: 18:30 in New York is 23:30 UTC; summer: 22:30 UTC.
        (datetime(2022, 12, 21, 23, 29, 59, tzinfo=UTC), date(2022, 12, 20)),
        (datetime(2022, 12, 21, 23, 30, tzinfo=UTC), date(2022, 12, 21)),
        (datetime(2022, 7, 6, 22, 29, 59, tzinfo=UTC), date(2022, 7, 5)),
        (datetime(2022, 7, 6, 22, 30, tzinfo=UTC), date(2022, 7, 6)),
        # The days around the change of the clocks, on the night of Sunday.
        (datetime(2022, 3, 11, 23, 29, 59, tzinfo=UTC), date(2022, 3, 10)),
        (datetime(2022, 3, 14, 22, 30, tzinfo=UTC), date(2022, 3, 14)),
        (datetime(2022, 11, 4, 22, 30, tzinfo=UTC), date(2022, 11, 4)),
        (datetime(2022, 11, 7, 23, 29, 59, tzinfo=UTC), date(2022, 11, 4)),
        # After midnight in UTC it is still that evening; weekends and holidays have no night.
        (datetime(2022, 12, 22, 3, 0, tzinfo=UTC), date(2022, 12, 21)),
        (datetime(2022, 12, 25, 12, 0, tzinfo=UTC), date(2022, 12, 23)),
        (datetime(2022, 12, 26, 23, 59, tzinfo=UTC), date(2022, 12, 23)),
        # A half day keeps the hour.
        (datetime(2022, 11, 25, 23, 29, 59, tzinfo=UTC), date(2022, 11, 23)),
        (datetime(2022, 11, 25, 23, 30, tzinfo=UTC), date(2022, 11, 25)),
    ],
)
def test_it_is_due_on_evenings_of_sessions(calendar: Sessions, now: datetime, expected: date) -> None:
    assert due(calendar, EVENING, NEW_YORK, now) == expected


def nightly_of(office: Office) -> Nightly:
    parts = office.service.parts
    return Nightly(parts.batches, parts.clock, EVENING, NEW_YORK)


def nights(office: Office) -> list[str]:
    """What started batches noted: by whom."""
    return [who for who, act, _thing in office.acts() if act == "start_batch"]


def test_it_fires_once_in_an_evening_and_not_before_there_are_prices(hire: Hire) -> None:
    with hire() as office:
        mine = office.onboarded("alice", APPLE)
        nightly = nightly_of(office)
        # In the morning last evening's is made up for: there is nothing to fill.
        assert nightly.look() is not None
        office.clock.move(timedelta(hours=9, minutes=30))  # 16:30 in New York: not the hour
        assert nightly.look() is None
        office.clock.move(timedelta(hours=2, minutes=30))
        fired = nightly.look()
        assert fired is not None
        assert nightly.look() is None
        office.move(days=0)
        office.finished({"batch_id": fired.batch_id})
        assert office.days(mine)[-1] == NEXT
        listed = office.boss.get(ADMIN, params={"trigger": "schedule"}).json()["runs"]
        assert [(item["kind"], item["triggered_by"]) for item in listed] == [("nightly", "schedule")]
        assert nights(office) == ["schedule"] * 2


def test_missed_nights_are_made_up_for_by_one(hire: Hire) -> None:
    with hire() as office:
        mine = office.onboarded("alice", APPLE)
        nightly = nightly_of(office)
        assert nightly.look() is not None
        office.move(days=3)  # Sunday
        fired = nightly.look()
        assert fired is not None
        assert nightly.look() is None
        office.finished({"batch_id": fired.batch_id})
        assert office.days(mine)[-2:] == [NEXT, AFTER_NEXT]


def test_two_processes_fire_one(hire: Hire) -> None:
    with hire(worker=False) as office:
        other = assemble(office.service.parts.settings, office.clock)
        both = [nightly_of(office), Nightly(other.batches, office.clock, EVENING, NEW_YORK)]
        start, fired = threading.Barrier(2), []

        def look(nightly: Nightly) -> None:
            start.wait()
            fired.append(nightly.look())

        threads = [threading.Thread(target=look, args=(one,)) for one in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        other.close()
        assert sum(one is not None for one in fired) == 1
        assert nights(office) == ["schedule"]


def test_a_worker_looks_by_itself(hire: Hire) -> None:
    with hire(nightly="18:30 America/New_York") as office:
        wait_for(lambda: nights(office) == ["schedule"])
