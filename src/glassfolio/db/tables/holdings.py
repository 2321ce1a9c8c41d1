"""What people hold: portfolios, their lots, and money that came in or went out."""

import sqlalchemy as sa

from glassfolio.db.tables.types import Exact, Moment, key, metadata

portfolio = sa.Table(
    "portfolio",
    metadata,
    sa.Column("id", key(), primary_key=True),
    sa.Column("owner_id", key(), sa.ForeignKey("app_user.id"), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("account_name", sa.String(100), nullable=False),
    sa.Column("account_key", sa.String(300), nullable=False),  # account_name trimmed and case-folded
    sa.Column("account_type", sa.String(20), nullable=False),
    sa.Column("description", sa.String(1000), nullable=False, server_default=""),
    sa.Column("equity", Exact, nullable=False),
    sa.Column("equity_as_of", sa.Date),  # as stated; null means the newest session of the first run
    sa.Column("anchor", sa.Date),  # the session whose NAV is the equity, fixed by the first run
    sa.Column("file_format", sa.String(40), nullable=False),
    sa.Column("file_sha256", sa.String(64), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("deleted_at", Moment),
    sa.Column("shown_run", key()),  # the run that the status address answers
)
sa.Index("ix_portfolio_owner", portfolio.c.owner_id, portfolio.c.id)
sa.Index(
    "uq_portfolio_live_account",
    portfolio.c.owner_id,
    portfolio.c.account_key,
    unique=True,
    sqlite_where=portfolio.c.deleted_at.is_(None),
    postgresql_where=portfolio.c.deleted_at.is_(None),
)

lot = sa.Table(
    "lot",
    metadata,
    sa.Column("portfolio_id", key(), sa.ForeignKey("portfolio.id"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("line", sa.Integer, nullable=False),
    sa.Column("symbol", sa.String(40), nullable=False),
    sa.Column("quantity", Exact, nullable=False),
    sa.Column("entry_price", Exact),
    sa.Column("entry_date", sa.Date),
    sa.Column("investment_class", sa.String(10), nullable=False),
    sa.Column("subtype", sa.String(20)),
    sa.Column("underlying", sa.String(40)),
    sa.Column("expiry", sa.Date),
    sa.Column("option_right", sa.String(1)),
    sa.Column("strike", Exact),
    sa.Column("multiplier", Exact),
    sa.Column("exit_date", sa.Date),
    sa.Column("exit_price", Exact),
    sa.Column("raw", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

flow = sa.Table(
    "flow",
    metadata,
    sa.Column("portfolio_id", key(), sa.ForeignKey("portfolio.id"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("session", sa.Date, nullable=False),
    sa.Column("amount", Exact, nullable=False),  # contribution +, withdrawal -
    sqlite_with_rowid=False,
)
