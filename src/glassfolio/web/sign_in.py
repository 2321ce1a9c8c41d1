"""Signing in and out on pages: one-time links, passwords, and short tokens for a page's own requests.

Knows nothing of how sign-ins are kept.
"""

import re
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from glassfolio.errors import (
    BadPassword,
    LinkSpent,
    NotFound,
    NotSignedIn,
    Refused,
    TooManyTries,
    WrongPassword,
)
from glassfolio.identity.issuer import LIFETIME_SECONDS
from glassfolio.model.scope import ID
from glassfolio.settings import Settings
from glassfolio.signing_in import PASSWORD, SIGN_IN_LIFE
from glassfolio.web.access import (
    MaybeVisiting,
    PartsOf,
    Visiting,
    Visitor,
    address_of,
    cookie_name,
)
from glassfolio.web.errors import STATUS
from glassfolio.web.limited import limited_page, limits_of
from glassfolio.web.page_security import SameOrigin, page_headers
from glassfolio.web.pages import page, sign_in_page
from glassfolio.wiring import Parts

router = APIRouter(include_in_schema=False, dependencies=[Depends(limited_page)])

LARGEST_FORM = 8 * 1024
MOST_FIELDS = 8
# Where a sign-in may lead: a page of this service, never an address of elsewhere.
ONWARD = re.compile(rf"/portfolios/(new|{ID.pattern}(/onboarding)?)", re.ASCII)


async def local_parts(parts: PartsOf) -> Parts:
    """The parts, where the built-in issuer is at work. Raises NotFound under an outside one."""
    if parts.settings.auth != "local":
        raise NotFound
    return parts


LocalParts = Annotated[Parts, Depends(local_parts)]


@router.get("/sign-in")
async def ask(request: Request, visitor: MaybeVisiting) -> Response:
    """The way in."""
    if visitor is not None:
        return _home(request)
    return sign_in_page(request)


@router.get("/sign-in/{one_time}")
async def open_link(request: Request, one_time: str, parts: LocalParts, to: str = "") -> Response:
    """Sign in by a link. to: the page it leads to."""
    try:
        secret = await run_in_threadpool(parts.signing_in.open_link, one_time, _cookie(request))
    except LinkSpent as error:
        limits_of(request).failed_sign_in(address_of(request))
        return sign_in_page(request, STATUS[LinkSpent], str(error))
    return _signed_in(request, secret, to)


@router.post("/sign-in")
async def open_with_password(request: Request, parts: LocalParts, _own: SameOrigin) -> Response:
    """Sign in with a password."""
    form = await read_form(request)
    subject = form.get("subject", "")
    try:
        secret = await run_in_threadpool(
            parts.signing_in.open_with_password,
            subject,
            form.get("password", ""),
            address_of(request),
            _cookie(request),
        )
    except (WrongPassword, TooManyTries) as error:
        limits_of(request).failed_sign_in(address_of(request))
        answer = sign_in_page(request, STATUS[type(error)], str(error), subject, form.get("to", ""))
        return _waiting(answer, error)
    return _signed_in(request, secret, form.get("to", ""))


@router.post("/sign-out")
async def sign_out(request: Request, parts: LocalParts, _own: SameOrigin) -> Response:
    """End this sign-in, or with the field `everywhere` all of this person's."""
    form = await read_form(request)
    secret = _cookie(request)
    if secret:
        await run_in_threadpool(parts.signing_in.sign_out, secret, everywhere="everywhere" in form)
    answer = _home(request)
    _set_cookie(answer, parts.settings, "", 0)
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@router.post("/session/token")
async def short_token(parts: PartsOf, visitor: Visiting, _own: SameOrigin) -> Response:
    """A bearer token for the page's own requests: a fresh one, or the outside issuer's own."""
    now = parts.clock.now()
    token, left = visitor.secret, int((visitor.expires - now).total_seconds())
    if parts.issuer is not None:
        left = min(LIFETIME_SECONDS, left)
        token = parts.issuer.token(visitor.subject, now, left, visitor.sign_in)
    return JSONResponse({"token": token, "expires_in": left}, headers={"Cache-Control": "no-store"})


@router.get("/account")
async def account(request: Request, parts: LocalParts, visitor: Visiting) -> Response:
    """Who is signed in, and the password."""
    return await _account_page(request, parts, visitor)


@router.post("/account/password")
async def set_password(request: Request, parts: LocalParts, visitor: Visiting, _own: SameOrigin) -> Response:
    """Set or change the password."""
    form = await read_form(request)
    try:
        await run_in_threadpool(
            parts.signing_in.set_password,
            visitor.secret,
            form.get("current", ""),
            form.get("wanted", ""),
            address_of(request),
        )
    except (BadPassword, WrongPassword, TooManyTries) as error:
        answer = await _account_page(request, parts, visitor, STATUS[type(error)], str(error))
        return _waiting(answer, error)
    return await _account_page(request, parts, visitor, said="The password is set.", fine=True)


async def _account_page(
    request: Request,
    parts: Parts,
    visitor: Visitor,
    status: int = 200,
    said: str = "",
    *,
    fine: bool = False,
) -> Response:
    found = await run_in_threadpool(parts.signing_in.find, visitor.secret)
    if found is None:
        raise NotSignedIn
    has_one = await run_in_threadpool(parts.signing_in.has_password, visitor.subject)
    return page(
        request,
        "account.html",
        status,
        visitor=visitor,
        since=found.created_at,
        until=found.expires_at,
        has_password=has_one,
        asks_current=found.way == PASSWORD,
        said=said,
        fine=fine,
    )


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a small form. Raises Refused for what no form of ours sends."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_FORM:
            raise Refused
    try:
        return dict(
            parse_qsl(
                body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
            )
        )
    except ValueError:
        raise Refused from None


def _waiting(answer: Response, error: Refused) -> Response:
    if isinstance(error, TooManyTries):
        answer.headers["Retry-After"] = str(error.seconds)
    return answer


def _cookie(request: Request) -> str | None:
    return request.cookies.get(cookie_name(request.app.state.parts.settings))


def _home(request: Request, to: str = "") -> Response:
    where = to if ONWARD.fullmatch(to) else "/"
    return RedirectResponse(where, 303, headers=page_headers(request.app.state.parts.settings))


def _signed_in(request: Request, secret: str, to: str) -> Response:
    settings: Settings = request.app.state.parts.settings
    answer = _home(request, to)
    _set_cookie(answer, settings, secret, int(SIGN_IN_LIFE.total_seconds()))
    return answer


def _set_cookie(answer: Response, settings: Settings, secret: str, seconds: int) -> None:
    answer.set_cookie(
        cookie_name(settings),
        secret,
        max_age=seconds,
        path="/",
        secure=settings.address.startswith("https:"),
        httponly=True,
        samesite="lax",
    )
