"""Real processes, kill -9, on both databases: nothing is lost and nothing is doubled (B1, S6, S14, S15)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from glassfolio.sessions import Sessions
from tests.crash.checks import violations
from tests.crash.nursery import Nursery
from tests.crash.prices import Market
from tests.crash.scene import Scene, symbols
from tests.crash.worker import Orders
from tests.databases import Postgres, make_sqlite

LEASE = 1.0


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    started = Nursery()
    yield started
    started.close()


@pytest.mark.parametrize("moment", ["before", "inside", "after"])
def test_smoke(nursery: Nursery, calendar: Sessions, database_url: str, tmp_path: Path, moment: str) -> None:
    with Market(calendar, 0.05) as prices:
        orders = Orders(str(tmp_path / "scene"), database_url, prices.url, LEASE, (f"*:{moment}",))
        with Scene(nursery, orders, prices) as scene:
            scene.open(symbols(6, "A"))
            scene.finish()
            print(scene.marks, scene.deaths, scene.watcher.looks)
            assert violations(scene) == []
