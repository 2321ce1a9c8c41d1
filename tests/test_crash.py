"""Real processes, kill -9, on both databases: nothing is lost, nothing is doubled, nothing shown goes back.

Proves B1 (durable), S6 (the percent never goes down), S14 (a retry is running from its first look on) and
S15 (whatever dies, a run ends with a reason).
"""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from glassfolio.clock import SystemClock
from glassfolio.model.run import Conclusion, FailureCode
from glassfolio.sessions import Sessions
from tests.contracts.running import form, make_settings, running
from tests.crash import sender
from tests.crash.checks import phases_of, run_of, unexplained_deaths, violations
from tests.crash.nursery import ROOT, Nursery, environment
from tests.crash.prices import Market
from tests.crash.scene import Scene, bought, holdings, symbols
from tests.crash.service import Service
from tests.crash.worker import Orders

LEASE = 1.0
# One chunk is up to three symbols or 64 dates: what a run of six symbols and 254 dates goes through.
ENTERED = [f"enter:{position}" for position in range(5)]
SETTLED = ["settle:0:0", "settle:0:1", "settle:1:0", "settle:2:0", *(f"settle:3:{n}" for n in range(4))]
EVERY_POINT = ["claim", *ENTERED, *SETTLED]
SEED = 20
MOST_KILLS = 15
WIRE_IDS = ["phase_1", "phase_1_5", "phase_1_75", "phase_2_6"]


@dataclass(frozen=True)
class Stage:
    """Where scenes are played: on databases of one kind, with workers from one nursery."""

    nursery: Nursery
    calendar: Sessions
    new_database: Callable[[], str]
    folder: Path
    kind: str
    count: Callable[[int], None]
    leaving: ExitStack

    def scene(
        self,
        *patterns: str,
        how: str = "kill",
        repeat: bool = False,
        pipeline: str = "sound",
        delay: float = 0.05,
        workers: int = 2,
    ) -> Scene:
        """A scene that is cleared away when the test ends."""
        prices = self.leaving.enter_context(Market(self.calendar, delay))
        url = self.new_database()
        folder = self.folder / f"scene-{len(list(self.folder.glob('scene-*')))}"
        orders = Orders(str(folder), url, prices.url, LEASE, patterns, how, repeat, pipeline)
        scene = Scene(self.nursery, orders, prices, workers=workers)
        self.leaving.callback(lambda: self.count(scene.deaths))
        return self.leaving.enter_context(scene)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    started = Nursery()
    yield started
    started.close()


@pytest.fixture(scope="module")
def count(request: pytest.FixtureRequest) -> Iterator[Callable[[int], None]]:
    """Adds up the kills of all scenes, and tells the number at the end."""
    kills: list[int] = []
    yield kills.append
    plugins = request.config.pluginmanager
    reporter, capturing = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")
    if reporter is not None and capturing is not None:
        with capturing.global_and_fixture_disabled():
            reporter.write_line(f"\n{sum(kills)} processes were killed with SIGKILL.")


@pytest.fixture
def stage(
    nursery: Nursery,
    calendar: Sessions,
    new_database: Callable[[], str],
    database_kind: str,
    tmp_path: Path,
    count: Callable[[int], None],
) -> Iterator[Stage]:
    with ExitStack() as leaving:
        yield Stage(nursery, calendar, new_database, tmp_path, database_kind, count, leaving)


def at_once(*actions: Callable[[], None]) -> None:
    """Do all of them side by side; raises what the first of them raised."""
    with ThreadPoolExecutor(len(actions)) as pool:
        for future in [pool.submit(action) for action in actions]:
            future.result()


def test_a_death_at_every_boundary_of_every_transaction_loses_and_doubles_nothing(stage: Stage) -> None:
    """B1: before, inside and right after each transaction of a run, the claim included."""
    moments = ("before", "inside", "after")
    scenes = [stage.scene(f"*:{moment}") for moment in moments]
    for scene in scenes:
        scene.open(symbols(6, "A"))
    at_once(*(scene.finish for scene in scenes))
    for scene, moment in zip(scenes, moments, strict=True):
        assert violations(scene) == []
        assert scene.marks == sorted(f"{point}:{moment}" for point in EVERY_POINT)
        assert scene.deaths == len(EVERY_POINT)
        assert scene.watcher.looks > 50


