"""Event streams: the newest document of what is watched, to everybody who watches it.

State is handed on, not a history: a slow client skips states, and nothing queues. One watcher a process
asks the database, never one a client. Knows nothing of routes or tokens.
"""

import asyncio
import random
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from glassfolio.db.changes import watch
from glassfolio.engine.liveness import Watch
from glassfolio.following import Following, News, Owned, Topic
from glassfolio.web.limits import Streams
from glassfolio.wiring import Parts

HEARTBEAT_SECONDS = 15.0
SEND_SECONDS = 10.0
AGE_SECONDS = 600.0
AGE_SPREAD = 0.2
LEAST_GAP_SECONDS = 1.0
RETRY_MS = 2000
HEADERS: Mapping[str, str] = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Authorization, Cookie",
}
HEARTBEAT = b": hb\n\n"
RECONNECT = b"event: reconnect\ndata: {}\n\n"


def frame(news: News) -> bytes:
    """A status document as an event."""
    return b"id: %d\nevent: status\ndata: %b\n\n" % (news.seq, news.body)


def done(seq: int) -> bytes:
    """The last event of a stream whose run has ended."""
    return b'id: %d\nevent: done\ndata: {"seq":%d}\n\n' % (seq, seq)


@dataclass(eq=False)
class Client:
    """One open stream. owner_id: who opened it."""

    owner_id: str
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    news: News | None = None
    leave: bool = False

    def tell(self, news: News) -> None:
        """Hand on the newest state; one that was not sent yet is dropped."""
        self.news = news
        self.wake.set()

    def close(self) -> None:
        """Ask the stream to end."""
        self.leave = True
        self.wake.set()


class Hub:
    """Who watches what in this process. Belongs to the event loop, but for `topics`.

    places: how many may be open at once.
    """

    def __init__(self, places: Streams) -> None:
        self._places = places
        self._clients: dict[Topic, set[Client]] = {}
        self._lock = threading.Lock()
        self.closing = False

    def topics(self) -> list[Topic]:
        """What is watched just now; from any thread."""
        with self._lock:
            return list(self._clients)

    def join(self, topic: Topic, client: Client) -> None:
        """Begin to tell a client the news of a topic. Raises TooManyRequests, ServiceFull."""
        self._places.open(client.owner_id, topic.portfolio_id)
        with self._lock:
            self._clients.setdefault(topic, set()).add(client)

    def part(self, topic: Topic, client: Client) -> None:
        """Tell it no more."""
        with self._lock:
            clients = self._clients.get(topic, set())
            if client not in clients:
                return
            clients.remove(client)
            if not clients:
                self._clients.pop(topic, None)
        self._places.close(client.owner_id, topic.portfolio_id)

    def publish(self, items: list[News | Owned]) -> None:
        """Hand news to their clients; those whose portfolio is no longer theirs are asked to come anew."""
        for item in items:
            for client in tuple(self._clients.get(item.topic, ())):
                if isinstance(item, News):
                    client.tell(item)
                elif item.owner_id != client.owner_id:
                    client.close()

    def close(self) -> None:
        """Ask every stream to end, those that are opened from now on included."""
        self.closing = True
        self.dismiss()

    def dismiss(self) -> None:
        """Ask every open stream to end."""
        for clients in tuple(self._clients.values()):
            for client in tuple(clients):
                client.close()


class Watcher(Watch):
    """The thread that asks the database for the news of a hub's topics."""

    def __init__(self, parts: Parts, hub: Hub, loop: asyncio.AbstractEventLoop) -> None:
        self._changes = watch(parts.database)
        self._following = Following(parts.reading, self._changes, hub.topics)
        self._hub, self._loop = hub, loop
        super().__init__("live", 0.0, self._look_once)

    def _look_once(self) -> None:
        with ExitStack() as failing:
            # Clients that come anew are told what is wrong; an open stream could only stay silent.
            failing.callback(self._hand_on, self._hub.dismiss)
            news = self._following.wait()
            failing.pop_all()
        if news:
            self._hand_on(self._hub.publish, news)

    def _hand_on(self, step: Callable[..., None], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(step, *arguments)

    def stop(self) -> None:
        """Look no more, and give back the connection."""
        super().stop()
        self._changes.close()


class EventStream(Response):
    """The answer to one client: the state at hand, then each newer one, at most one a second.

    first: the state when the stream is opened. last_id: the seq that the client has already.
    """

    def __init__(self, hub: Hub, topic: Topic, client: Client, first: News, last_id: int | None) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._hub, self._topic, self._client = hub, topic, client
        self._last_id = last_id
        if client.news is None or client.news.seq < first.seq:
            client.news = first

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the run has ended, the client is gone, or it is time to connect anew."""
        gone = asyncio.ensure_future(_hang_up(receive, self._client))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._events(gone, send)
            if not gone.done():
                await send({"type": "http.response.body", "body": b""})
        except (TimeoutError, OSError):
            pass
        finally:
            self._hub.part(self._topic, self._client)
            gone.cancel()

    async def _events(self, gone: "asyncio.Future[None]", send: Send) -> None:
        clock = asyncio.get_running_loop().time
        until = clock() + AGE_SECONDS * random.uniform(1 - AGE_SPREAD, 1 + AGE_SPREAD)  # noqa: S311
        client, sent, opening = self._client, self._last_id, b"retry: %d\n" % RETRY_MS
        while not gone.done():
            news, client.news = client.news, None
            client.wake.clear()
            if news is not None and (sent is None or news.seq != sent):
                await _write(send, opening + frame(news))
                sent, opening = news.seq, b""
                if news.ended:
                    await _write(send, done(news.seq))
                    return
                pause = LEAST_GAP_SECONDS
            else:
                if opening:
                    await _write(send, opening + HEARTBEAT)
                    opening = b""
                pause = 0.0
            if client.leave or self._hub.closing or clock() >= until:
                await _write(send, RECONNECT)
                return
            await self._rest(pause, send)

    async def _rest(self, pause: float, send: Send) -> None:
        """Wait for news, but no shorter than `pause`; keep the connection awake meanwhile."""
        client = self._client
        if pause and not client.leave:
            await asyncio.sleep(pause)
        while not client.wake.is_set():
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await client.wake.wait()
            except TimeoutError:
                await _write(send, HEARTBEAT)
                return


async def _write(send: Send, data: bytes) -> None:
    """Send a piece; a client that does not take it in time is dropped with TimeoutError."""
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _hang_up(receive: Receive, client: Client) -> None:
    """Wake the stream when its client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    client.wake.set()
