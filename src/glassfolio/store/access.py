"""Sign-ins, one-time links, passwords and tickets, as rows. Secrets come here hashed, never plain.

What opens a door once is taken by deleting its row, so that of two takers one gets it. Knows nothing of
cookies, of tokens or of how a password is checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from glassfolio.db import bulk
from glassfolio.db.tables import password, password_tries, sign_in, sign_in_link, stream_ticket, user


@dataclass(frozen=True, slots=True)
class SignIn:
    """One browser's sign-in. sid: its public name, as tokens carry it. way: `link` or `password`."""

    user_id: str
    subject: str
    sid: str
    way: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a stream ticket lets in: one person's stream of one portfolio. sid: the sign-in it came from.

    run_id: the run that was shown when it was asked for; None when there was none.
    """

    user_id: str
    sid: str
    portfolio_id: str
    run_id: str | None


def add_link(
    connection: sa.Connection, digest: str, subject: str, now: datetime, expires_at: datetime
) -> None:
    """Keep a one-time link for a subject."""
    connection.execute(sa.delete(sign_in_link).where(sign_in_link.c.expires_at <= now))
    connection.execute(sa.insert(sign_in_link).values(digest=digest, subject=subject, expires_at=expires_at))


def take_link(connection: sa.Connection, digest: str, now: datetime) -> str | None:
    """Use a link up; returns its subject, None when it is spent, too old or never was."""
    row = connection.execute(
        sa.delete(sign_in_link)
        .where(sign_in_link.c.digest == digest)
        .returning(sign_in_link.c.subject, sign_in_link.c.expires_at)
    ).one_or_none()
    return str(row.subject) if row is not None and now < row.expires_at else None


def add_sign_in(connection: sa.Connection, digest: str, item: SignIn) -> None:
    """Keep a sign-in; those that are over go."""
    connection.execute(sa.delete(sign_in).where(sign_in.c.expires_at <= item.created_at))
    connection.execute(
        sa.insert(sign_in).values(
            digest=digest,
            user_id=item.user_id,
            sid=item.sid,
            way=item.way,
            created_at=item.created_at,
            expires_at=item.expires_at,
        )
    )


def find_sign_in(connection: sa.Connection, digest: str, now: datetime) -> SignIn | None:
    """The sign-in that a cookie's hash names; None when there is none or it is over."""
    row = connection.execute(
        sa.select(sign_in, user.c.subject)
        .join(user, user.c.id == sign_in.c.user_id)
        .where(sign_in.c.digest == digest, sign_in.c.expires_at > now)
    ).one_or_none()
    if row is None:
        return None
    return SignIn(row.user_id, row.subject, row.sid, row.way, row.created_at, row.expires_at)


def end_sign_in(connection: sa.Connection, digest: str) -> None:
    """End a sign-in, and with it the tickets it asked for."""
    _end(connection, sign_in.c.digest == digest)


def end_sign_ins(connection: sa.Connection, user_id: str, but: str | None = None) -> None:
    """End all sign-ins of a user; `but`: the hash of the one to keep."""
    _end(connection, sign_in.c.user_id == user_id, sign_in.c.digest != (but or ""))


def _end(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> None:
    ended = connection.execute(sa.delete(sign_in).where(*which).returning(sign_in.c.sid))
    sids = [row.sid for row in ended]
    connection.execute(sa.delete(stream_ticket).where(stream_ticket.c.sid.in_(sids)))


def set_password(connection: sa.Connection, user_id: str, hashed: str, now: datetime) -> None:
    """Keep a user's password hash in place of the one before."""
    values: Mapping[str, Any] = {"hash": hashed, "set_at": now}
    changed = connection.execute(sa.update(password).where(password.c.user_id == user_id).values(**values))
    if changed.rowcount == 0:
        connection.execute(sa.insert(password).values(user_id=user_id, **values))


def password_of(connection: sa.Connection, subject: str) -> str | None:
    """The password hash of a subject; None when there is no such user or no password."""
    return connection.execute(
        sa.select(password.c.hash)
        .join(user, user.c.id == password.c.user_id)
        .where(user.c.subject == subject)
    ).scalar()


def count_try(
    connection: sa.Connection, account: str, address: str, now: datetime, since: datetime, most: int
) -> datetime | None:
    """Count a try as a wrong one until it is forgiven; returns None when it may be made.

    When `most` wrong ones came in a row and the last of them after `since`, nothing is counted and the
    moment of that last one comes back. Tries at the same time are counted one after the other, in whatever
    order they read their clocks. A last one ahead of `now`, because the clock was set back, is taken for made
    now.
    """
    connection.execute(sa.delete(password_tries).where(password_tries.c.last_at <= since))
    made, last = password_tries.c.failures, password_tries.c.last_at
    moment = sa.literal(now, last.type)
    counted = bulk.insert_or_change(
        connection,
        password_tries,
        {"account": account, "address": address, "failures": 1, "last_at": now},
        {
            "failures": sa.case((made < most, made + 1), else_=most + 1),
            "last_at": sa.case((sa.or_(made < most, last > moment), moment), else_=last),
        },
    )
    refused_since: datetime | None = counted.last_at if counted.failures > most else None
    return refused_since


def forgive_tries(connection: sa.Connection, account: str, address: str) -> None:
    """Forget the wrong tries of an account at an address."""
    connection.execute(
        sa.delete(password_tries).where(
            password_tries.c.account == account, password_tries.c.address == address
        )
    )


def add_ticket(
    connection: sa.Connection, digest: str, ticket: Ticket, now: datetime, expires_at: datetime
) -> None:
    """Keep a stream ticket; those that are too old go."""
    connection.execute(sa.delete(stream_ticket).where(stream_ticket.c.expires_at <= now))
    connection.execute(
        sa.insert(stream_ticket).values(
            digest=digest,
            user_id=ticket.user_id,
            sid=ticket.sid,
            portfolio_id=ticket.portfolio_id,
            run_id=ticket.run_id,
            expires_at=expires_at,
        )
    )


def take_ticket(connection: sa.Connection, digest: str, now: datetime) -> Ticket | None:
    """Use a ticket up; None when it is spent, too old or never was."""
    row = connection.execute(
        sa.delete(stream_ticket).where(stream_ticket.c.digest == digest).returning(stream_ticket)
    ).one_or_none()
    if row is None or row.expires_at <= now:
        return None
    return Ticket(row.user_id, row.sid, row.portfolio_id, row.run_id)
