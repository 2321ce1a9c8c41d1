"""Named waits: what the provider asks for is waited for, said, and can be cancelled."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from glassfolio.batch.pipeline import WORK_THREADS
from glassfolio.db.engine import Database
from glassfolio.model.market import Failure, FailureKind
from glassfolio.model.run import Mark
from glassfolio.providers.base import Fetched
from glassfolio.providers.waits import Waits
from glassfolio.sessions import Sessions
from glassfolio.store import rows, trail
from tests.batch.workshop import Scripted, Workshop, lot
from tests.contracts.plain_client import PlainClient

PATIENCE = 20.0


class TickingClock:
    """The time of day of a test, at the usual pace."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def now(self) -> datetime:
        return datetime(2022, 12, 29, 12, 0, tzinfo=UTC) + timedelta(seconds=time.monotonic() - self.began)


class Reluctant(Scripted):
    """Refuses KO for its rate, so many times, and says how long it wants to be left alone."""

    def __init__(self, calendar: Sessions) -> None:
        super().__init__(calendar)
        # As a distant provider has it: a rate, and answers that take a while.
        self.terms = replace(self.terms, requests_per_second=1000.0)
        self.wait, self.times = 0.0, 0
        self.refused = 0

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Fetched:
        slow = [s for s in symbols if s == "KO" and self.refused < self.times]
        self.refused += len(slow)
        good = super().fetch([s for s in symbols if s not in slow], start, end)
        failures = tuple(Failure(s, FailureKind.RATE_LIMITED, self.wait) for s in slow)
        return Fetched(good.bars, (*good.failures, *failures), good.quarantined)


class LiveWorkshop(Workshop):
    """A workshop whose clock runs by itself, and whose provider is reluctant."""

    def __post_init__(self) -> None:
        self.clock = TickingClock()  # type: ignore[assignment]
        super().__post_init__()

    def make_provider(self) -> Reluctant:
        self.reluctant = Reluctant(self.calendar)
        return self.reluctant

    def refuse(self, wait: float, times: int) -> None:
        """Make the provider refuse, from the next request on."""
        self.reluctant.wait, self.reluctant.times = wait, times


@pytest.fixture
def workshop(database: Database, calendar: Sessions) -> Iterator[LiveWorkshop]:
    made = LiveWorkshop(database, calendar)
    yield made
    made.pipeline.close()


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


