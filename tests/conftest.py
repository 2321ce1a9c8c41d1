"""What all tests share: the exchange's sessions."""

import pytest

from glassfolio import sessions
from glassfolio.sessions import Sessions

pytest_plugins = ["tests.databases"]


@pytest.fixture(scope="session")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    return sessions.load(tmp_path_factory.mktemp("sessions"))
