"""Worker processes to be killed: `python -m tests.crash.worker` forks one for each line of orders it reads.

The parent has everything imported and starts nothing itself, so that a new worker stands within milliseconds.
It answers each line with the process id of the worker.
"""

import json
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from glassfolio import settings
from glassfolio.batch.task import Workplace
from glassfolio.engine.app import Engine
from glassfolio.wiring import Parts, Worker, assemble, observer
from tests.crash.pipelines import PIPELINES, Strikes, StruckPipeline


@dataclass(frozen=True)
class Orders:
    """What a worker is told.

    patterns: the points at which it strikes itself; how: kill or stop. pipeline: a key of PIPELINES.
    """

    folder: str
    database_url: str
    provider_url: str
    lease: float
    patterns: tuple[str, ...] = ()
    how: str = "kill"
    repeat: bool = False
    pipeline: str = "sound"

    @property
    def settings(self) -> settings.Settings:
        """The settings of a process of this scene."""
        return settings.load(
            data_dir=Path(self.folder),
            database_url=self.database_url,
            provider="tiingo",
            provider_url=self.provider_url,
            provider_key="any",
            provider_rate=1000,
            lease=self.lease,
        )

    @property
    def marks(self) -> Path:
        """Where strikes leave their files."""
        return Path(self.folder) / "marks"


def work(orders: Orders) -> None:
    """Carry runs until the process is ended."""
    parts = assemble(orders.settings)
    strikes = Strikes(parts.database, orders.marks, orders.patterns, orders.how, repeat=orders.repeat)

    def pipeline(engine: Engine, parts: Parts) -> StruckPipeline:
        chosen = PIPELINES[orders.pipeline]
        return chosen(engine, parts.database, parts.clock, Workplace(parts.setup), strikes)

    Worker(parts, pipeline).start()
    observer(parts).start()
    while True:
        signal.pause()


def become_worker(orders: Orders) -> None:
    """Turn this forked process into a worker; what it says goes to a file of its own."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(Path(orders.folder) / f"worker-{os.getpid()}.log", os.O_WRONLY | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    try:
        work(orders)
    except BaseException:  # noqa: BLE001 - the edge of a process
        traceback.print_exc()
    finally:
        os._exit(1)


def main() -> None:
    """Fork a worker for each line of orders."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        told = json.loads(line)
        orders = Orders(**{**told, "patterns": tuple(told["patterns"])})
        child = os.fork()
        if child == 0:
            become_worker(orders)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
    # Whoever gave the orders is gone: so are the workers.
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
