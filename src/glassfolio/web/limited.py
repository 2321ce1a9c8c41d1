"""The one dependency in front of every route: the caller's limits are charged before anything is looked up.

Knows the route's class and its caller, and nothing of what the route does.
"""

from typing import Annotated, Any

from fastapi import Depends, Query, Request

from glassfolio.web.access import MaybeVisiting, SignedIn, Watching, address_of
from glassfolio.web.limits import Limits, RouteClass


def limits_of(request: Request) -> Limits:
    """The counters of this process."""
    counters: Limits = request.app.state.limits
    return counters


async def sign_in_allowed(request: Request) -> None:
    """Spare the cryptography for an address from which too many sign-ins failed."""
    limits_of(request).check_sign_in(address_of(request))


class Limited:
    """A route's class, as a dependency that charges it."""

    def __init__(self, of: RouteClass) -> None:
        self.of = of

    async def __call__(
        self, request: Request, _allowed: Annotated[None, Depends(sign_in_allowed)], caller: SignedIn
    ) -> None:
        """Charge the caller, or raise TooManyRequests."""
        charge(request, caller.user_id, self.of)


class LimitedStream(Limited):
    """The class of a stream, which a ticket opens too."""

    def __init__(self) -> None:
        super().__init__(RouteClass.STREAM)

    async def __call__(
        self, request: Request, _allowed: Annotated[None, Depends(sign_in_allowed)], caller: Watching
    ) -> None:
        """Charge the caller, or raise TooManyRequests."""
        charge(request, caller.user_id, self.of)


class LimitedUpload(Limited):
    """The class of an upload; one that only checks the file is counted apart."""

    def __init__(self) -> None:
        super().__init__(RouteClass.UPLOAD)

    async def __call__(
        self,
        request: Request,
        _allowed: Annotated[None, Depends(sign_in_allowed)],
        caller: SignedIn,
        dry_run: Annotated[bool, Query()] = False,
    ) -> None:
        """Charge the caller, or raise TooManyRequests."""
        charge(request, caller.user_id, RouteClass.DRY_RUN if dry_run else self.of)


async def limited_page(
    request: Request, _allowed: Annotated[None, Depends(sign_in_allowed)], visitor: MaybeVisiting
) -> None:
    """Charge whoever is signed in for a page, or raise TooManyRequests."""
    if visitor is not None:
        charge(request, visitor.user_id, RouteClass.OTHER)


def charge(request: Request, user_id: str, of: RouteClass) -> None:
    """Count a request of a caller; its answer will tell the standing. Raises TooManyRequests."""
    thing = next((str(value) for name, value in request.path_params.items() if name.endswith("_id")), "")
    request.state.standing = limits_of(request).charge(of, user_id, thing)


def limited(of: RouteClass) -> Any:
    """What a route lists among its dependencies."""
    return Depends(Limited(of))
