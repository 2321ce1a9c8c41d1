"""Bounds on what a request may carry, counted while it arrives.

Knows nothing of callers or routes.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glassfolio.errors import BadHoldings
from glassfolio.imports.problems import problem
from glassfolio.imports.text import MAX_BYTES

# The form around a file: field names, boundaries, a description of 1,000 characters.
FORM_BYTES = 64 * 1024
MOST_BODY_BYTES = MAX_BYTES + FORM_BYTES


class BodyLimit:
    """Refuses bodies over the size of the largest file, whatever their header says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a receive that counts, and believes a declared length that is too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = 0
        declared = Headers(scope=scope).get("content-length", "")
        too_long = declared.isdecimal() and int(declared[:20]) > MOST_BODY_BYTES

        async def counting() -> Message:
            nonlocal received
            if too_long:
                raise _too_large()
            message = await receive()
            received += len(message.get("body", b""))
            if received > MOST_BODY_BYTES:
                raise _too_large()
            return message

        await self._app(scope, counting, send)


def _too_large() -> BadHoldings:
    return BadHoldings([problem("ERR_CSV_001", column="file", limit_mib=MAX_BYTES // 1024**2)])
