"""The status read of thousands of owners: token, owner and limits checked, beside a static FastAPI answer."""

import contextlib
import json
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.bench_live import multiply
from bench.figures import Figure
from bench.service import Service, open_portfolio, running, wait

TITLE = "Status reads of 5,000 owners by turns, limits on (SQLite, one process, no worker inside)"
OWNERS = 5000
CONNECTIONS = 32
SECONDS = 8.0
WARM_SECONDS = 3.0
ROUNDS = 3
MICROS = 1e6 / 3000


@dataclass(frozen=True)
class Asked:
    """What came of some seconds of asking. micros: processor time of the service for one answer."""

    rate: float
    micros: float
    milliseconds: Sequence[float]

    def percentile(self, share: float) -> float:
        """The milliseconds within which this share of the answers came."""
        return sorted(self.milliseconds)[int(share * (len(self.milliseconds) - 1))]


def figures() -> Iterator[Figure]:
    """Answers a second and processor time of each, ours and the peer's by turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(folder) as service, service.client("model") as client:
            wait(client, open_portfolio(client, "model"))
        owners = multiply(folder / "glassfolio.db", OWNERS)
        with contextlib.closing(sqlite3.connect(folder / "glassfolio.db")) as connection:
            length = connection.execute("SELECT max(length(body)) FROM status_document").fetchone()[0]
            tags = dict(
                connection.execute("SELECT portfolio_id, id || '.' || attempt || '.' || seq FROM run")
            )
        with (
            running(folder, serve="--no-worker", program=("-m", "glassfolio")) as service,
            static(folder, length) as peer,
        ):
            asked = [
                (f"/api/v1/onboarding/status/{portfolio} {service.token(who)}", tags[portfolio])
                for who, portfolio in owners
            ]
            yield Figure("size of a document", "KiB", [length / 1024])
            yield from compare(service, peer, "200", [line for line, _tag in asked])
            yield from compare(service, peer, "304", [f'{line} W/"{tag}"' for line, tag in asked])


def compare(service: Service, peer: Service, status: str, lines: Sequence[str]) -> Iterator[Figure]:
    """The figures of one kind of answer."""
    ask(service, lines, status, WARM_SECONDS)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(ask(service, lines, status, SECONDS))
        theirs.append(ask(peer, ["/static"], "200", SECONDS))
    rate = ("static FastAPI answer", [found.rate for found in theirs])
    micros = ("static FastAPI answer", [found.micros for found in theirs])
    yield Figure(f"{status}: answers a second", "/s", [found.rate for found in ours], None, rate)
    yield Figure(
        f"{status}: processor time of an answer", "µs", [found.micros for found in ours], MICROS, micros
    )
    yield Figure(f"{status}: latency p50", "ms", [found.percentile(0.5) for found in ours])
    yield Figure(f"{status}: latency p99", "ms", [found.percentile(0.99) for found in ours], 25)


def ask(service: Service, lines: Sequence[str], status: str, seconds: float) -> Asked:
    """Ask for some seconds. Every answer must have the status."""
    host, port = service.url.removeprefix("http://").split(":")
    command = [sys.executable, "-m", "bench.ask", host, port, str(CONNECTIONS), str(seconds)]
    before = service.cpu_seconds()
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)
    spent = service.cpu_seconds() - before
    found = json.loads(done.stdout)
    if set(found["answers"]) != {status}:
        raise RuntimeError(f"answers of other kinds: {found['answers']}")
    count = found["answers"][status]
    return Asked(count / seconds, 1e6 * spent / count, found["milliseconds"])


@contextlib.contextmanager
def static(folder: Path, length: int) -> Iterator[Service]:
    """The peer, in a process of its own."""
    command = [sys.executable, "-m", "bench.static_app", str(length)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Service(process.stdout.readline().strip(), folder, process)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


if __name__ == "__main__":
    for figure in figures():
        sys.stdout.write(f"{figure.cells()}\n")
