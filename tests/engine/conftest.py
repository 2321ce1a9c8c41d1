"""A dispatcher on each database."""

from collections.abc import Iterator

import pytest

from glassfolio.db.engine import Database
from glassfolio.engine.app import Dispatcher
from tests.engine.flows import metadata


@pytest.fixture
def dispatcher(database: Database) -> Iterator[Dispatcher]:
    metadata.create_all(database.engine)
    made = Dispatcher(database)
    yield made
    made.close()