def test_deaths_at_random_moments_of_several_runs_at_once_lose_and_double_nothing(stage: Stage) -> None:
    """B1, S6: three workers carry four runs from a slow provider, and die at any instant."""
    scene, random, over = stage.scene(delay=0.25, workers=3), Random(SEED), threading.Event()
    for prefix, size in (("A", 3), ("B", 9), ("C", 18), ("D", 24)):
        scene.open(symbols(size, prefix))

    def kill() -> None:
        while scene.kills < MOST_KILLS and not over.wait(random.uniform(0.1, 0.7)):
            scene.kill_one(random)

    def finish() -> None:
        try:
            scene.finish()
        finally:
            over.set()

    at_once(kill, finish)
    assert violations(scene) == []
    assert scene.kills >= 5, "too few to mean anything"


def test_a_zombie_that_wakes_up_after_its_run_was_taken_over_doubles_nothing(stage: Stage) -> None:
    """B1: a worker is stopped for longer than its lease, another one goes on, then the first one wakes."""
    before, inside, after = (
        stage.scene(f"settle:0:1:{moment}", how="stop") for moment in ("before", "inside", "after")
    )

    def play(scene: Scene) -> None:
        scene.open(symbols(6, "A"))
        scene.wait_for_mark("settle:0:1")
        scene.pass_time(LEASE * 2.5)
        if scene is not inside:
            # The one inside holds the lock of a row or a file, and goes on itself: nobody can take over.
            scene.wait_until_taken_over()
        scene.resume()
        scene.finish()

    at_once(*(partial(play, scene) for scene in (before, inside, after)))
    for scene in (before, inside, after):
        assert violations(scene) == []


def test_a_stopped_worker_that_holds_the_lock_of_one_run_holds_up_no_other(stage: Stage) -> None:
    """B2: on PostgreSQL, where the lock is that of a row, the others are taken over meanwhile."""
    if stage.kind == "sqlite":
        pytest.skip("SQLite has one write lock for all: who holds it is waited for")
    scene = stage.scene("settle:0:2:inside", how="stop", delay=0.2, workers=1)
    others = [scene.open(symbols(6, prefix)) for prefix in "ABCD"]
    scene.open(symbols(9, "E"))
    scene.wait_for_mark("settle:0:2")
    scene.employ(2)
    scene.wait_until_ended(*others)
    scene.resume()
    scene.finish()
    assert violations(scene) == []


def test_a_zombie_of_an_attempt_that_was_cancelled_and_retried_changes_nothing(stage: Stage) -> None:
    """B1, S14: the retry shows running from the first look on, and the earlier attempt's worker is fenced.

    It wakes while the retry is at work, or after that. Chunks are committed as they arrive, and whoever takes
    a cancelled run over may commit one more: the second one is held, so that the retry has some to do.
    """
    early, late = (stage.scene("settle:0:0:before", how="stop", workers=1) for _ in range(2))

    def play(scene: Scene) -> None:
        names = symbols(6, "A")
        scene.prices.hold(*names[3:])
        scene.open(names)
        scene.wait_for_mark("settle:0:0")
        scene.cancel()
        scene.employ(2)
        scene.wait_until_ended()
        scene.prices.release()
        scene.retry()
        if scene is early:
            scene.resume()
        scene.finish()
        scene.resume()
        scene.pass_time(LEASE)

    at_once(partial(play, early), partial(play, late))
    for scene in (early, late):
        run = run_of(scene)
        assert (run.attempt, run.conclusion) == (2, "success")
        assert violations(scene) == []


def test_a_run_that_is_cancelled_while_its_worker_dies_ends_as_cancelled(stage: Stage) -> None:
    """S15: whoever finds it ends it, its phase with it, and nobody takes it up again."""
    scene = stage.scene("settle:0:1:before", workers=1)
    # Nobody is there to take the run over before it is cancelled.
    scene.employ(0)
    scene.open(symbols(6, "A"))
    scene.wait_for_mark("settle:0:1")
    scene.cancel()
    scene.employ(2)
    scene.finish()
    run = run_of(scene)
    assert (run.state, run.conclusion, run.failure_code) == (
        "ended",
        Conclusion.CANCELLED,
        FailureCode.CANCELLED_BY_OWNER,
    )
    assert phases_of(scene) == ["failed", "pending", "pending", "pending"]
    assert unexplained_deaths(scene) == scene.watcher.wrong == []


