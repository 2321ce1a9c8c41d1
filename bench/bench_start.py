"""How long a person waits before anything happens: help, and the demo."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from bench.figures import Figure

TITLE = "Starting"
PYTHON = sys.executable


def figures() -> Iterator[Figure]:
    """Times of whole processes."""
    bare = [seconds([PYTHON, "-c", "pass"]) for _ in range(5)]
    helped = [seconds([PYTHON, "-m", "glassfolio", "--help"]) for _ in range(5)]
    yield Figure("glassfolio --help", "s", helped, 0.4, ("python -c pass", bare))
    yield Figure("demo, first run to completed and out", "s", [demo() for _ in range(3)], None)


def seconds(command: Sequence[str], folder: str | None = None) -> float:
    """Wall time of a process that must succeed."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
    return time.perf_counter() - began


def demo() -> float:
    """The demo in an empty folder, stopped once the onboarding has completed."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("GLASSFOLIO_DATA_DIR", None)
        return seconds([PYTHON, "-m", "glassfolio", "demo", "--leave"], folder)
