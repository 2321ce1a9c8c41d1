"""From a request to whoever asks: the token or the cookie is checked, its subject becomes a user.

An id in the address that cannot be one is the same 404 as an absent one, without asking the database.

Knows nothing of what a caller may see; that stands in the queries.
"""

import ipaddress
import logging
import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.concurrency import run_in_threadpool

from glassfolio.errors import LookingOnly, NotFound, NotSignedIn, OperatorsOnly
from glassfolio.identity.claims import Identity
from glassfolio.identity.verifier import LONGEST_TOKEN, refuse
from glassfolio.model.run import Trigger
from glassfolio.model.scope import ID
from glassfolio.onboarding import Caller
from glassfolio.settings import Settings
from glassfolio.store import portfolios
from glassfolio.web.limits import Limits
from glassfolio.wiring import Parts

audit = logging.getLogger("glassfolio.audit")

SUBJECTS_KEPT = 10_000
LONGEST_TICKET = 100
TOKEN = re.compile(rb"eyJ[\w-]*\.[\w-]+\.[\w-]*")
LOOKING = ("GET", "HEAD")
SECURE_COOKIE, LOOPBACK_COOKIE, ISSUERS_COOKIE = "__Host-session", "session", "__session"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page. sign_in: as tokens name it. secret: of the built-in issuer's cookie, or the
    outside issuer's token. expires: when the sign-in is over.
    """

    user_id: str
    subject: str
    sign_in: str
    secret: str
    expires: datetime
    actor: str | None = None


async def parts_of(request: Request) -> Parts:
    """The parts this application was made of."""
    parts: Parts = request.app.state.parts
    return parts


class Users:
    """Internal ids of the subjects seen by this process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: OrderedDict[str, str] = OrderedDict()

    def known(self, subject: str) -> str | None:
        """The internal id of a subject this process has seen."""
        return self._known.get(subject)

    def id_of(self, subject: str) -> str:
        """The internal id of a subject, who becomes a user on first sight."""
        known = self._known.get(subject)
        if known is None:
            with self._parts.database.transaction() as connection:
                known = portfolios.user_id(connection, subject, self._parts.clock.now())
            self._known[subject] = known
            while len(self._known) > SUBJECTS_KEPT:
                self._known.popitem(last=False)
        return known


