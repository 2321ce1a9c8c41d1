"""Users, portfolios and their lots. Every read for a person takes the owner in the query.

Knows nothing of files, runs or results.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import uuid4

import sqlalchemy as sa

from glassfolio.db import bulk
from glassfolio.db.tables import flow, lot, portfolio, run, user
from glassfolio.model.holdings import Flow, InvestmentClass, Lot, OptionContract, Portfolio
from glassfolio.model.run import Conclusion, RunState


def user_id(connection: sa.Connection, subject: str, now: datetime) -> str:
    """The internal id of a token's subject, who becomes a user on first sight."""
    known = connection.execute(sa.select(user.c.id).where(user.c.subject == subject)).scalar()
    if known is not None:
        return str(known)
    bulk.insert_missing(connection, user, id=str(uuid4()), subject=subject, created_at=now)
    return str(connection.execute(sa.select(user.c.id).where(user.c.subject == subject)).scalar_one())


def account_key(account_name: str) -> str:
    """What makes an account name the same as another: trimmed and case-folded."""
    return account_name.strip().casefold()


def create(
    connection: sa.Connection,
    portfolio_row: Portfolio,
    lots: Sequence[Lot],
    file_format: str,
    file_sha256: str,
) -> None:
    """Store a portfolio with its lots. Raises IntegrityError when the account name is taken."""
    connection.execute(
        sa.insert(portfolio).values(
            id=portfolio_row.id,
            owner_id=portfolio_row.owner_id,
            name=portfolio_row.name,
            account_name=portfolio_row.account_name,
            account_key=account_key(portfolio_row.account_name),
            account_type=portfolio_row.account_type,
            description=portfolio_row.description,
            equity=portfolio_row.equity,
            equity_as_of=portfolio_row.equity_as_of,
            anchor=portfolio_row.anchor,
            created_at=portfolio_row.created_at,
            file_format=file_format,
            file_sha256=file_sha256,
        )
    )
    connection.execute(sa.insert(lot), [_lot_row(portfolio_row.id, item) for item in lots])


def live_account(connection: sa.Connection, owner_id: str, account_name: str) -> str | None:
    """The id of the owner's live portfolio with this account name, if there is one."""
    return connection.execute(
        sa.select(portfolio.c.id).where(
            portfolio.c.owner_id == owner_id,
            portfolio.c.account_key == account_key(account_name),
            portfolio.c.deleted_at.is_(None),
        )
    ).scalar()


def owned(connection: sa.Connection, portfolio_id: str, owner_id: str) -> Portfolio | None:
    """A live portfolio of this owner; None also when it is somebody else's."""
    row = connection.execute(
        sa.select(portfolio).where(
            portfolio.c.id == portfolio_id,
            portfolio.c.owner_id == owner_id,
            portfolio.c.deleted_at.is_(None),
        )
    ).one_or_none()
    return _portfolio(row) if row else None


def all_of(connection: sa.Connection, owner_id: str) -> list[Portfolio]:
    """The owner's live portfolios, newest first."""
    rows = connection.execute(
        sa.select(portfolio)
        .where(portfolio.c.owner_id == owner_id, portfolio.c.deleted_at.is_(None))
        .order_by(portfolio.c.created_at.desc(), portfolio.c.id)
    )
    return [_portfolio(row) for row in rows]


class Latest(NamedTuple):
    """Where the run stands that a portfolio shows."""

    state: RunState
    conclusion: Conclusion | None
    percent: float


def latest(connection: sa.Connection, owner_id: str) -> dict[str, Latest]:
    """The shown runs of the owner's live portfolios, by portfolio; those never onboarded are left out."""
    rows = connection.execute(
        sa.select(portfolio.c.id, run.c.state, run.c.conclusion, run.c.percent)
        .join(run, run.c.id == portfolio.c.shown_run)
        .where(portfolio.c.owner_id == owner_id, portfolio.c.deleted_at.is_(None))
    )
    return {
        row.id: Latest(
            RunState(row.state), Conclusion(row.conclusion) if row.conclusion else None, row.percent
        )
        for row in rows
    }


