"""Bounds on what a request may carry: sizes, nesting, and the time its body takes to arrive.

Headers are refused before anything else. A body is bounded while it is read, whatever its header says, so a
route that reads none pays nothing. Knows nothing of callers or routes.
"""

import asyncio
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glassfolio.errors import BadHoldings
from glassfolio.imports.problems import problem
from glassfolio.imports.text import MAX_BYTES
from glassfolio.web.errors import refuse

HEADER_BYTES = 16 * 1024
# The form around a file: field names, boundaries, a description of 1,000 characters.
FORM_BYTES = 64 * 1024
FILE_BODY_BYTES = MAX_BYTES + FORM_BYTES
JSON_BYTES = 64 * 1024
JSON_DEPTH = 20
BODY_SECONDS = 30.0
CLOSE = {"Connection": "close"}


class Bounds:
    """Refuses requests that carry too much, or too slowly. body_seconds: for a whole body."""

    def __init__(self, app: ASGIApp, body_seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a receive that counts, measures time, and believes a too large length."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES:
            await refuse(Request(scope), 431, headers=CLOSE)(scope, receive, send)
        else:
            await self._app(scope, _Body(Headers(scope=scope), receive, self._body_seconds).next, send)


@dataclass
class _Body:
    """One request's body as it arrives."""

    headers: Headers
    receive: Receive
    seconds: float
    size: int = 0
    is_complete: bool = False
    deadline: float | None = None
    nesting: "Nesting" = field(default_factory=lambda: Nesting(JSON_DEPTH))

    async def next(self) -> Message:
        """The next message. Raises HTTPException or BadHoldings."""
        if self.is_complete:
            return await self.receive()
        if self.deadline is None:
            self._refuse_at_once()
            self.deadline = asyncio.get_running_loop().time() + self.seconds
        try:
            async with asyncio.timeout_at(self.deadline):
                message = await self.receive()
        except TimeoutError:
            raise HTTPException(408, headers=CLOSE) from None
        piece = message.get("body", b"")
        self.size += len(piece)
        if self.size > self._most:
            raise self._too_large()
        if not self._is_form and self.nesting.is_too_deep(piece):
            raise HTTPException(400, headers=CLOSE)
        self.is_complete = not message.get("more_body", False)
        return message

    def _refuse_at_once(self) -> None:
        """What the headers alone condemn."""
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            if self._is_form:
                raise BadHoldings([problem("ERR_CSV_002", column="file", kind="a compressed request")])
            raise HTTPException(415, headers=CLOSE)
        declared = self.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self._most:
            raise self._too_large()

    @property
    def _is_form(self) -> bool:
        return self.headers.get("content-type", "").lower().lstrip().startswith("multipart/")

    @property
    def _most(self) -> int:
        return FILE_BODY_BYTES if self._is_form else JSON_BYTES

    def _too_large(self) -> Exception:
        if self._is_form:
            limit = MAX_BYTES // 1024**2
            return BadHoldings([problem("ERR_CSV_001", column="file", limit_mib=limit)])
        return HTTPException(413, headers=CLOSE)


class Nesting:
    """Follows JSON as it arrives and tells when its lists and objects lie too deep in each other."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._depth = 0
        self._in_text = self._after_backslash = False

    def is_too_deep(self, piece: bytes) -> bool:
        """Whether any place up to the end of this piece is too deep."""
        for byte in piece:
            if self._after_backslash:
                self._after_backslash = False
            elif self._in_text:
                self._after_backslash = byte == 0x5C
                self._in_text = byte != 0x22
            elif byte == 0x22:
                self._in_text = True
            elif byte in b"[{":
                self._depth += 1
                if self._depth > self._most:
                    return True
            elif byte in b"]}":
                self._depth -= 1
        return False
