"""S19: how a client in the terminal behaves: it polls as advised, waits as told, and not for ever."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from glassfolio.cli.watching import LONGEST_WAIT_SECONDS, PATIENCE_SECONDS, Local, Patience, Remote
from glassfolio.errors import GlassfolioError, NotFound, SettingsError
from glassfolio.model.run import Trigger
from glassfolio.onboarding import Caller
from glassfolio.settings import Settings
from glassfolio.web.limits import Limits, policies
from tests.contracts.running import make_settings, opened, running

Script = list[tuple[int, dict[str, str], dict[str, Any]]]
RUNNING = {"status": "running", "seq": 1}
DONE = {"status": "completed", "seq": 9}


class Stopwatch:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def now(self) -> float:
        return self.seconds


@contextmanager
def answering(script: Script) -> Iterator[str]:
    """A service that gives one answer after the other, and the last one for ever."""
    left = list(script)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Silence."""

        def do_GET(self) -> None:
            status, headers, body = left.pop(0) if len(left) > 1 else left[0]
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


Watch = Callable[[Script], tuple[list[str], list[float]]]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("a.b.c", "ascii")
    return path


@pytest.fixture
def watch(token_file: Path) -> Watch:
    """Follow a scripted service to its end: the statuses that were seen, and every wait between."""

    def follow(script: Script) -> tuple[list[str], list[float]]:
        time = Stopwatch()
        with answering(script) as url, httpx.Client(timeout=10) as client:
            source = Remote(url, "p", token_file, client, time.sleep, Patience(time.now))
            seen = [doc["status"] for doc in source.documents()]
        return seen, time.slept

    return follow


def about(seconds: float) -> Any:
    """Never less than told, and at most a tenth more."""
    return pytest.approx(seconds * 1.05, abs=seconds * 0.0501)


def test_it_polls_every_two_seconds_or_as_the_service_advises(watch: Watch) -> None:
    seen, waits = watch([(200, {}, RUNNING), (200, {"Retry-After": "7"}, RUNNING), (200, {}, DONE)])
    assert seen == ["running", "running", "completed"]
    assert waits == [about(2), about(7)]
    assert all(wait >= told for wait, told in zip(waits, (2, 7), strict=True))


def test_told_to_wait_it_waits_and_goes_on_however_often(watch: Watch) -> None:
    busy = (429, {"Retry-After": "3"}, {"status": 429})
    seen, waits = watch([(200, {}, RUNNING), *[busy] * 8, (200, {}, DONE)])
    assert seen == ["running", "completed"]
    assert waits == [about(2), *[about(3)] * 8]


def test_a_service_that_is_away_for_a_moment_is_asked_more_and_more_seldom(watch: Watch) -> None:
    away: Any = (502, {}, {})
    seen, waits = watch([(200, {}, RUNNING), *[away] * 4, (200, {}, DONE)])
    assert seen == ["running", "completed"]
    assert waits == [about(2), about(2), about(4), about(8), about(16)]
    assert max(waits) <= LONGEST_WAIT_SECONDS


def test_a_full_disk_tells_how_long(watch: Watch) -> None:
    _seen, waits = watch([(503, {"Retry-After": "5"}, {}), (200, {}, DONE)])
    assert waits == [about(5)]


def test_five_failures_in_a_row_are_exit_4(watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        watch([(200, {}, RUNNING), (500, {}, {})])
    assert left.value.code == 4
    assert "does not answer" in capsys.readouterr().err


def test_a_service_that_is_not_there_is_exit_4(token_file: Path) -> None:
    time = Stopwatch()
    with httpx.Client(timeout=1) as client, pytest.raises(SystemExit) as left:
        next(Remote("http://127.0.0.1:1", "p", token_file, client, time.sleep).documents())
    assert left.value.code == 4
    assert time.seconds >= 10


def test_a_refused_token_is_looked_at_once_more(watch: Watch) -> None:
    assert watch([(401, {}, {}), (200, {}, DONE)])[0] == ["completed"]
    with pytest.raises(SettingsError, match="refused the token"):
        watch([(401, {}, {})])


def test_what_is_not_there_and_what_is_refused_end_at_once(watch: Watch) -> None:
    with pytest.raises(NotFound):
        watch([(404, {}, {})])
    with pytest.raises(GlassfolioError, match="403"):
        watch([(403, {}, {})])


@pytest.mark.parametrize(
    "answer", [(200, {}, RUNNING), (429, {"Retry-After": "2"}, {})], ids=["running", "refused"]
)
def test_half_an_hour_without_progress_is_exit_4(
    token_file: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    time = Stopwatch()
    with answering([answer]) as url, httpx.Client(timeout=10) as client:
        source = Remote(url, "p", token_file, client, time.sleep, Patience(time.now))
        with pytest.raises(SystemExit) as left:
            list(source.documents())
    assert left.value.code == 4
    assert PATIENCE_SECONDS <= time.seconds < PATIENCE_SECONDS + 5
    assert "no progress for 30 minutes" in capsys.readouterr().err


def test_whatever_moves_is_watched_for_hours(token_file: Path) -> None:
    time = Stopwatch()
    moving: Script = [
        (200, {"Retry-After": "1700"}, {"status": "running", "seq": number}) for number in range(20)
    ]
    with answering([*moving, (200, {}, DONE)]) as url, httpx.Client(timeout=10) as client:
        source = Remote(url, "p", token_file, client, time.sleep, Patience(time.now))
        assert len(list(source.documents())) == 21
    assert time.seconds > 5 * PATIENCE_SECONDS


def test_a_run_of_this_database_is_not_watched_for_ever_either(tmp_path: Path) -> None:
    """A worker lives and the run does not move."""
    with running(make_settings(tmp_path), worker=False) as service:
        portfolio_id = opened(service.client("local"))["portfolio_id"]
        with service.parts.database.transaction() as connection:
            owner = str(connection.exec_driver_sql("SELECT id FROM app_user").scalar())
            connection.exec_driver_sql(
                "INSERT INTO worker (id, beat, version, started_at) VALUES ('busy', 9e9, '1', '2026-01-01')"
            )
        moments = iter([0.0, *[PATIENCE_SECONDS - 1.0] * 2, *[PATIENCE_SECONDS + 0.0] * 9])
        source = Local(
            service.parts, Caller(owner, Trigger.CLI), portfolio_id, patience=Patience(lambda: next(moments))
        )
        with pytest.raises(SystemExit) as left:
            list(source.documents())
        assert left.value.code == 4


def test_it_never_meets_the_limits_of_a_real_service(tmp_path: Path) -> None:
    """S18 and S19 together: two-second polls fit into the default rates with room."""
    settings = make_settings(tmp_path, status_rate=Settings.model_fields["status_rate"].default)
    counters = Limits(policies(settings.status_polls, settings.uploads))
    with running(settings, worker=True, limits=counters) as service:
        portfolio_id = opened(service.client("local"))["portfolio_id"]
        (tmp_path / "token").write_text(service.token("local"), "ascii")
        seen: list[int] = []
        with httpx.Client(
            timeout=10, event_hooks={"response": [lambda r: seen.append(r.status_code)]}
        ) as client:
            source = Remote(service.url, portfolio_id, tmp_path / "token", client)
            assert list(source.documents())[-1]["status"] == "completed"
        assert set(seen) == {200}
