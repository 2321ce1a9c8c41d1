"""Rows that store tests begin with: an owner, a portfolio, a run."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import sqlalchemy as sa

from glassfolio.batch.pipeline import NAMES
from glassfolio.model.holdings import InvestmentClass, Lot, Portfolio
from glassfolio.model.run import RunKind, Trigger
from glassfolio.store import portfolios, runs

NOW = datetime(2022, 12, 29, 12, 0, 0, 123000, tzinfo=UTC)
TOTALS = {"symbols": 2, "dates": 70}


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def lot(ordinal: int = 0, symbol: str = "AAPL", quantity: str = "100", price: str | None = "126.00") -> Lot:
    return Lot(
        ordinal=ordinal,
        line=ordinal + 2,
        symbol=symbol,
        quantity=Decimal(quantity),
        entry_price=None if price is None else Decimal(price),
        entry_date=date(2021, 3, 15),
        investment_class=InvestmentClass.PUBLIC,
    )


def add_portfolio(
    connection: sa.Connection,
    subject: str = "alice",
    *,
    account_name: str | None = None,
    equity: str = "100000.00",
    lots: tuple[Lot, ...] = (lot(),),
) -> Portfolio:
    """Store a portfolio of a subject; returns it as it was given."""
    item = Portfolio(
        id=str(uuid4()),
        owner_id=portfolios.user_id(connection, subject, NOW),
        name="Test",
        account_name=account_name or uuid4().hex,
        account_type="taxable",
        description="",
        equity=Decimal(equity),
        equity_as_of=None,
        anchor=None,
        created_at=NOW,
        shown_run=None,
    )
    portfolios.create(connection, item, lots, "template", "0" * 64)
    return item


def open_run(connection: sa.Connection, item: Portfolio, seconds: float = 0) -> str:
    """A queued run of a portfolio."""
    opening = runs.Opening(
        item.id,
        item.owner_id,
        RunKind.ONBOARDING,
        Trigger.USER,
        item.owner_id,
        date(2022, 9, 19),
        date(2022, 12, 28),
        TOTALS,
    )
    return runs.open_run(connection, opening, NAMES, later(seconds))
