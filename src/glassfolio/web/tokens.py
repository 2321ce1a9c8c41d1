"""Tokens over HTTP: the built-in issuer's key set, and tickets for streams that cannot send a token.

Knows nothing of streams.
"""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from glassfolio.errors import NotFound
from glassfolio.signing_in import TICKET_LIFE
from glassfolio.web.access import Bearer, PartsOf, SignedIn
from glassfolio.web.limited import limited
from glassfolio.web.limits import RouteClass

router = APIRouter(tags=["tokens"])


@router.get("/.well-known/jwks.json")
async def key_set(parts: PartsOf) -> dict[str, Any]:
    """The public keys of the built-in issuer (JWKS); needs no token, and is absent under an outside one."""
    if parts.issuer is None:
        raise NotFound
    return parts.issuer.public_keys()


@router.post(
    "/api/v1/onboarding/status/{portfolio_id}/stream-ticket",
    status_code=201,
    dependencies=[limited(RouteClass.STREAM)],
)
async def stream_ticket(portfolio_id: str, caller: SignedIn, identity: Bearer, parts: PartsOf) -> Response:
    """A ticket that opens the portfolio's stream once, within thirty seconds, without a token."""
    ticket = await run_in_threadpool(
        parts.signing_in.make_ticket, caller.user_id, identity.sign_in, portfolio_id
    )
    body = {"ticket": ticket, "expires_in": int(TICKET_LIFE.total_seconds())}
    return JSONResponse(body, 201, {"Cache-Control": "no-store"})
