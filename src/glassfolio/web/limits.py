"""How often somebody may ask: the classes of routes, their limits, and the counters behind them.

Counters live in memory, so each process counts for itself; what is stored is counted from its rows, in the
transaction that stores it. Knows nothing of tokens, or of what a route does.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import monotonic

from anyio import CapacityLimiter
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glassfolio.clock import Clock, SystemClock
from glassfolio.errors import ServiceFull, TooManyRequests

STREAMS_PER_PORTFOLIO, STREAMS_PER_USER, STREAMS_PER_PROCESS = 3, 10, 5000
STREAM_WAIT_SECONDS = 5
FILES_READ_AT_ONCE = 4
ROUNDING_SECONDS = 0.001
ADDRESSES_KEPT = 10_000
WALK_SECONDS = 1.0
# Walking all counters takes at most this share of the time, however many there are.
WALK_SHARE = 0.02


class RouteClass(StrEnum):
    """What a request is to the limits; every route has one."""

    STATUS = "status"
    STREAM = "stream"
    UPLOAD = "upload"
    DRY_RUN = "dry-run"
    RERUN = "rerun"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Policy:
    """So many requests in so many seconds, for a caller; with `each`, for a caller and the id in the path."""

    name: str
    quota: int
    window: int
    each: bool = False

    @property
    def item(self) -> RateLimitItem:
        """The same in the library's words."""
        return RateLimitItemPerSecond(self.quota, self.window, namespace=self.name)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands with a policy. reset: whole seconds until more is allowed, at least 1."""

    policy: str
    quota: int
    window: int
    remaining: int
    reset: int


SIGN_IN = Policy("sign-in", 20, 60)
FIXED: Mapping[RouteClass, tuple[Policy, ...]] = {
    RouteClass.STREAM: (Policy("stream", 6, 60, each=True),),
    RouteClass.RERUN: (Policy("rerun", 30, 3600),),
    RouteClass.OTHER: (Policy("other", 60, 10),),
}
Policies = Mapping[RouteClass, Sequence[Policy]]


def policies(status: tuple[int, int] | None, uploads: tuple[int, int] | None) -> Policies:
    """The policies of every class.

    status: polls a second and burst for one portfolio; over all of a caller's portfolios it is five times
    as many a second and a burst of four times. uploads: a minute and an hour. None: not limited.
    """
    made: dict[RouteClass, Sequence[Policy]] = {RouteClass.STATUS: ()}
    if status is not None:
        rate, burst = status
        made[RouteClass.STATUS] = (
            Policy("status", burst, ceil(burst / rate), each=True),
            Policy("status-all", 4 * burst, ceil(4 * burst / (5 * rate))),
        )
    for of in (RouteClass.UPLOAD, RouteClass.DRY_RUN):
        windows = () if uploads is None else zip(("minute", "hour"), uploads, (60, 3600), strict=True)
        made[of] = tuple(Policy(f"{of}-{name}", quota, seconds) for name, quota, seconds in windows)
    return {**FIXED, **made}


class QuietStorage(MemoryStorage):
    """Counters in memory that look for expired ones about once a second, in the thread that counts.

    The library's own walks over all of them after every hit, in a thread of its own.
    """

    def __init__(self) -> None:
        self._next_walk = 0.0
        super().__init__()

    def _MemoryStorage__schedule_expiry(self) -> None:  # noqa: N802
        began = monotonic()
        if began < self._next_walk:
            return
        self._MemoryStorage__expire_events()  # type: ignore[attr-defined]
        took = monotonic() - began
        self._next_walk = began + max(WALK_SECONDS, took / WALK_SHARE)


class Limits:
    """The counters of one process; used from its event loop only.

    clock: the one the library counts by.
    """

    def __init__(
        self,
        made: Policies,
        sign_in: Policy | None = SIGN_IN,
        clock: Clock | None = None,
        streams: "Streams | None" = None,
    ) -> None:
        self._policies = {of: [(policy, policy.item) for policy in found] for of, found in made.items()}
        self._sign_in = None if sign_in is None else (sign_in, sign_in.item)
        self._counter = SlidingWindowCounterRateLimiter(QuietStorage())
        self._clock = clock or SystemClock()
        self._uploading: set[str] = set()
        self.streams = streams or Streams()
        self.reading_files = CapacityLimiter(FILES_READ_AT_ONCE)

    @classmethod
    def none(cls) -> "Limits":
        """Counters that refuse nobody, for benches and tests."""
        return cls({}, None, streams=Streams(sys.maxsize, sys.maxsize, sys.maxsize))

    def charge(self, of: RouteClass, user_id: str, thing: str = "") -> Standing | None:
        """Count one request of a caller; returns the standing closest to its limit, None without one.

        thing: the id in the path. A refused request is not counted. Raises TooManyRequests.
        """
        held = [
            (policy, item, (user_id, thing) if policy.each else (user_id,))
            for policy, item in self._policies.get(of, ())
        ]
        closest, least = None, sys.maxsize
        for one in held:
            standing = self._standing(*one)
            if not standing.remaining:
                raise _refusal(standing)
            if standing.remaining < least:
                closest, least = one, standing.remaining
        for _policy, item, key in held:
            self._counter.hit(item, *key)
        return self._standing(*closest) if closest else None

    def check_sign_in(self, address: str) -> None:
        """Refuse an address from which too many sign-ins failed. Raises TooManyRequests."""
        if self._sign_in is not None:
            standing = self._standing(*self._sign_in, (address_key(address),))
            if not standing.remaining:
                raise _refusal(standing)

    def failed_sign_in(self, address: str) -> None:
        """Count a sign-in that failed: a token, ticket, link or password that does not hold."""
        if self._sign_in is not None:
            self._counter.hit(self._sign_in[1], address_key(address))

    @contextmanager
    def uploading(self, user_id: str) -> Iterator[None]:
        """One upload of a caller at a time. Raises TooManyRequests while another is under way."""
        if user_id in self._uploading:
            raise TooManyRequests("upload-in-flight", retry_after=1)
        self._uploading.add(user_id)
        try:
            yield
        finally:
            self._uploading.remove(user_id)

    def _standing(self, policy: Policy, item: RateLimitItem, key: tuple[str, ...]) -> Standing:
        stats = self._counter.get_window_stats(item, *key)
        # A hit is admitted after the moment of the reset, not at it, and both clocks are rounded.
        wait = int(max(0.0, stats.reset_time - self._clock.now().timestamp()) + ROUNDING_SECONDS) + 1
        return Standing(policy.name, policy.quota, policy.window, stats.remaining, wait)


class Streams:
    """The streams that are open in this process.

    most, of_user, of_portfolio: how many there may be in all, of a caller, of a caller for one portfolio.
    """

    def __init__(
        self,
        most: int = STREAMS_PER_PROCESS,
        of_user: int = STREAMS_PER_USER,
        of_portfolio: int = STREAMS_PER_PORTFOLIO,
    ) -> None:
        self._most, self._most_of_user, self._most_of_portfolio = most, of_user, of_portfolio
        self._of_user: Counter[str] = Counter()
        self._of_portfolio: Counter[tuple[str, str]] = Counter()

    @property
    def open_now(self) -> int:
        """How many there are."""
        return self._of_user.total()

    def open(self, user_id: str, portfolio_id: str) -> None:
        """Take a place, to be given back with `close`. Raises TooManyRequests, ServiceFull."""
        if self.open_now >= self._most:
            raise ServiceFull
        if (
            self._of_portfolio[user_id, portfolio_id] >= self._most_of_portfolio
            or self._of_user[user_id] >= self._most_of_user
        ):
            raise TooManyRequests("streams-open", retry_after=STREAM_WAIT_SECONDS)
        self._of_user[user_id] += 1
        self._of_portfolio[user_id, portfolio_id] += 1

    def close(self, user_id: str, portfolio_id: str) -> None:
        """Give a place back."""
        # Subtracting a counter drops what has come down to nothing.
        self._of_user -= Counter([user_id])
        self._of_portfolio -= Counter([(user_id, portfolio_id)])


class TellLimits:
    """Adds to every limited answer where its caller stands."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; its route leaves the standing in the request's state."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def telling(message: Message) -> None:
            standing = state.get("standing")
            if message["type"] == "http.response.start" and standing is not None:
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = f'"{standing.policy}";q={standing.quota};w={standing.window}'
                headers["RateLimit"] = f'"{standing.policy}";r={standing.remaining};t={standing.reset}'
            await send(message)

        await self._app(scope, receive, telling)


@lru_cache(ADDRESSES_KEPT)
def address_key(address: str) -> str:
    """What counts as one address: an IPv6 network of 64 bits is one customer."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped) if ip.ipv4_mapped else f"{int(ip) >> 64:x}/64"
    return str(ip)


def refused(error: TooManyRequests) -> Standing | None:
    """The standing that a refusal tells; None for a limit that is no rate."""
    if not error.window:
        return None
    return Standing(error.policy, error.quota, error.window, 0, error.retry_after)


def _refusal(standing: Standing) -> TooManyRequests:
    return TooManyRequests(standing.policy, standing.reset, standing.quota, standing.window)