class TestThePipeline:
    def test_a_wait_is_said_with_its_end_and_the_run_goes_on(self, workshop: LiveWorkshop) -> None:
        """What for, until what clock time; the percent stays, and nothing is missing at the end."""
        workshop.refuse(1.5, 1)
        run_id = workshop.open(lot("AAPL"), lot("KO", 1))[1]
        carrying = threading.Thread(target=workshop.pipeline.carry, args=(run_id, 0))
        plain, seen = PlainClient(), []
        carrying.start()
        while carrying.is_alive():
            doc = workshop.document(run_id)
            seen.append(doc)
            plain.read(doc)
            time.sleep(0.02)
        carrying.join()
        waiting = [doc for doc in seen if doc["state"] == "waiting"]
        assert waiting
        told = waiting[0]["phases"][0]["waiting"]
        assert told["for"] == "provider"
        assert waiting[0]["updated_at"] < told["until"]
        assert waiting[0]["status"] == "running"
        assert waiting[0]["eta"] is None or waiting[0]["eta"]["basis"] == "provider_wait"
        done = workshop.document(run_id)
        assert (done["status"], done["conclusion"], done["symbols"]) == ("completed", "success", [])
        [said] = workshop.messages(run_id, "PROVIDER_WAIT")
        assert said == f"The price source asks us to wait until {told['until'][11:19]} UTC."
        codes = workshop.codes(run_id)
        assert codes.index("PROVIDER_WAIT") < codes.index("PROVIDER_RESUMED")
        assert codes.count("PROVIDER_RESUMED") == 1

    def test_the_wait_is_kept_apart_from_the_work_of_the_phase(self, workshop: LiveWorkshop) -> None:
        """Provider waits are not spread over units: they do not teach that a unit is slow."""
        workshop.refuse(1.5, 1)
        run_id = workshop.open(lot("AAPL"), lot("KO", 1))[1]
        workshop.pipeline.carry(run_id, 0)
        with workshop.database.reading() as connection:
            run = rows.get(connection, run_id)
            [(_provider, taught)] = trail.experiences(connection, "here")
            steps = trail.of(connection, run_id, 1)
        assert run is not None
        marks = [step.mark for step in steps]
        assert marks.index(Mark.WAIT_START) < marks.index(Mark.WAIT_END)
        start, end = (next(s.t for s in steps if s.mark is m) for m in (Mark.WAIT_START, Mark.WAIT_END))
        assert 0.9 < end - start <= 1.5
        assert taught.lessons["market_data"].seconds <= run.worked_seconds - (end - start)

    def test_a_cancel_ends_a_wait_of_an_hour_at_once(self, workshop: LiveWorkshop) -> None:
        workshop.refuse(3000.0, 9)
        run_id = workshop.open(lot("AAPL"), lot("KO", 1))[1]
        carrying = threading.Thread(target=workshop.pipeline.carry, args=(run_id, 0))
        carrying.start()
        wait_for(lambda: bool(workshop.document(run_id)["state"] == "waiting"))
        assert workshop.document(run_id)["poll_after_ms"] == 10_000
        with workshop.database.transaction() as connection:
            run = rows.get(connection, run_id)
            assert run is not None
            workshop.starter.cancel(connection, run)
        assert workshop.document(run_id)["state"] == "cancelling"
        carrying.join(PATIENCE)
        assert not carrying.is_alive()
        doc = workshop.document(run_id)
        assert (doc["conclusion"], doc["phases"][0]["outcome"]) == ("cancelled", "cancelled")

    def test_a_process_that_takes_leave_does_not_sit_out_a_wait(self, workshop: LiveWorkshop) -> None:
        workshop.refuse(3000.0, 9)
        run_id = workshop.open(lot("AAPL"), lot("KO", 1))[1]
        carrying = threading.Thread(target=workshop.pipeline.carry, args=(run_id, 0))
        carrying.start()
        wait_for(lambda: bool(workshop.document(run_id)["state"] == "waiting"))
        workshop.pipeline.close()
        carrying.join(PATIENCE)
        assert not carrying.is_alive()
        assert workshop.document(run_id)["status"] == "running"

    def test_runs_that_wait_hold_up_no_other(self, workshop: LiveWorkshop) -> None:
        """B2: more runs wait than there are threads to compute with, and another one completes."""
        workshop.refuse(3000.0, 99)
        waiting = [workshop.open(lot("KO"))[1] for _ in range(WORK_THREADS + 1)]
        carrying = [threading.Thread(target=workshop.pipeline.carry, args=(run, 0)) for run in waiting]
        for thread in carrying:
            thread.start()
        wait_for(lambda: {workshop.document(run)["state"] for run in waiting} == {"waiting"})
        assert workshop.carry(workshop.open(lot("AAPL"))[1])["status"] == "completed"
        workshop.pipeline.close()
        for thread in carrying:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in carrying)

    def test_a_wait_longer_than_an_hour_is_not_waited_for(self, workshop: LiveWorkshop) -> None:
        """The symbol is named with the moment at which asking again may help."""
        workshop.refuse(4000.0, 9)
        run_id = workshop.open(lot("AAPL", quantity=100), lot("KO", 1, quantity=1))[1]
        doc = workshop.carry(run_id)
        assert doc["conclusion"] == "success_with_warnings"
        [symbol] = doc["symbols"]
        assert (symbol["symbol"], symbol["outcome"]) == ("KO", "rate_limited")
        assert symbol["retry_at"] > doc["finished_at"]
        assert doc["links"]["retry_failed"] == symbol["action"]["href"]

    def test_a_run_that_gets_nothing_but_refusals_says_when_a_retry_may_help(
        self, workshop: LiveWorkshop
    ) -> None:
        """PROVIDER_RATE_LIMITED with retry_at where the provider named it, else without."""
        workshop.refuse(4000.0, 9)
        workshop.provider.failing = {"*": FailureKind.RATE_LIMITED}
        doc = workshop.carry(workshop.open(lot("KO"))[1])
        assert doc["failure"]["code"] == "PROVIDER_RATE_LIMITED"
        assert doc["failure"]["retry_at"] > doc["finished_at"]
        assert doc["failure"]["action"]["kind"] == "wait"


class TestWaits:
    def test_the_earliest_end_of_the_waits_of_one_key_is_told(self) -> None:
        waits, clock = Waits(clock := TickingClock()), clock
        done = threading.Event()

        def wait(seconds: float) -> None:
            with waits.working_for("a"):
                waits.sleep(seconds)
            done.set()

        threads = [threading.Thread(target=wait, args=(seconds,)) for seconds in (50.0, 30.0)]
        for thread in threads:
            thread.start()
        wait_for(lambda: waits.until("a") is not None and len(waits._until["a"]) == 2)
        until = waits.until("a")
        assert until is not None
        assert 20 < (until - clock.now()).total_seconds() <= 30
        assert waits.until("b") is None
        waits.let_go("a")
        for thread in threads:
            thread.join(PATIENCE)
        assert waits.until("a") is None
        assert waits.has_let_go("a")
        waits.forget("a")
        assert not waits.has_let_go("a")

    def test_a_sleep_for_nobody_is_a_sleep(self) -> None:
        waits = Waits(TickingClock())
        waits.sleep(0.01)
        assert waits.until("") is None
