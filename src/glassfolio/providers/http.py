"""One HTTP client for every online provider: time-outs, bounded bodies, retries, allowance, breaker.

Redirects are not followed. Never raises for what a server or a network does. Knows nothing of prices.
"""

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx

from glassfolio.errors import SettingsError
from glassfolio.model.market import FailureKind
from glassfolio.providers.base import Refusal, Throttle
from glassfolio.providers.circuit import Circuit
from glassfolio.providers.timing import Timeouts, Timing

TRIES = 3
BACKOFF_SECONDS = 0.5
LONGEST_PAUSE = 3600.0
LARGEST_BODY = 16 * 2**20
SAMPLE = 200
RETRIED = (FailureKind.NETWORK, FailureKind.RATE_LIMITED)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer with a status; the body is decompressed."""

    status: int
    content_type: str
    body: bytes
    retry_after: float | None

    @property
    def is_html(self) -> bool:
        """Whether this is a page for a person rather than data."""
        return "html" in self.content_type or self.body.lstrip()[:1] == b"<"

    @property
    def sample(self) -> str:
        """The beginning of the body as printable text."""
        text = self.body[:SAMPLE].decode("utf-8", "replace")
        return "".join(c if c.isprintable() else " " for c in text)


@dataclass(frozen=True)
class Service:
    """How one provider is spoken to.

    origin: scheme, host and port. headers: sent with every request. secret: never shown anywhere.
    read_refusal: finds a refusal told in the body of a 200 or 403 answer, in the provider's own words.
    """

    origin: str
    headers: Mapping[str, str] = field(repr=False)
    secret: str = field(repr=False)
    read_refusal: Callable[[Reply], Refusal | None]


class HttpClient:
    """GET requests to one service, shared among threads."""

    def __init__(self, service: Service, throttle: Throttle, timing: Timing, timeouts: Timeouts) -> None:
        self._service, self._throttle, self._timing, self._timeouts = service, throttle, timing, timeouts
        self._circuit = Circuit(timing.monotonic)
        limits = httpx.Timeout(timeouts.read, connect=timeouts.connect)
        self._client = httpx.Client(
            base_url=origin_of(service.origin),
            headers={"Accept": "application/json", **service.headers},
            timeout=limits,
            follow_redirects=False,
        )
        self.close = weakref.finalize(self, self._client.close)

    def get(self, path: str, params: Mapping[str, str]) -> Reply | Refusal:
        """The answer to one GET, asked at most three times; waits no longer than `patience` in one go."""
        outcome: Reply | Refusal = Refusal(FailureKind.NETWORK)
        for attempt in range(TRIES):
            held = self._circuit.refusal() or self._wait_for_turn()
            if held is not None:
                return held
            outcome = self._ask(path, params)
            refusal = outcome if isinstance(outcome, Refusal) else None
            self._circuit.note(refusal)
            if refusal is None or refusal.kind not in RETRIED or not self._pause(refusal, attempt):
                break
        return outcome

    def _wait_for_turn(self) -> Refusal | None:
        left = self._timeouts.patience
        while (wait := self._throttle.take()) > 0:
            if wait > left:
                return Refusal(FailureKind.RATE_LIMITED, wait, "the allowance of requests is used up")
            left -= wait
            self._timing.sleep(wait)
        return None

    def _pause(self, refusal: Refusal, attempt: int) -> bool:
        """Wait before the next attempt, and make all wait after a rate limit; False: do not ask again."""
        backoff = self._timing.uniform(0.0, BACKOFF_SECONDS * 2**attempt)
        wait = max(refusal.retry_after or 0.0, backoff)
        if refusal.kind is FailureKind.RATE_LIMITED:
            self._throttle.pause(wait)
        if attempt + 1 == TRIES or wait > self._timeouts.patience:
            return False
        self._timing.sleep(wait)
        return True

    def _ask(self, path: str, params: Mapping[str, str]) -> Reply | Refusal:
        deadline = self._timing.monotonic() + self._timeouts.total
        try:
            with self._client.stream("GET", path, params=params) as response:
                body = self._read(response, deadline)
                if isinstance(body, Refusal):
                    return body
                reply = self._as_reply(response, body)
        except httpx.DecodingError:
            return Refusal(FailureKind.BAD_PAYLOAD, None, "the body cannot be decompressed")
        except httpx.HTTPError as error:
            return Refusal(FailureKind.NETWORK, None, type(error).__name__)
        told = self._service.read_refusal(reply) if reply.status in (200, 403) and not reply.is_html else None
        refusal = told or classify(reply)
        return reply if refusal is None else self._without_secret(refusal)

    def _read(self, response: httpx.Response, deadline: float) -> bytes | Refusal:
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > LARGEST_BODY:
                return Refusal(FailureKind.BAD_PAYLOAD, None, f"the body is larger than {LARGEST_BODY} bytes")
            if self._timing.monotonic() > deadline:
                return Refusal(FailureKind.NETWORK, None, "the answer took too long")
        return bytes(body)

    def _as_reply(self, response: httpx.Response, body: bytes) -> Reply:
        headers = response.headers
        asked = read_retry_after(headers.get("retry-after"), self._timing.clock.now())
        return Reply(response.status_code, headers.get("content-type", "").lower(), body, asked)

    def _without_secret(self, refusal: Refusal) -> Refusal:
        detail = refusal.detail
        for form in {self._service.secret, quote(self._service.secret, safe="")} - {""}:
            detail = detail.replace(form, "***")
        return Refusal(refusal.kind, refusal.retry_after, detail)


def classify(reply: Reply) -> Refusal | None:
    """What a status and the kind of a body mean; None when the reply may hold data."""
    detail = f"HTTP {reply.status}: {reply.sample}"
    if reply.status == 429:
        return Refusal(FailureKind.RATE_LIMITED, reply.retry_after, detail)
    if reply.status == 401:
        return Refusal(FailureKind.UNAUTHORISED, None, detail)
    if reply.status >= 500:
        return Refusal(FailureKind.NETWORK, reply.retry_after, detail)
    if reply.status == 403 or 300 <= reply.status < 400 or reply.is_html:
        return Refusal(FailureKind.BLOCKED, None, detail)
    if reply.status == 404:
        return Refusal(FailureKind.NOT_FOUND, None, detail)
    return None if reply.status == 200 else Refusal(FailureKind.BAD_PAYLOAD, None, detail)


def read_retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds from `now` that a Retry-After header asks for, 0 to 3600; None when it says nothing."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_PAUSE)


def origin_of(url: str) -> str:
    """Scheme, host and port of `url`; raises SettingsError when it is not an http or https address."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = httpx.URL("")
    if parts.scheme not in ("http", "https") or not parts.host or parts.userinfo:
        raise SettingsError("The provider's address must look like https://host or https://host:port.")
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}"
