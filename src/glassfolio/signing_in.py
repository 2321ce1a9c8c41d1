"""How a person comes in without an outside issuer, and goes: links, sign-ins, passwords; stream tickets.

Transactions are opened here. Knows nothing of HTTP, of cookies or of tokens.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import sqlalchemy as sa

from glassfolio.clock import Clock
from glassfolio.db.engine import Database
from glassfolio.errors import LinkSpent, NotSignedIn, TooManyTries, WrongPassword, or_not_found
from glassfolio.identity.opaque import digest, new_secret
from glassfolio.identity.password import hash_password, is_password
from glassfolio.store import access, portfolios
from glassfolio.store.access import SignIn, Ticket

LINK_LIFE = timedelta(minutes=10)
SIGN_IN_LIFE = timedelta(days=7)
TICKET_LIFE = timedelta(seconds=30)
MOST_TRIES = 5
TRIES_WINDOW = timedelta(minutes=15)
LINK, PASSWORD = "link", "password"


@dataclass(frozen=True)
class SigningIn:
    """The doors of local mode, and the tickets of both modes."""

    database: Database
    clock: Clock

    def make_link(self, subject: str) -> str:
        """The secret of a one-time link for a subject; it opens once, within ten minutes."""
        secret, now = new_secret(), self.clock.now()
        with self.database.transaction() as connection:
            access.add_link(connection, digest(secret), subject, now, now + LINK_LIFE)
        return secret

    def open_link(self, secret: str, cookie: str | None) -> str:
        """Sign in by a link; returns the new cookie, and the old one is worth nothing any more.

        Raises LinkSpent.
        """
        with self.database.transaction() as connection:
            subject = access.take_link(connection, digest(secret), self.clock.now())
            if subject is not None:
                return self._begin(connection, subject, LINK, cookie)
        raise LinkSpent

    def open_with_password(self, subject: str, password: str, address: str, cookie: str | None) -> str:
        """Sign in with a password; returns the new cookie.

        address: where the try comes from. Raises WrongPassword, TooManyTries.
        """
        self._check_password(subject, password, address)
        with self.database.transaction() as connection:
            return self._begin(connection, subject, PASSWORD, cookie)

    def _check_password(self, subject: str, password: str, address: str) -> None:
        account, place = digest(subject), digest(address)
        self._count_try(account, place)
        with self.database.reading() as connection:
            known = access.password_of(connection, subject)
        if not is_password(password, known):
            raise WrongPassword
        with self.database.transaction() as connection:
            access.forgive_tries(connection, account, place)

    def _count_try(self, account: str, place: str) -> None:
        now = self.clock.now()
        with self.database.transaction() as connection:
            last = access.count_try(connection, account, place, now, now - TRIES_WINDOW, MOST_TRIES)
        if last is not None:
            raise TooManyTries(max(1, math.ceil((last + TRIES_WINDOW - now).total_seconds())))

    def _begin(self, connection: sa.Connection, subject: str, way: str, cookie: str | None) -> str:
        now, secret = self.clock.now(), new_secret()
        if cookie is not None:
            access.end_sign_in(connection, digest(cookie))
        user_id = portfolios.user_id(connection, subject, now)
        begun = SignIn(user_id, subject, str(uuid4()), way, now, now + SIGN_IN_LIFE)
        access.add_sign_in(connection, digest(secret), begun)
        return secret

    def find(self, cookie: str) -> SignIn | None:
        """The sign-in behind a cookie; None when there is none or it is over."""
        with self.database.reading() as connection:
            return access.find_sign_in(connection, digest(cookie), self.clock.now())

    def sign_out(self, cookie: str, *, everywhere: bool = False) -> None:
        """End the sign-in behind a cookie, or all sign-ins of its person."""
        with self.database.transaction() as connection:
            found = access.find_sign_in(connection, digest(cookie), self.clock.now())
            access.end_sign_in(connection, digest(cookie))
            if everywhere and found is not None:
                access.end_sign_ins(connection, found.user_id)

    def has_password(self, subject: str) -> bool:
        """Whether a subject has set a password."""
        with self.database.reading() as connection:
            return access.password_of(connection, subject) is not None

    def set_password(self, cookie: str, current: str, wanted: str, address: str) -> None:
        """Set the password of whoever is behind a cookie; all their other sign-ins end.

        current: the password so far; who came by a link need not know it. Raises NotSignedIn, BadPassword,
        WrongPassword, TooManyTries.
        """
        found = self.find(cookie)
        if found is None:
            raise NotSignedIn
        if found.way == PASSWORD:
            self._check_password(found.subject, current, address)
        hashed = hash_password(wanted)
        with self.database.transaction() as connection:
            access.set_password(connection, found.user_id, hashed, self.clock.now())
            access.end_sign_ins(connection, found.user_id, but=digest(cookie))

    def make_ticket(self, user_id: str, sid: str, portfolio_id: str) -> str:
        """A ticket for the stream of a portfolio's shown run; good once, within thirty seconds.

        Raises NotFound.
        """
        secret, now = new_secret(), self.clock.now()
        with self.database.transaction() as connection:
            portfolio = or_not_found(portfolios.owned(connection, portfolio_id, user_id))
            ticket = Ticket(user_id, sid, portfolio_id, portfolio.shown_run)
            access.add_ticket(connection, digest(secret), ticket, now, now + TICKET_LIFE)
        return secret

    def redeem_ticket(
        self, secret: str, *, portfolio_id: str | None = None, run_id: str | None = None
    ) -> Ticket:
        """Use a ticket up for the stream of a portfolio, or of one run; returns whom it lets in.

        A ticket that was made for something else is used up as well. Raises NotSignedIn.
        """
        with self.database.transaction() as connection:
            ticket = access.take_ticket(connection, digest(secret), self.clock.now())
        if ticket is None or (portfolio_id is None and run_id is None):
            raise NotSignedIn
        if portfolio_id not in (None, ticket.portfolio_id) or run_id not in (None, ticket.run_id):
            raise NotSignedIn
        return ticket