async def bearer(request: Request) -> Identity:
    """Whom the request's bearer token proves; checked once. Raises NotSignedIn, LookingOnly.

    Who acts in somebody's place may look only, and each of their requests is noted for the operator.
    """
    known: Identity | None = getattr(request.state, "identity", None)
    if known is not None:
        return known
    given = request.headers.getlist("authorization")
    if len(given) != 1 or len(given[0]) > LONGEST_TOKEN:
        refuse("no header, or one that cannot be")
    scheme, _, token = given[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        refuse("no bearer")
    if TOKEN.search(request.scope["query_string"]):
        refuse("a token in the address")
    parts = await parts_of(request)
    identity = await parts.verifier.verify(token.strip(), parts.clock.now())
    note_actor(request, identity)
    request.state.identity = identity
    return identity


def note_actor(request: Request, identity: Identity) -> None:
    """Note for the operator who acts in somebody's place. Raises LookingOnly when they change something."""
    if identity.actor is None:
        return
    allowed = request.method in LOOKING
    word = "looks at" if allowed else "is refused at"
    audit.info("%s for %s %s %s %s", identity.actor, identity.subject, word, request.method, request.url.path)
    if not allowed:
        raise LookingOnly


Bearer = Annotated[Identity, Depends(bearer)]


async def caller(request: Request) -> Caller:
    """Who asks. Raises NotSignedIn, and NotFound when an id in the address is malformed."""
    # Called, not declared: the framework takes longer over a dependency than it takes to find out.
    identity = await bearer(request)
    require_ids(request)
    return Caller(await user_id_of(request, identity.subject), Trigger.USER)


async def watcher(
    request: Request, ticket: Annotated[str | None, Query(max_length=LONGEST_TICKET)] = None
) -> Caller:
    """Who opens a stream, with a bearer token or, where that cannot be sent, with a ticket for it.

    Raises NotSignedIn, and NotFound when an id in the address is malformed.
    """
    if ticket is None or "authorization" in request.headers:
        return await caller(request)
    require_ids(request)
    parts = await parts_of(request)
    redeem = partial(parts.signing_in.redeem_ticket, **request.path_params)
    held = await run_in_threadpool(redeem, ticket)
    return Caller(held.user_id, Trigger.USER)


async def operator(request: Request, identity: Bearer) -> Caller:
    """An operator. Raises NotSignedIn, OperatorsOnly for everybody else, and NotFound for a malformed id.

    The right stands in the settings alone and is looked up for each request; no token can claim it, and
    nobody has it in another's place.
    """
    settings: Settings = request.app.state.parts.settings
    if identity.actor is not None or identity.subject not in settings.admins:
        raise OperatorsOnly
    require_ids(request)
    return Caller(await user_id_of(request, identity.subject), Trigger.ADMIN)


def require_ids(request: Request) -> None:
    """Raises NotFound when an id in the address cannot be one."""
    ids = [value for name, value in request.path_params.items() if name.endswith("_id")]
    if not all(ID.fullmatch(value) for value in ids):
        raise NotFound


async def user_id_of(request: Request, subject: str) -> str:
    """The internal id of a subject."""
    users: Users = request.app.state.users
    known = users.known(subject)
    return known if known is not None else await run_in_threadpool(users.id_of, subject)


def cookie_name(settings: Settings) -> str:
    """The cookie that a page's sign-in is kept in. Browsers take the safer name over https only."""
    if settings.auth == "jwt":
        return ISSUERS_COOKIE
    return SECURE_COOKIE if settings.address.startswith("https:") else LOOPBACK_COOKIE


async def find_visitor(request: Request) -> Visitor | None:
    """Who looks at a page, by the cookie; None when nobody is signed in."""
    parts = await parts_of(request)
    secret = request.cookies.get(cookie_name(parts.settings))
    if not secret:
        return None
    if parts.settings.auth == "jwt":
        return await _issuers_visitor(request, parts, secret)
    found = await run_in_threadpool(parts.signing_in.find, secret)
    if found is None:
        return None
    return Visitor(found.user_id, found.subject, found.sid, secret, found.expires_at)


async def _issuers_visitor(request: Request, parts: Parts, token: str) -> Visitor | None:
    limits: Limits = request.app.state.limits
    limits.check_sign_in(address_of(request))
    try:
        identity = await parts.verifier.verify(token, parts.clock.now())
    except NotSignedIn:
        limits.failed_sign_in(address_of(request))
        return None
    note_actor(request, identity)
    user_id = await user_id_of(request, identity.subject)
    expires = datetime.fromtimestamp(identity.expires, UTC)
    return Visitor(user_id, identity.subject, identity.sign_in, token, expires, identity.actor)


async def visitor(request: Request) -> Visitor:
    """Who looks at a page. Raises NotSignedIn, and NotFound when an id in the address is malformed."""
    found = await find_visitor(request)
    if found is None:
        raise NotSignedIn
    require_ids(request)
    return found


def address_of(request: Request) -> str:
    """Where a request comes from: the peer, or what a trusted proxy says of it.

    Of `X-Forwarded-For` only the last address counts that no trusted proxy has; what stands before it
    anybody could have written.
    """
    settings: Settings = request.app.state.parts.settings
    peer = request.client.host if request.client else ""
    if not settings.trusted_proxies:
        return peer
    hops = [hop.strip() for line in request.headers.getlist("x-forwarded-for") for hop in line.split(",")]
    while hops and _is_trusted(peer, settings):
        peer = hops.pop()
    return peer


def _is_trusted(address: str, settings: Settings) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return any((mapped or parsed) in network for network in settings.trusted_proxies)


SignedIn = Annotated[Caller, Depends(caller)]
Watching = Annotated[Caller, Depends(watcher)]
Operator = Annotated[Caller, Depends(operator)]
Visiting = Annotated[Visitor, Depends(visitor)]
MaybeVisiting = Annotated[Visitor | None, Depends(find_visitor)]
PartsOf = Annotated[Parts, Depends(parts_of)]
