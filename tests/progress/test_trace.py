"""Traces: what is written can be published, is read back, and plays the same to the byte."""

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from glassfolio.batch.pipeline import NAMES
from glassfolio.db.engine import Database
from glassfolio.model.market import FailureKind
from glassfolio.model.run import Mark, Spread, Trail
from glassfolio.progress.trace import Trace, read, replay, write
from glassfolio.sessions import Sessions
from glassfolio.store import rows, trail
from tests.batch.workshop import Workshop, lot

UNITS = tuple(name.unit for name in NAMES)
SPREAD = Spread((0.8,) * 10, (1.3,) * 10, 4)


def trace_of(workshop: Workshop, run_id: str) -> Trace:
    """The trace of an ended run, from its rows."""
    with workshop.database.reading() as connection:
        run = rows.get(connection, run_id)
        assert run is not None
        return Trace("real", UNITS, run.spread, trail.of(connection, run_id, run.attempt))


@pytest.fixture
def workshop(database: Database, calendar: Sessions) -> Workshop:
    return Workshop(database, calendar)


class TestReal:
    """On both databases, from runs as they are."""

    def test_a_replay_tells_what_the_run_told(self, workshop: Workshop) -> None:
        """The estimates of a replay are those of production, at every commit, with and without history."""
        for symbols in (("AAPL", "KO"), ("MSFT", "XOM", "CVX"), ("PG", "PFE")):
            lots = [lot(name, i) for i, name in enumerate(symbols)]
            run_id = workshop.open(*lots)[1]
            assert workshop.carry(run_id)["status"] == "completed"
            recorded = trace_of(workshop, run_id)
            played = replay(read(write(recorded, NAMES)))
            assert len(played) == len(recorded.steps) > 15
            for told, again in zip(recorded.steps, played, strict=True):
                assert (again.percent is None) == (told.percent is None)
                if told.percent is not None:
                    assert again.percent == pytest.approx(told.percent, abs=0.02)
                assert (again.remaining is None) == (told.remaining is None)
                if told.remaining is not None:
                    assert again.remaining == pytest.approx(told.remaining, abs=0.02)
        assert recorded.has_history
        assert recorded.spread is not None
        assert recorded.spread.runs == 2

    def test_a_trace_names_nobody(self, workshop: Workshop) -> None:
        """No names, prices or ids: a trace can be published."""
        workshop.provider.failing = {"ZZZQ": FailureKind.NOT_FOUND}
        run_id = workshop.open(lot("AAPL"), lot("ZZZQ", 1, quantity=1))[1]
        workshop.carry(run_id)
        text = write(trace_of(workshop, run_id), NAMES)
        words = set(re.findall(r"[A-Za-z_]{2,}", text))
        assert words <= {
            *("event", "trace", "name", "real", "units", "symbols", "dates", "spread", "null"),
            *("published", "percent", "remaining", "eta", "low", "high", "phase"),
            *("cached", "failed", "free", "runs", "at_once", "seconds", "fixed", "pace"),
            *(mark.value for mark in Mark),
        }
        assert [line["failed"] for line in map(json.loads, text.splitlines()) if line["event"] == "unit"]

    def test_a_run_that_ended_well_teaches_and_another_one_does_not(self, workshop: Workshop) -> None:
        """Failed and cancelled runs never teach."""
        workshop.provider.failing = {"*": FailureKind.NETWORK}
        workshop.carry(workshop.open(lot("AAPL"))[1])
        with workshop.database.reading() as connection:
            assert trail.experiences(connection, "here") == []
        workshop.provider.failing = {}
        run_id = workshop.open(lot("AAPL"))[1]
        doc = workshop.carry(run_id)
        with workshop.database.reading() as connection:
            [(provider, taught)] = trail.experiences(connection, "here")
            assert trail.experiences(connection, "elsewhere") == []
        assert provider == workshop.provider.name
        assert taught.lessons.keys() == {name.key for name in NAMES}
        assert taught.lessons["snapshots"].units == 70
        assert doc["honesty"]["m3"] == 0
        assert doc["overall_progress"]["percent_basis"] == "plan"
        again = workshop.carry(workshop.open(lot("MSFT"))[1])
        assert again["overall_progress"]["percent_basis"] == "plan+history"

    def test_a_run_of_stored_things_alone_teaches_nothing(self, workshop: Workshop) -> None:
        item, run_id = workshop.open(lot("AAPL"))
        workshop.carry(run_id)
        assert workshop.carry(workshop.again(item))["conclusion"] == "success"
        with workshop.database.reading() as connection:
            assert len(trail.experiences(connection, "here")) == 1


STEPS = (
    Trail(Mark.PLAN, 0.0, "market_data", units=4, cached=1, failed=0, seconds=1.0, runs=3, percent=0.0),
    Trail(Mark.UNIT, 1.25, "market_data", units=1, failed=0, percent=25.0, eta=3.0, low=2.0, high=4.0),
    Trail(Mark.WAIT_START, 2.0, seconds=5.0, percent=25.0),
    Trail(Mark.WAIT_END, 7.0),
    Trail(Mark.UNIT, 7.5, "market_data", units=2, failed=1, percent=80.0),
    Trail(Mark.PHASE_END, 8.0, "market_data"),
    Trail(Mark.END, 8.0),
)


def test_what_is_written_is_read_back() -> None:
    made = Trace("made", UNITS, SPREAD, STEPS)
    again = read(write(made, NAMES))
    assert again.steps == tuple(replace(step, phase="1" if step.phase else None) for step in made.steps)
    assert (again.name, again.units, again.spread) == ("made", UNITS, SPREAD)
    assert again.total == 8.0
    assert again.has_history
    assert read(write(Trace("made", UNITS, None, STEPS[1:]), NAMES)).spread is None


def test_the_same_trace_gives_the_same_answer_to_the_byte() -> None:
    text = write(Trace("made", UNITS, SPREAD, STEPS), NAMES)
    first, second = (repr(replay(read(text))) for _ in range(2))
    assert first == second


def test_a_wait_is_neither_work_of_the_phase_nor_lost() -> None:
    """(1.25 + 0.75 + 0.5) s for three units; the wait counts as time of the run alone."""
    played = replay(read(write(Trace("made", ("symbols",), SPREAD, STEPS), NAMES)))
    wait, after = played[2], played[4]
    assert wait.percent == played[1].percent
    assert wait.eta is not None
    assert wait.eta > 5
    assert after.percent is not None
    assert after.percent > 60
    assert timedelta(seconds=played[-1].t) == timedelta(seconds=8)
