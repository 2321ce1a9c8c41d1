"""Pages for people: the frame around them, the list of portfolios, and problems shown as pages.

Templates escape everything by themselves. Knows nothing of how somebody signs in.
"""

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glassfolio import __version__
from glassfolio.errors import NotFound
from glassfolio.web.access import MaybeVisiting, PartsOf, Visitor
from glassfolio.web.errors import MEDIA_TYPE
from glassfolio.web.limited import limited_page
from glassfolio.web.page_security import page_headers
from glassfolio.web.wording import FILTERS

HERE = Path(__file__).parent
TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters.update(FILTERS)
# Addresses of programs: what they get wrong is told as JSON, whatever they accept.
PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics", "/session/", "/static/", "/.well-known/")


class Static(StaticFiles):
    """Files that a browser asks about each time, so that a page never runs with those of an older version."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        """A file, or that the browser has it."""
        answer = super().file_response(*arguments, **named)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


STATIC = Static(directory=HERE / "static")

router = APIRouter(
    include_in_schema=False, default_response_class=HTMLResponse, dependencies=[Depends(limited_page)]
)


def page(
    request: Request, template: str, status: int = 200, *, visitor: Visitor | None = None, **shown: Any
) -> HTMLResponse:
    """A page of a template, with the headers that every page has. visitor: whose name the frame shows."""
    settings = request.app.state.parts.settings
    text = TEMPLATES.get_template(template).render(
        visitor=visitor, local=settings.auth == "local", version=__version__, **shown
    )
    return HTMLResponse(text, status, headers=page_headers(settings))


@router.get("/")
async def home(request: Request, parts: PartsOf, visitor: MaybeVisiting) -> Response:
    """The visitor's portfolios, or the way in."""
    if visitor is None:
        return sign_in_page(request)
    items = await run_in_threadpool(parts.reading.portfolios, visitor.user_id)
    latest = await run_in_threadpool(parts.reading.latest, visitor.user_id)
    return page(request, "home.html", visitor=visitor, portfolios=items, latest=latest)


def sign_in_page(
    request: Request, status: int = 200, said: str = "", subject: str = "", to: str = ""
) -> HTMLResponse:
    """The way in. said: why the last try did not succeed. subject: the name to keep in the form.
    to: the page that was asked for.
    """
    parties = request.app.state.parts.settings.jwt_parties
    elsewhere = [party for party in parties if party.startswith(("https://", "http://"))]
    return page(request, "sign_in.html", status, said=said, subject=subject, to=to, elsewhere=elsewhere)


class ErrorPages:
    """Shows a problem as a page where a person asked for one; the status and its headers stay."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; a problem in answer to a browser is drawn."""
        request = Request(scope) if scope["type"] == "http" else None
        if request is None or not wants_page(request):
            await self._app(scope, receive, send)
            return
        begun: Message | None = None
        body = b""

        async def drawing(message: Message) -> None:
            nonlocal begun, body
            if (
                message["type"] == "http.response.start"
                and (b"content-type", MEDIA_TYPE.encode()) in message["headers"]
            ):
                begun = message
            elif begun is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    await error_page(request, begun["status"], json.loads(body), begun["headers"])(
                        scope, receive, send
                    )

        await self._app(scope, receive, drawing)


def wants_page(request: Request) -> bool:
    """Whether a person asks for a page, with a browser."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(PROGRAMS)


def error_page(
    request: Request, status: int, problem: dict[str, Any], headers: list[tuple[bytes, bytes]]
) -> HTMLResponse:
    """A problem as a page; without a sign-in, the way in."""
    if status == 401:
        answer = sign_in_page(request, status, to=request.url.path)
    else:
        answer = page(
            request,
            "error.html",
            status,
            title=problem["title"],
            detail=str(NotFound()) if status == 404 else problem["detail"],
            request_id=problem.get("request_id"),
        )
    kept = {b"retry-after", b"allow"}
    answer.raw_headers.extend((name, value) for name, value in headers if name in kept)
    return answer
