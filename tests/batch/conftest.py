"""A workshop on each database."""

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
