"""A workshop on each database."""

import threading
from collections.abc import Iterator

import pytest

from glassfolio.db.engine import Database
from glassfolio.sessions import Sessions
from tests.batch.workshop import Workshop


@pytest.fixture
def workshop(database: Database, calendar: Sessions) -> Iterator[Workshop]:
    made = Workshop(database, calendar)
    yield made
    made.pipeline.close()
    # Whoever is still at work gives its connection back before the database is closed.
    for thread in threading.enumerate():
        if thread.name.startswith("work"):
            thread.join()
