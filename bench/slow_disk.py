"""The program as it is, on a disk whose commits are slow: `python -m bench.slow_disk SECONDS serve …`."""

import sys
import time

import sqlalchemy as sa

from bench.unlimited import make_app
from glassfolio.cli import main


def slow_down(seconds: float) -> None:
    """Make every commit of this process take so much longer."""

    @sa.event.listens_for(sa.Engine, "commit")
    def _wait(_connection: sa.Connection) -> None:
        time.sleep(seconds)


if __name__ == "__main__":
    slow_down(float(sys.argv.pop(1)))
    main.run(make_app)
