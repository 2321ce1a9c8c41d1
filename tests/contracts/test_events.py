"""Server-sent events of a working service, on both databases (B3)."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.contracts.running import HEADER, Running, ended, opened, status, stored
from tests.fakes.tiingo import FakeTiingo

Json = dict[str, Any]
TEN = HEADER + "".join(
    f"{s},10,50,2021-03-15\n" for s in ["AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO"]
)


@dataclass(frozen=True)
class Event:
    kind: str
    id: int | None
    data: Json


def events(reply: httpx.Response) -> Iterator[Event]:
    """The events of a stream as they come."""
    kind, number, data = "message", None, ""
    for line in reply.iter_lines():
        if line.startswith("id: "):
            number = int(line[4:])
        elif line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("data: "):
            data = line[6:]
        elif not line and data:
            yield Event(kind, number, json.loads(data))
            kind, number, data = "message", None, ""


@contextmanager
def stream(client: httpx.Client, path: str, **headers: str) -> Iterator[Iterator[Event]]:
    with client.stream("GET", path, headers=headers) as reply:
        assert reply.status_code == 200, reply.read()
        yield events(reply)


def of(portfolio_id: str) -> str:
    return f"/api/v1/onboarding/status/{portfolio_id}/events"


def test_a_run_is_followed_from_its_start_to_done(service: Running, provider: FakeTiingo) -> None:
    """B3: every frame is the whole document, ids rise, and the last word follows the last log line."""
    client = service.client("follower")
    provider.delay = 0.3
    answer = opened(client, TEN)
    with stream(client, of(answer["portfolio_id"])) as heard:
        seen = list(heard)
    assert [event.kind for event in seen] == ["status"] * (len(seen) - 1) + ["done"]
    documents = [event.data for event in seen[:-1]]
    assert len(documents) >= 3
    assert documents[0]["status"] == "running"
    last = documents[-1]
    assert last["status"] == "completed"
    assert last["activity_log"][-1]["code"].startswith("RUN_COMPLETED")
    numbers = [event.id for event in seen[:-1]]
    assert numbers == sorted(set(map(int, filter(None, numbers))))
    assert seen[-1] == Event("done", last["seq"], {"seq": last["seq"]})
    polled = status(client, answer["portfolio_id"])
    moving = {"elapsed_seconds": 0, "heartbeat_at": None}
    assert polled | moving == last | moving


def test_an_ended_run_says_its_last_word_once(service: Running) -> None:
    client = service.client("late")
    portfolio_id = opened(client)["portfolio_id"]
    doc = ended(client, portfolio_id)
    with stream(client, of(portfolio_id)) as heard:
        assert [event.kind for event in heard] == ["status", "done"]
    again = client.get(of(portfolio_id), headers={"Last-Event-ID": str(doc["seq"])})
    assert (again.status_code, again.content) == (204, b"")
    assert client.get(of(portfolio_id), params={"after": doc["seq"]}).status_code == 204
    older = client.get(of(portfolio_id), headers={"Last-Event-ID": str(doc["seq"] - 1)})
    assert older.status_code == 200


def test_a_stream_over_a_portfolio_follows_its_next_run(service: Running, provider: FakeTiingo) -> None:
    """Ids rise over all runs of a portfolio, so what a client has of one run never hides the next."""
    client = service.client("again")
    portfolio_id = opened(client)["portfolio_id"]
    before = ended(client, portfolio_id)
    second = client.post(f"/api/v1/portfolios/{portfolio_id}/runs").json()
    assert second["run_id"] != before["run_id"]
    assert second["seq"] > before["seq"]
    with stream(client, of(portfolio_id), **{"Last-Event-ID": str(before["seq"])}) as heard:
        seen = list(heard)
    assert {event.data["run_id"] for event in seen[:-1]} == {second["run_id"]}
    assert seen[-1].kind == "done"


def test_a_portfolio_without_a_run_is_watched_until_one_begins(service: Running) -> None:
    client = service.client("early")
    portfolio_id = stored(client)
    with stream(client, of(portfolio_id)) as heard:
        first = next(heard)
        assert (first.id, first.data["status"]) == (0, "not_found")
        other = httpx.Client(base_url=service.url, headers=client.headers, timeout=30)
        other.post(f"/api/v1/portfolios/{portfolio_id}/runs").raise_for_status()
        rest = list(heard)
        other.close()
    assert rest[-2].data["status"] == "completed"
    assert rest[-1].kind == "done"


def test_one_run_can_be_followed_by_its_own_address(service: Running) -> None:
    client = service.client("run")
    answer = opened(client)
    with stream(client, f"/api/v1/runs/{answer['run_id']}/events") as heard:
        seen = list(heard)
    assert seen[-2].data["run_id"] == answer["run_id"]
    assert seen[-2].data["status"] == "completed"


def test_a_stranger_gets_the_same_404_as_for_an_absent_portfolio(service: Running) -> None:
    """S3."""
    answer = opened(service.client("owner"))
    ended(service.client("owner"), answer["portfolio_id"])
    stranger = service.client("stranger")
    absent = stranger.get(of("00000000-0000-4000-8000-000000000000"))
    for path in (of(answer["portfolio_id"]), f"/api/v1/runs/{answer['run_id']}/events"):
        reply = stranger.get(path, headers={"Last-Event-ID": "1"})
        assert (reply.status_code, reply.content) == (404, absent.content)
    assert service.anonymous().get(of(answer["portfolio_id"])).status_code == 401


def test_the_answer_tells_proxies_to_pass_it_on(service: Running) -> None:
    client = service.client("headers")
    portfolio_id = opened(client)["portfolio_id"]
    ended(client, portfolio_id)
    reply = client.get(of(portfolio_id))
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store, no-transform"
    assert reply.headers["x-accel-buffering"] == "no"
    assert "content-length" not in reply.headers
    assert reply.text.startswith("retry: 2000\nid: ")


def test_a_deleted_portfolio_ends_its_stream(service: Running) -> None:
    """Ownership is asked again while a stream is open."""
    client = service.client("deleting")
    portfolio_id = stored(client)
    with stream(client, of(portfolio_id)) as heard:
        assert next(heard).data["status"] == "not_found"
        other = httpx.Client(base_url=service.url, headers=client.headers, timeout=30)
        assert other.delete(f"/api/v1/portfolios/{portfolio_id}").status_code == 204
        began = time.monotonic()
        assert [event.kind for event in heard] == ["reconnect"]
        other.close()
    assert time.monotonic() - began < 60
    assert client.get(of(portfolio_id)).status_code == 404
