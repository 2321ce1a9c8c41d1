"""Prices, and what was asked of providers."""

import sqlalchemy as sa

from glassfolio.db.tables.types import Moment, metadata

symbol = sa.Table(
    "symbol",
    metadata,
    sa.Column("symbol", sa.String(40), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False),  # rises with every change of its prices
    sqlite_with_rowid=False,
)

price = sa.Table(
    "price",
    metadata,
    sa.Column("symbol", sa.String(40), primary_key=True),
    sa.Column("session", sa.Date, primary_key=True),
    sa.Column("close", sa.Double, nullable=False),
    sa.Column("split", sa.Double, nullable=False),
    sa.Column("dividend", sa.Double, nullable=False),
    sa.Column("adj_close", sa.Double),
    sa.Column("volume", sa.BigInteger),
    sa.Column("basis", sa.String(20), nullable=False),
    sa.Column("provider", sa.String(20), nullable=False),
    sqlite_with_rowid=False,
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("symbol", sa.String(40), primary_key=True),
    sa.Column("session", sa.Date, primary_key=True),
    sa.Column("provider", sa.String(20), primary_key=True),
    sa.Column("reason", sa.String(40), nullable=False),
    sqlite_with_rowid=False,
)

# What was asked of a provider and answered, with bars or without: the plan is the calendar minus this.
coverage = sa.Table(
    "coverage",
    metadata,
    sa.Column("symbol", sa.String(40), primary_key=True),
    sa.Column("provider", sa.String(20), primary_key=True),
    sa.Column("start", sa.Date, primary_key=True),
    sa.Column("end", sa.Date, nullable=False),
    sa.Column("outcome", sa.String(20), nullable=False),  # ok, or the kind of failure
    sa.Column("asked_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

# Requests a provider still allows, shared by all workers; moments by the database's clock.
allowance = sa.Table(
    "allowance",
    metadata,
    sa.Column("provider", sa.String(20), primary_key=True),
    sa.Column("tokens", sa.Double, nullable=False),
    sa.Column("refilled", sa.Double, nullable=False),
    sa.Column("paused_until", sa.Double, nullable=False),
)
