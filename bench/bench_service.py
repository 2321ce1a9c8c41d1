"""Onboarding inside a running service on SQLite: one, ten at once, and a reader beside them."""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure
from bench.service import Poller, Service, open_portfolio, running, wait

TITLE = "Onboarding 30 lots over 254 sessions, prices stored, everything durable (SQLite)"
ROUNDS = 7
AT_ONCE = 10
COMMITS = 12
BYTES_PER_COMMIT = 20_000
REST_SECONDS = 3


def figures() -> Iterator[Figure]:
    """Figures of one service, on a fresh database whose prices were stored by a first onboarding."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as service:
        with service.client("warm") as client:
            wait(client, open_portfolio(client, "warm"))
        floor = [bare_commits(Path(folder)) for _ in range(ROUNDS)]
        peer = (f"{COMMITS} bare SQLite commits", floor)
        yield Figure(
            "one onboarding, betas and metrics anew", "s", one(service, "anew", fresh=True), 1.0, peer
        )
        yield Figure(
            "one onboarding, betas and metrics stored", "s", one(service, "kept", fresh=False), 1.0, peer
        )
        alone = one(service, "alone", fresh=True)
        for owners in (1, AT_ONCE):
            times, reads, beside = at_once(service, owners)
            who = "one owner" if owners == 1 else f"{owners} owners"
            yield Figure(f"{AT_ONCE} at once, {who}", "s", times, 4.0, ("one alone", alone))
            yield Figure(f"status read meanwhile, {who}", "ms", reads, 2.0, ("GET /healthz", beside))
        yield Figure("status read at rest", "ms", *at_rest(service))
        yield Figure("peak memory of the service", "MiB", [service.peak_mib()], 300)


def one(service: Service, name: str, *, fresh: bool) -> list[float]:
    """Seconds from the upload to the completed status, one after the other."""
    times = []
    with service.client(name) as client:
        for number in range(ROUNDS):
            if fresh:
                forget(service)
            began = time.perf_counter()
            wait(client, open_portfolio(client, f"{name} {number}"), every=0.005)
            times.append(time.perf_counter() - began)
    return times


def at_once(service: Service, owners: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds until all of ten are completed, and ms of reads of one's status and of a static answer."""
    times: list[float] = []
    reads: list[float] = []
    beside: list[float] = []
    for number in range(4):
        forget(service)
        clients = [service.client(f"{owners}-{number}-{k % owners}") for k in range(AT_ONCE)]
        began = time.perf_counter()
        opened = [open_portfolio(client, f"{number}-{k}") for k, client in enumerate(clients)]
        # One address in odd rounds, the other in even ones: the two readers must not hold each other up.
        path = f"/api/v1/onboarding/status/{opened[0]}" if number % 2 == 0 else "/healthz"
        with Poller(service, f"{owners}-{number}-0", path) as poller:
            for client, portfolio in zip(clients, opened, strict=True):
                wait(client, portfolio, every=0.25)
            times.append(time.perf_counter() - began)
        (reads if number % 2 == 0 else beside).extend(poller.milliseconds)
    return times, reads, beside


def at_rest(service: Service) -> tuple[list[float], float, tuple[str, list[float]]]:
    """Reads while nothing runs: (status, target, static peer)."""
    with service.client("rest") as client:
        portfolio = open_portfolio(client, "rest")
        wait(client, portfolio)
    readers = [
        Poller(service, "rest", path) for path in (f"/api/v1/onboarding/status/{portfolio}", "/healthz")
    ]
    for reader in readers:
        with reader:
            time.sleep(REST_SECONDS)
    return readers[0].milliseconds, 2.0, ("GET /healthz", readers[1].milliseconds)


def forget(service: Service) -> None:
    """Drop betas and metrics, so that the next run computes them; prices stay."""
    with sqlite3.connect(service.folder / "glassfolio.db", timeout=30) as connection:
        connection.execute("DELETE FROM exposure")
        connection.execute("DELETE FROM metric")
    connection.close()


def bare_commits(folder: Path) -> float:
    """Seconds of as many commits as an onboarding makes, of as many bytes, without any of its work."""
    path = folder / "bare.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS t (b BLOB)")
    began = time.perf_counter()
    for _ in range(COMMITS):
        connection.execute("INSERT INTO t VALUES (?)", (bytes(BYTES_PER_COMMIT),))
    took = time.perf_counter() - began
    connection.close()
    path.unlink()
    return took
