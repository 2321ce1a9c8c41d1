"""From a request's header to the caller: the token is verified, its subject becomes a user.

An id in the address that cannot be one is the same 404 as an absent one, without asking the database.

Knows nothing of what a caller may see; that stands in the queries.
"""

import re
from collections import OrderedDict
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from glassfolio.errors import NotFound, NotSignedIn
from glassfolio.model.run import Trigger
from glassfolio.onboarding import Caller
from glassfolio.store import portfolios
from glassfolio.wiring import Parts

SUBJECTS_KEPT = 10_000
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


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


async def caller(request: Request) -> Caller:
    """Who asks. Raises NotSignedIn, and NotFound when an id in the address is malformed."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotSignedIn
    parts = await parts_of(request)
    identity = parts.verifier.verify(token.strip(), parts.clock.now())
    ids = [value for name, value in request.path_params.items() if name.endswith("_id")]
    if not all(ID.fullmatch(value) for value in ids):
        raise NotFound
    users: Users = request.app.state.users
    user_id = users.known(identity.subject)
    if user_id is None:
        user_id = await run_in_threadpool(users.id_of, identity.subject)
    return Caller(user_id, Trigger.USER)


SignedIn = Annotated[Caller, Depends(caller)]
PartsOf = Annotated[Parts, Depends(parts_of)]
