"""Thousands of owners at once: open event streams, and status reads beside a static answer."""

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from bench.figures import Figure
from bench.service import Service, open_portfolio, running, wait

TITLE = "Many owners at once (SQLite, one process, no worker inside)"
OWNERS = 5000
STREAMS_AT_STOP = 1000
SECONDS = 20.0
EVERY_SECONDS = 2.0
SLICES = 20


def figures() -> Iterator[Figure]:
    """Figures of one service on a database with 5,000 runs at work."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with running(path) as service, service.client("model") as client:
            wait(client, open_portfolio(client, "model"))
        owners = multiply(path / "glassfolio.db", OWNERS)
        with running(path, serve="--no-worker", status_rate="off") as service:
            yield from streams(service, owners)
        with running(path, serve="--no-worker", status_rate="off") as service:
            yield stopping(service, owners[:STREAMS_AT_STOP])


def multiply(database: Path, count: int) -> list[tuple[str, str]]:
    """Copies of the one portfolio and its run, taken for being at work; returns (subject, portfolio)."""
    owners = []
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.row_factory = sqlite3.Row
        rows = {
            table: dict(connection.execute(f"SELECT * FROM {table}").fetchone())
            for table in ("app_user", "portfolio", "run", "status_document")
        }
        # A worker that never stops beating, or the service would tell every owner that theirs is gone.
        connection.execute(
            "INSERT INTO worker VALUES ('bench', ?, 'flow-1', '2022-01-01')", (time.time() * 2,)
        )
        for number in range(count):
            user, portfolio, run = (str(uuid4()) for _ in range(3))
            subject = f"owner-{number}"
            own: dict[str, dict[str, object]] = {
                "app_user": {"id": user, "subject": subject},
                "portfolio": {"id": portfolio, "owner_id": user, "shown_run": run},
                "run": {
                    "id": run,
                    "portfolio_id": portfolio,
                    "owner_id": user,
                    "state": "running",
                    "conclusion": None,
                    "ended_at": None,
                    "worker": "bench",
                },
                "status_document": {"run_id": run},
            }
            for table, changes in own.items():
                row = rows[table] | changes
                columns, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
                connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(row.values()))
            owners.append((subject, portfolio))
    return owners


def streams(service: Service, owners: list[tuple[str, str]]) -> Iterator[Figure]:
    """Every owner listens; each run changes every two seconds."""
    before = service.memory_kib()
    with listening(service, owners, SECONDS) as listener:
        held = service.memory_kib() - before
        with contextlib.closing(sqlite3.connect(service.folder / "glassfolio.db", timeout=30)) as connection:
            length = connection.execute("SELECT max(length(body)) FROM status_document").fetchone()[0]
            cpu, began = service.cpu_seconds(), time.monotonic()
            commits = keep_changing(connection, listener)
            spent, took = service.cpu_seconds() - cpu, time.monotonic() - began
        found = json.loads(listener.stdout.readline() if listener.stdout else "{}")
    heard = sorted(found["milliseconds"])
    events = len(heard)
    yield Figure("size of a document", "KiB", [length / 1024])
    yield Figure(
        f"commit to client, p50 of {events} events on {len(owners)} streams", "ms", [heard[events // 2]]
    )
    yield Figure("commit to client, p99", "ms", [heard[int(events * 0.99)]], 250)
    yield Figure("streams that broke", "", [found["broken"]], 0)
    yield Figure("CPU of the service for an event", "µs", [1e6 * spent / max(commits, 1)], 60)
    yield Figure("share of a core", "", [spent / took])
    yield Figure("memory of a stream", "KiB", [held / len(owners)], 30)


@contextlib.contextmanager
def listening(
    service: Service, owners: list[tuple[str, str]], seconds: float
) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds a stream for each owner; entered when all are open."""
    host, port = service.url.removeprefix("http://").split(":")
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.listen", host, port, str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for subject, portfolio in owners:
        address = f"/api/v1/onboarding/status/{portfolio}/events"
        process.stdin.write(f"{address} {service.token(subject)}\n")
    process.stdin.close()
    try:
        if process.stdout.readline().strip() != "open":
            raise RuntimeError("the streams could not be opened")
        yield process
    finally:
        process.stdout.close()
        process.kill()
        process.wait()


def keep_changing(connection: sqlite3.Connection, listener: "subprocess.Popen[str]") -> int:
    """Change every run each two seconds, a slice at a time, until the listener has heard enough."""
    runs = connection.execute(
        "SELECT run_id, body FROM status_document JOIN run ON run.id = run_id WHERE state = 'running'"
    ).fetchall()
    slices = [runs[part::SLICES] for part in range(SLICES)]
    began, commits, tick = time.monotonic(), 0, 0
    while time.monotonic() - began < SECONDS + 3 and listener.poll() is None:
        now = time.time()
        with connection:
            connection.executemany(
                "UPDATE run SET seq = seq + 1 WHERE id = ?", [(run,) for run, _ in slices[tick % SLICES]]
            )
            connection.executemany(
                "UPDATE status_document SET seq = seq + 1, body = ? WHERE run_id = ?",
                [(stamped(body, now), run) for run, body in slices[tick % SLICES]],
            )
        commits += len(slices[tick % SLICES])
        tick += 1
        time.sleep(max(0.0, began + tick * EVERY_SECONDS / SLICES - time.monotonic()))
    return commits


def stamped(body: bytes, now: float) -> bytes:
    """The document with the moment of its commit in front."""
    return b'{"committed":%.6f,' % now + body[1:]


def stopping(service: Service, owners: list[tuple[str, str]]) -> Figure:
    """Seconds from SIGTERM to the end of the process, with a thousand streams open."""
    with listening(service, owners, SECONDS):
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(60)
        return Figure(f"SIGTERM to exit with {len(owners)} streams", "s", [time.monotonic() - began], 10)
