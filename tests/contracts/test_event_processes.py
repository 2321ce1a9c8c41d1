"""Event streams over several processes, and at the end of one (B3)."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.contracts.running import Running, make_settings, opened, running
from tests.contracts.test_events import Event, of, stream


@pytest.fixture
def api(database_url: str, tmp_path: Path) -> Iterator[Running]:
    """A service without a worker."""
    with running(make_settings(tmp_path, database_url), worker=False) as service:
        yield service


@contextmanager
def worker(service: Running) -> Iterator[None]:
    """A worker process on the service's database."""
    settings = service.parts.settings
    environment = {
        **os.environ,
        "GLASSFOLIO_DATA_DIR": str(settings.data_dir),
        "GLASSFOLIO_DATABASE_URL": settings.url,
        "GLASSFOLIO_HISTORY_SESSIONS": "70",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "glassfolio", "worker"], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


class Listener(threading.Thread):
    """Follows a portfolio on a connection of its own until the stream ends."""

    def __init__(self, service: Running, subject: str, portfolio_id: str) -> None:
        super().__init__()
        self.heard: list[Event] = []
        self.opened = threading.Event()
        self._client = httpx.Client(
            base_url=service.url,
            headers={"Authorization": f"Bearer {service.token(subject)}"},
            timeout=30,
        )
        self._portfolio_id = portfolio_id

    def run(self) -> None:
        with self._client, stream(self._client, of(self._portfolio_id)) as found:
            for event in found:
                self.heard.append(event)
                self.opened.set()


def test_work_in_another_process_is_seen(api: Running) -> None:
    """A service without a worker streams what a worker elsewhere does."""
    listener = Listener(api, "apart", opened(api.client("apart"))["portfolio_id"])
    listener.start()
    with worker(api):
        listener.join(60)
    assert [event.kind for event in listener.heard][-2:] == ["status", "done"]
    assert listener.heard[-2].data["status"] == "completed"


def test_stopping_the_service_ends_its_streams(tmp_path: Path) -> None:
    """Each is told to come back; none keeps the process."""
    with running(make_settings(tmp_path), worker=False) as service:
        listener = Listener(service, "leaving", opened(service.client("leaving"))["portfolio_id"])
        listener.start()
        assert listener.opened.wait(30)
    listener.join(30)
    assert [event.kind for event in listener.heard] == ["status", "reconnect"]
