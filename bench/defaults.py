"""Measures what estimates ship with: seconds of a unit and of a phase beside its units, on this machine.

`python -m bench.defaults` onboards 30 lots several times in a real service on SQLite with the bundled prices,
all of it anew each time, and prints what those runs teach. The figures stand in progress/estimate.py.
"""

import os
import platform
import sqlite3
import tempfile
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.service import open_portfolio, running, wait
from glassfolio.batch.pipeline import NAMES
from glassfolio.db.engine import connect
from glassfolio.progress.learning import Expected, expected
from glassfolio.store import trail

ROUNDS = 7
STORED = ("price", "coverage", "symbol", "exposure", "metric")


def measure() -> dict[str, Expected]:
    """What each phase takes, the medians of several runs."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as service:
        for number in range(ROUNDS):
            forget(service.folder / "glassfolio.db")
            with service.client(f"owner-{number}") as client:
                wait(client, open_portfolio(client, f"{number}"))
        database = connect(f"sqlite:///{service.folder / 'glassfolio.db'}", time.time)
        with database.reading() as connection:
            known = [taught for _provider, taught in trail.experiences(connection, platform.node()[:60])]
        database.close()
    found = {name.key: expected([one.lessons[name.key] for one in known]) for name in NAMES}
    return {key: one for key, one in found.items() if one is not None}


def forget(path: Path) -> None:
    """Drop what is stored, so that the next run does all of it."""
    with sqlite3.connect(path, timeout=30) as connection:
        for name in STORED:
            connection.execute(f"DELETE FROM {name}")
    connection.close()


def main() -> None:
    """Print the machine and the figures."""
    table = Table("phase", "unit", "seconds a unit", "seconds beside")
    found = measure()
    for name in NAMES:
        one = found[name.key]
        table.add_row(name.title, name.unit, f"{one.unit_seconds:.5f}", f"{one.fixed_seconds:.4f}")
    console = Console(width=110)
    console.print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    console.print(table)
    console.print(
        f"beside its units, median of the phases: {median(o.fixed_seconds for o in found.values()):.4f} s"
    )


if __name__ == "__main__":
    main()
