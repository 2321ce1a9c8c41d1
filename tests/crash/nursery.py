"""The parent process of all workers, and one worker as its supervisor sees it."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from tests.crash.worker import Orders

ROOT = Path(__file__).resolve().parents[2]


def environment(**settings: str) -> dict[str, str]:
    """The environment of a process of ours: no settings but those given."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("GLASSFOLIO_")}
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    # One arithmetic thread a process: a test machine has few cores, and forks follow.
    return {**bare, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", **settings}


class Nursery:
    """Starts workers within milliseconds; closing it ends them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.worker"],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(self, orders: Orders) -> int:
        """The process id of a new worker."""
        with self._lock:
            assert self._parent.stdin is not None
            assert self._parent.stdout is not None
            self._parent.stdin.write(json.dumps(asdict(orders)) + "\n")
            self._parent.stdin.flush()
            return int(self._parent.stdout.readline())

    def close(self) -> None:
        """End every process it ever started."""
        os.killpg(self._parent.pid, signal.SIGKILL)
        self._parent.wait()
        for pipe in (self._parent.stdin, self._parent.stdout):
            if pipe is not None:
                pipe.close()


def alive(pid: int) -> bool:
    """Whether a worker still exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
