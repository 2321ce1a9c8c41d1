"""Limits counted from rows hold however many requests come at once, and whichever clock they read."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from glassfolio.clock import Clock
from glassfolio.errors import Refused, TooManyRequests
from glassfolio.model.run import Trigger
from glassfolio.onboarding import Caller, Onboarding, Once, Upload
from glassfolio.store import portfolios
from glassfolio.store.idempotency import Answer
from glassfolio.store.recent import Quota
from glassfolio.wiring import Parts, assemble
from tests.contracts.running import ONE_LOT, ShiftedClock, form, make_settings
from tests.security.wall import START

MOST, AT_ONCE = 3, 12
AN_HOUR = (Quota("hour", MOST, 3600),)


class Readings:
    """A clock that reads what it is set to."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def parts(database_url: str, tmp_path: Path) -> Iterator[Parts]:
    # Far from the end of an hour: what is counted by whole hours is counted in one.
    made = assemble(make_settings(tmp_path, database_url), ShiftedClock(START))
    yield made
    made.close()


@pytest.fixture
def caller(parts: Parts) -> Caller:
    with parts.database.transaction() as connection:
        user_id = portfolios.user_id(connection, f"user-{uuid4().hex}", parts.clock.now())
    return Caller(user_id, Trigger.USER)


def limited(parts: Parts, clock: Clock) -> Onboarding:
    """Three uploads an hour, and three retries."""
    return replace(parts.onboarding, clock=clock, upload_quotas=AN_HOUR, rerun_quotas=AN_HOUR)


def store(onboarding: Onboarding, caller: Caller) -> None:
    onboarding.open(caller, Upload("holdings.csv", ONE_LOT.encode()), form(), start=False)


def cancelled_runs(parts: Parts, caller: Caller, count: int) -> list[str]:
    onboarding, made = replace(parts.onboarding, upload_quotas=(), rerun_quotas=()), []
    for _ in range(count):
        opened = onboarding.open(caller, Upload("holdings.csv", ONE_LOT.encode()), form())
        assert opened.run_id is not None
        onboarding.cancel(caller, opened.run_id)
        made.append(opened.run_id)
    return made


def admitted(actions: Sequence[Callable[[], object]]) -> int:
    """How many of them are not refused when all begin at the same time."""
    together = threading.Barrier(len(actions))

    def one(action: Callable[[], object]) -> bool:
        together.wait()
        try:
            action()
        except TooManyRequests:
            return False
        return True

    with ThreadPoolExecutor(len(actions)) as pool:
        return sum(pool.map(one, actions))


def test_retries_at_the_same_time_are_counted_one_by_one(parts: Parts, caller: Caller) -> None:
    """Was: those that waited for their turn had read the clock before, and saw nothing of what was begun."""
    onboarding = limited(parts, parts.clock)
    runs = cancelled_runs(parts, caller, AT_ONCE)
    assert admitted([partial(retry, onboarding, caller, run_id) for run_id in runs]) == MOST


def retry(onboarding: Onboarding, caller: Caller, run_id: str) -> None:
    def refuse(refused: Refused) -> Answer:
        raise refused

    onboarding.retry(caller, run_id, Once(lambda _started: Answer(202, {}, b""), refuse))


def test_uploads_at_the_same_time_are_counted_one_by_one(parts: Parts, caller: Caller) -> None:
    onboarding = limited(parts, parts.clock)
    assert admitted([partial(store, onboarding, caller)] * AT_ONCE) == MOST


def test_uploads_and_retries_count_for_whoever_reads_a_clock_that_is_behind(
    parts: Parts, caller: Caller
) -> None:
    clock = Readings(parts.clock.now())
    onboarding = limited(parts, clock)
    runs = cancelled_runs(parts, caller, 1)
    for step in range(MOST - 1):
        clock.moment -= timedelta(milliseconds=step)
        store(onboarding, caller)
    clock.moment -= timedelta(seconds=1)
    with pytest.raises(TooManyRequests):
        store(onboarding, caller)
    for _ in range(MOST):
        retry(onboarding, caller, runs[0])
        onboarding.cancel(caller, runs[0])
    clock.moment = START
    with pytest.raises(TooManyRequests):
        retry(onboarding, caller, runs[0])


def test_what_lies_in_a_later_hour_counts_for_nobody(parts: Parts, caller: Caller) -> None:
    """A clock that is set back locks nobody out."""
    clock = Readings(parts.clock.now())
    onboarding = limited(parts, clock)
    for _ in range(MOST):
        store(onboarding, caller)
    clock.moment -= timedelta(hours=1)
    store(onboarding, caller)