def test_a_run_that_is_interrupted_again_and_again_without_progress_ends_with_that_reason(
    stage: Stage,
) -> None:
    """S15: the fourth take-over in a row without a committed unit is the last one."""
    scene = stage.scene("enter:0:before", repeat=True)
    scene.open(symbols(3, "A"))
    scene.finish()
    run = run_of(scene)
    assert (run.state, run.failure_code) == ("ended", FailureCode.INTERRUPTED_TOO_OFTEN)
    assert phases_of(scene) == ["failed", "pending", "pending", "pending"]
    assert scene.deaths == len(scene.marks) == 4
    assert unexplained_deaths(scene) == scene.watcher.wrong == []


def test_the_checks_see_what_two_transactions_in_place_of_one_would_do(stage: Stage) -> None:
    """The negative control: a death between rows and checkpoint doubles, between chunk and rows loses."""
    first, last = (stage.scene("settle:*:between", pipeline=name) for name in ("rows_first", "rows_last"))
    for scene in (first, last):
        scene.open(symbols(6, "A"))
    at_once(first.finish, last.finish)
    doubled, lost = violations(first), violations(last)
    assert any("was stored 2 times" in what for what in doubled)
    assert any("market_data counts 12 + 8 of 14" in what for what in doubled)
    assert any("snapshots of 254" in what for what in lost)
    assert any("market_data counts 0 + 8 of 14" in what for what in lost)


def test_the_service_is_killed_three_times_and_its_owner_sees_the_same_run_finish(
    new_database: Callable[[], str], calendar: Sessions, tmp_path: Path, count: Callable[[int], None]
) -> None:
    """B1, S1, S6: the whole process dies three times, also soon after it took up the work."""
    with (
        Market(calendar, 0.25) as prices,
        Service(tmp_path, new_database(), prices.url, LEASE) as service,
    ):
        today, names = SystemClock().now().date(), symbols(12, "A")
        # The run cannot be over before the third death.
        prices.hold(names[-1])
        portfolio_id = service.open(holdings(names, bought(calendar, today)))
        runs = set()
        for resumes, fetched in ((0, 3), (1, 6), (2, 9)):
            runs.add(service.watch(portfolio_id, partial(_has_come, resumes, fetched))["run_id"])
            service.kill()
            service.start()
        prices.release()
        last = service.watch(portfolio_id, lambda seen: False)
        entries = service.get(f"/runs/{last['run_id']}/log")["entries"]
    count(3)
    assert (last["status"], runs) == ("completed", {last["run_id"]})
    assert last["resumes"] == 3
    assert service.wrong == []
    told = [(entry["code"], entry["phase_id"]) for entry in entries]
    assert [phase for code, phase in told if code == "PHASE_STARTED"] == WIRE_IDS
    assert [phase for code, phase in told if code == "PHASE_COMPLETED"] == WIRE_IDS
    assert [code for code, _ in told if code == "RUN_COMPLETED"] == ["RUN_COMPLETED"]
    assert len({hit.symbol for hit in prices.asked}) == 12 + 8


def _has_come(resumes: int, fetched: int, seen: dict[str, Any]) -> bool:
    committed: int = seen["phases"][0]["current"]
    return committed >= fetched and seen["resumes"] == resumes


@pytest.mark.parametrize("moment", ["inside", "after"])
def test_an_upload_whose_process_died_is_done_once_when_it_is_repeated(
    database_url: str, tmp_path: Path, count: Callable[[int], None], moment: str
) -> None:
    """A key is there together with what was done for it: it blocks nothing, and nothing is done twice."""
    fields, key = form(), "one key"
    with running(make_settings(tmp_path, database_url), worker=False) as service:
        client = service.client()
        orders = sender.Orders(str(tmp_path), database_url, service.token(), key, fields, moment)
        command = [sys.executable, "-m", "tests.crash.sender", json.dumps(asdict(orders))]
        ended = subprocess.run(command, cwd=ROOT, env=environment(), check=False)
        assert ended.returncode == -signal.SIGKILL
        count(1)
        assert len(client.get("/api/v1/portfolios").json()) == (moment == "after")
        reply = sender.upload(client.post, key, fields)
        assert reply.status_code == 202
        assert reply.headers.get("idempotency-replayed") == ("true" if moment == "after" else None)
        [only] = client.get("/api/v1/portfolios").json()
        assert only["portfolio_id"] == reply.json()["portfolio_id"]
        [run] = client.get(f"/api/v1/portfolios/{only['portfolio_id']}/runs").json()
        assert run["run_id"] == reply.json()["run_id"]