def get(connection: sa.Connection, portfolio_id: str) -> Portfolio | None:
    """A live portfolio, whoever owns it: for the worker, never for a person's request."""
    row = connection.execute(
        sa.select(portfolio).where(portfolio.c.id == portfolio_id, portfolio.c.deleted_at.is_(None))
    ).one_or_none()
    return _portfolio(row) if row else None


def delete(connection: sa.Connection, portfolio_id: str, owner_id: str, now: datetime) -> bool:
    """Soft-delete a portfolio of this owner; its account name is free again."""
    deleted = connection.execute(
        sa.update(portfolio)
        .where(
            portfolio.c.id == portfolio_id,
            portfolio.c.owner_id == owner_id,
            portfolio.c.deleted_at.is_(None),
        )
        .values(deleted_at=now)
    )
    return deleted.rowcount == 1


def set_anchor(connection: sa.Connection, portfolio_id: str, anchor: date) -> None:
    """Fix the session whose NAV is the stated equity; once fixed it stays."""
    connection.execute(
        sa.update(portfolio)
        .where(portfolio.c.id == portfolio_id, portfolio.c.anchor.is_(None))
        .values(anchor=anchor)
    )


def lots(connection: sa.Connection, portfolio_id: str) -> tuple[Lot, ...]:
    """A portfolio's lots in the order of its file."""
    rows = connection.execute(
        sa.select(lot).where(lot.c.portfolio_id == portfolio_id).order_by(lot.c.ordinal)
    )
    return tuple(_lot(row) for row in rows)


def flows(connection: sa.Connection, portfolio_id: str) -> tuple[Flow, ...]:
    """A portfolio's external flows in order."""
    rows = connection.execute(
        sa.select(flow.c.session, flow.c.amount)
        .where(flow.c.portfolio_id == portfolio_id)
        .order_by(flow.c.ordinal)
    )
    return tuple(Flow(row.session, row.amount) for row in rows)


def _portfolio(row: sa.Row[Any]) -> Portfolio:
    return Portfolio(
        id=row.id,
        owner_id=row.owner_id,
        name=row.name,
        account_name=row.account_name,
        account_type=row.account_type,
        description=row.description,
        equity=row.equity,
        equity_as_of=row.equity_as_of,
        anchor=row.anchor,
        created_at=row.created_at,
        shown_run=row.shown_run,
    )


def _lot_row(portfolio_id: str, item: Lot) -> dict[str, Any]:
    option = item.option
    return {
        "portfolio_id": portfolio_id,
        "ordinal": item.ordinal,
        "line": item.line,
        "symbol": item.symbol,
        "quantity": item.quantity,
        "entry_price": item.entry_price,
        "entry_date": item.entry_date,
        "investment_class": item.investment_class.value,
        "subtype": item.subtype,
        "underlying": option.underlying if option else None,
        "expiry": option.expiry if option else None,
        "option_right": option.right if option else None,
        "strike": option.strike if option else None,
        "multiplier": option.multiplier if option else None,
        "exit_date": item.exit_date,
        "exit_price": item.exit_price,
        "raw": item.raw,
    }


def _lot(row: sa.Row[Any]) -> Lot:
    option = None
    if row.underlying is not None:
        option = OptionContract(
            row.underlying, row.expiry, row.option_right, row.strike, row.multiplier or Decimal(100)
        )
    return Lot(
        ordinal=row.ordinal,
        line=row.line,
        symbol=row.symbol,
        quantity=row.quantity,
        entry_price=row.entry_price,
        entry_date=row.entry_date,
        investment_class=InvestmentClass(row.investment_class),
        subtype=row.subtype,
        option=option,
        exit_date=row.exit_date,
        exit_price=row.exit_price,
        raw=row.raw,
    )
