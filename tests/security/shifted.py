"""A service as a process of its own whose clock stands in the afternoon after the last bundled session.

Run as `python -m tests.security.shifted`, settings in the environment; prints its address, and goes on until
its standard input is closed.
"""

import sys

from glassfolio.cli import logs
from glassfolio.settings import load
from tests.contracts.running import AFTER_THE_LAST_SESSION, ShiftedClock, running


def main() -> None:
    """Serve."""
    logs.configure("json")
    with running(load(), clock=ShiftedClock(AFTER_THE_LAST_SESSION)) as service:
        sys.stdout.write(f"{service.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
