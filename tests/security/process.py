"""A service as a process of its own, with its memory and everything it prints."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from glassfolio.clock import SystemClock
from glassfolio.identity import issuer
from tests.cli.conftest import environment


@dataclass
class Process:
    """A running `glassfolio serve`. printed: what it wrote to its standard output and error so far."""

    url: str
    folder: Path
    process: "subprocess.Popen[str]"
    printed: list[str] = field(default_factory=list)

    def client(self, subject: str = "alice") -> httpx.Client:
        """Signed in as `subject`, to be closed by whoever asks."""
        token = issuer.load(self.folder, issuer.SCRIPTS).token(subject, SystemClock().now(), 3600)
        return httpx.Client(base_url=self.url, timeout=60, headers={"Authorization": f"Bearer {token}"})

    def peak_mib(self) -> float:
        """The largest memory it has had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[Process]:
    """Serve from `folder` until the block is left; afterwards `printed` is complete."""
    process = subprocess.Popen(
        [sys.executable, "-m", "glassfolio", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=environment(folder, UPLOAD_RATE="off", **settings),
    )
    assert process.stdout is not None
    started = Process("", folder, process)
    for line in process.stdout:
        started.printed.append(line)
        if line.startswith("glassfolio is listening on "):
            started.url = line.split()[-1]
            break
    output = process.stdout
    reading = threading.Thread(target=lambda: started.printed.extend(output), daemon=True)
    reading.start()
    try:
        yield started
    finally:
        process.terminate()
        process.wait(30)
        reading.join(30)
        output.close()
