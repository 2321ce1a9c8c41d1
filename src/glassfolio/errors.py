"""Every exception that glassfolio raises, drawn as a tree; a docstring is the default message.

    GlassfolioError
    ├── NotFound                    the same answer for absent, deleted and foreign
    ├── NotSignedIn                 no token, or one that does not hold
    ├── NotAllowed                  known, but without the right
    │   ├── OperatorsOnly
    │   ├── LookingOnly             somebody who acts in another's place wants to change something
    │   └── CrossSite               a page elsewhere sent this
    ├── Refused                     what a person sent cannot be accepted
    │   ├── BadHoldings             a file or form with problems, all of them at once
    │   ├── AccountNameTaken
    │   ├── LinkSpent               a one-time sign-in link that opens nothing any more
    │   ├── WrongPassword
    │   ├── TooManyTries
    │   ├── BadPassword             one that cannot be taken
    │   ├── RunActive               the run is still at work
    │   ├── RunEnded                the run is over
    │   ├── NothingToValue          no lot can be valued on any session
    │   ├── BadIdempotencyKey       one that cannot be taken
    │   ├── BadScope                a batch that may not begin, with every reason
    │   ├── IdempotencyKeyReused    for another request than the first
    │   ├── IdempotencyKeyInUse     the first request is still being handled
    │   └── TooManyRequests         a limit is reached; it says when to come back
    ├── ServiceFull                 this process holds as much as it can at once
    ├── SettingsError               the environment does not make sense
    ├── StorageError                the database cannot do what is asked just now
    │   ├── StorageFull
    │   ├── StorageReadOnly
    │   └── StorageUnavailable
    ├── MigrationNeeded             the database's tables are older than the program
    ├── ProviderFault               the price source cannot go on; the run ends and can be retried
    │   ├── ProviderUnavailable
    │   ├── ProviderRateLimited
    │   └── ProviderKeyRejected
    └── Superseded                  this worker's turn at the run is over; it writes nothing more

Knows nothing of HTTP: status codes are chosen in one place in the web layer.
"""

from collections.abc import Sequence
from typing import TypeVar

Thing = TypeVar("Thing")


class GlassfolioError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])


class NotFound(GlassfolioError):
    """There is nothing here for you."""


def or_not_found(thing: Thing | None) -> Thing:
    """What a look-up has brought; raises NotFound where it has brought nothing."""
    if thing is None:
        raise NotFound
    return thing


class NotSignedIn(GlassfolioError):
    """Please sign in: the request carries no valid token."""


class NotAllowed(GlassfolioError):
    """You may not do this."""


class OperatorsOnly(NotAllowed):
    """Only operators may do this."""


class LookingOnly(NotAllowed):
    """Whoever acts in somebody's place may look, and change nothing."""


class CrossSite(NotAllowed):
    """The request did not come from a page of this service."""


class Refused(GlassfolioError):
    """What was sent cannot be accepted."""


class LinkSpent(Refused):
    """The sign-in link has been used or is too old; `glassfolio token --link` makes another."""


class WrongPassword(Refused):
    """Name and password do not belong together."""


class TooManyTries(Refused):
    """Too many wrong passwords; wait a while."""

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


class BadPassword(Refused):
    """A password has 12 to 256 characters."""


class BadHoldings(Refused):
    """The file or the form has problems; nothing was stored."""

    def __init__(self, problems: Sequence[object]) -> None:
        super().__init__()
        self.problems = tuple(problems)


class AccountNameTaken(Refused):
    """You already have a portfolio with this account name."""

    def __init__(self, portfolio_id: str) -> None:
        super().__init__()
        self.portfolio_id = portfolio_id


class RunActive(Refused):
    """The run is still at work; wait for its end or cancel it first."""


class RunEnded(Refused):
    """The run is over; there is nothing to cancel."""


class NothingToValue(Refused):
    """Nothing in this file can be valued."""


class BadIdempotencyKey(Refused):
    """An Idempotency-Key is sent once and has 1 to 255 printable ASCII characters."""


class BadScope(Refused):
    """The scope cannot be taken; nothing was started."""

    def __init__(self, problems: Sequence[object]) -> None:
        super().__init__()
        self.problems = tuple(problems)


class IdempotencyKeyReused(Refused):
    """Another request came with this Idempotency-Key; take a new key for a new request."""


class IdempotencyKeyInUse(Refused):
    """The first request with this Idempotency-Key is still being handled; ask again in a moment."""


class TooManyRequests(Refused):
    """Too many requests in a short time; wait a little and try again."""

    def __init__(self, policy: str, retry_after: int, quota: int = 0, window: int = 0) -> None:
        """policy: the limit's name. retry_after: whole seconds. quota: requests in `window` seconds, or 0."""
        super().__init__()
        self.policy = policy
        self.retry_after = retry_after
        self.quota = quota
        self.window = window


class ServiceFull(GlassfolioError):
    """The service holds as many connections as it can; try again shortly."""


class SettingsError(GlassfolioError):
    """The settings do not make sense."""


class StorageError(GlassfolioError):
    """The database cannot do this just now; nothing was lost, try again shortly."""


class StorageFull(StorageError):
    """The disk is full; free some space and try again. Nothing was lost."""


class StorageReadOnly(StorageError):
    """The database cannot be written to; check the permissions of the data folder. Nothing was lost."""


class StorageUnavailable(StorageError):
    """The database does not answer; nothing was lost, try again shortly."""


class MigrationNeeded(GlassfolioError):
    """The database is older than this program; run `glassfolio migrate`."""


class ProviderFault(GlassfolioError):
    """The price source cannot go on."""


class ProviderUnavailable(ProviderFault):
    """The price source does not answer."""


class ProviderRateLimited(ProviderFault):
    """The price source allows no more requests for now."""

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__()
        self.retry_after = retry_after


class ProviderKeyRejected(ProviderFault):
    """The price source refused our key."""


class Superseded(GlassfolioError):
    """Another worker has taken over this run."""
