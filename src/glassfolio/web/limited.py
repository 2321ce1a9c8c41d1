"""The one dependency in front of every route: the caller's limits are charged before anything is looked up.

Knows the route's class and its caller, and nothing of what the route does.
"""

from typing import Annotated, Any

from fastapi import Depends, Query, Request

from glassfolio.onboarding import Caller
from glassfolio.web.access import MaybeVisiting, Watching, address_of, caller
from glassfolio.web.limits import Limits, RouteClass


def limits_of(request: Request) -> Limits:
    """The counters of this process."""
    counters: Limits = request.app.state.limits
    return counters


async def spare_cryptography(request: Request) -> None:
    """Turn away an address from which too many sign-ins failed. Raises TooManyRequests."""
    limits_of(request).check_sign_in(address_of(request))


class Limited:
    """A route's class, as a dependency that charges it."""

    def __init__(self, of: RouteClass) -> None:
        self.of = of

    async def __call__(self, request: Request) -> None:
        """Charge the caller, or raise TooManyRequests."""
        await charged(request, self.of)


class LimitedStream:
    """The class of a stream, which a ticket opens too."""

    async def __call__(
        self, request: Request, _allowed: Annotated[None, Depends(spare_cryptography)], watching: Watching
    ) -> None:
        """Charge the caller, or raise TooManyRequests."""
        charge(request, watching.user_id, RouteClass.STREAM)


class LimitedUpload:
    """The class of an upload; one that only checks the file is counted apart."""

    async def __call__(self, request: Request, dry_run: Annotated[bool, Query()] = False) -> None:
        """Charge the caller, or raise TooManyRequests."""
        await charged(request, RouteClass.DRY_RUN if dry_run else RouteClass.UPLOAD)


async def limited_page(
    request: Request, _allowed: Annotated[None, Depends(spare_cryptography)], visitor: MaybeVisiting
) -> None:
    """Charge whoever is signed in for a page, or raise TooManyRequests."""
    if visitor is not None:
        charge(request, visitor.user_id, RouteClass.OTHER)


async def charged(request: Request, of: RouteClass) -> Caller:
    """Who asks, once charged. Raises TooManyRequests, NotSignedIn, NotFound."""
    await spare_cryptography(request)
    found = await caller(request)
    charge(request, found.user_id, of)
    return found


def charge(request: Request, user_id: str, of: RouteClass) -> None:
    """Count a request of a caller; its answer will tell the standing. Raises TooManyRequests."""
    thing = next((str(value) for name, value in request.path_params.items() if name.endswith("_id")), "")
    request.state.standing = limits_of(request).charge(of, user_id, thing)


def limited(of: RouteClass) -> Any:
    """What a route lists among its dependencies."""
    return Depends(Limited(of))
