"""What browsers are told and asked for safety's sake: headers, content policy, same-origin check, CORS.

Knows nothing of who is asking or of what a page shows.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glassfolio.errors import CrossSite
from glassfolio.settings import Settings

POWERS = (
    "accelerometer",
    "autoplay",
    "camera",
    "clipboard-read",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "publickey-credentials-get",
    "screen-wake-lock",
    "usb",
    "xr-spatial-tracking",
)
ASKED = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID")
SHOWN = (
    "ETag",
    "Idempotency-Replayed",
    "Retry-After",
    "Location",
    "Operation-Location",
    "RateLimit",
    "RateLimit-Policy",
    "Content-Disposition",
)
PREFLIGHT_SECONDS = 600


def content_policy(hosts: Sequence[str] = ()) -> str:
    """The Content-Security-Policy of every page. hosts: other origins whose scripts may run and be asked."""
    more = "".join(f" {host}" for host in hosts)
    return (
        f"default-src 'none'; script-src 'self'{more}; style-src 'self'; img-src 'self' data:{more}; "
        f"font-src 'self'; connect-src 'self'{more}; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    )


def page_headers(settings: Settings) -> dict[str, str]:
    """The headers of every page."""
    return {
        "Content-Security-Policy": content_policy(settings.csp_hosts),
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": ", ".join(f"{power}=()" for power in POWERS),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Vary": "Cookie",
    }


class NoSniff:
    """Tells browsers of every answer not to guess what it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add the header to its answer."""

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self._app(scope, receive, telling)


def install(app: FastAPI, settings: Settings) -> None:
    """Add what goes around all routes; to be called last, since what is added last is outermost."""
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=ASKED,
            expose_headers=SHOWN,
            max_age=PREFLIGHT_SECONDS,
        )
    app.add_middleware(NoSniff)


async def same_origin(request: Request) -> None:
    """Let a page's own requests pass. Raises CrossSite.

    A browser says where a request comes from, in `Sec-Fetch-Site` or, an older one, in `Origin`; whoever
    says nothing is refused. (Pages that send no referrer have the `Origin` null in their forms.)
    """
    settings: Settings = request.app.state.parts.settings
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = {settings.address, f"{request.url.scheme}://{request.headers.get('host', '')}"}
    if site is not None and site != "same-origin":
        raise CrossSite
    if origin not in own and not (site is not None and origin in (None, "null")):
        raise CrossSite


SameOrigin = Annotated[None, Depends(same_origin)]
