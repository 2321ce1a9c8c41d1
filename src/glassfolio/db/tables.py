"""The schema on one page, but for the tables of runs. Ids are UUIDv4 as text; moments are UTC; sessions are
dates of the exchange.

Knows nothing of how rows are made or read.
"""

import sqlalchemy as sa

from glassfolio.db.columns import Exact, Moment, metadata
from glassfolio.db.columns import identifier as _id
from glassfolio.db.run_tables import (
    activity,
    chunk,
    experience,
    phase,
    run,
    status_document,
    symbol_outcome,
    trail,
    worker,
)

__all__ = [
    "SNAPSHOT_NUMBERS",
    "Exact",
    "Moment",
    "activity",
    "allowance",
    "chunk",
    "coverage",
    "experience",
    "exposure",
    "flow",
    "lot",
    "metadata",
    "metric",
    "phase",
    "portfolio",
    "price",
    "quarantine",
    "run",
    "snapshot",
    "snapshot_factor",
    "status_document",
    "symbol",
    "symbol_outcome",
    "trail",
    "user",
    "worker",
]

user = sa.Table(
    "app_user",
    metadata,
    sa.Column("id", _id(), primary_key=True),
    sa.Column("subject", sa.String(255), nullable=False, unique=True),
    sa.Column("created_at", Moment, nullable=False),
)

portfolio = sa.Table(
    "portfolio",
    metadata,
    sa.Column("id", _id(), primary_key=True),
    sa.Column("owner_id", _id(), sa.ForeignKey("app_user.id"), nullable=False),
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
    sa.Column("shown_run", _id()),  # the run that the status address answers
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
    sa.Column("portfolio_id", _id(), sa.ForeignKey("portfolio.id"), primary_key=True),
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
    sa.Column("portfolio_id", _id(), sa.ForeignKey("portfolio.id"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("session", sa.Date, nullable=False),
    sa.Column("amount", Exact, nullable=False),  # contribution +, withdrawal -
    sqlite_with_rowid=False,
)

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

# Betas and metrics are kept in blocks of 64 sessions (session ordinal // 64), little-endian arrays.
exposure = sa.Table(
    "exposure",
    metadata,
    sa.Column("factor_set", sa.String(20), primary_key=True),
    sa.Column("model", sa.String(20), primary_key=True),
    sa.Column("symbol", sa.String(40), primary_key=True),
    sa.Column("block", sa.Integer, primary_key=True),
    sa.Column("keys", sa.Text, nullable=False),  # comma-separated factor keys, the order inside value, stderr
    sa.Column("value", sa.LargeBinary, nullable=False),  # (64, K) float64
    sa.Column("stderr", sa.LargeBinary, nullable=False),  # (64, K) float64
    sa.Column("r2", sa.LargeBinary, nullable=False),  # (64,) float64
    sa.Column("n", sa.LargeBinary, nullable=False),  # (64,) int16
    sa.Column("reason", sa.LargeBinary, nullable=False),  # (64, K) int8, codes of model.results
    sa.Column("warnings", sa.LargeBinary, nullable=False),  # (64, K) int16, bits of model.results
    sa.Column("last", sa.Integer, nullable=False),  # ordinal of the last session that was computed
    sa.Column("inputs", sa.String(64), nullable=False),
    sqlite_with_rowid=False,
)

metric = sa.Table(
    "metric",
    metadata,
    sa.Column("symbol", sa.String(40), primary_key=True),
    sa.Column("metric", sa.String(30), primary_key=True),
    sa.Column("block", sa.Integer, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),  # (64,) float64
    sa.Column("n", sa.LargeBinary, nullable=False),  # (64,) int16
    sa.Column("reason", sa.LargeBinary, nullable=False),  # (64,) int8, codes of model.results
    sa.Column("last", sa.Integer, nullable=False),  # ordinal of the last session that was computed
    sa.Column("inputs", sa.String(64), nullable=False),
    sqlite_with_rowid=False,
)

SNAPSHOT_NUMBERS = (
    "nav",
    "cash",
    "value",
    "long",
    "short",
    "gross",
    "net",
    "leverage",
    "net_leverage",
    "value_coverage",
    "stale_value_share",
    "pnl",
    "realised",
    "unrealised",
    "income",
    "flow",
    "cum_pnl",
    "cum_income",
    "cum_flow",
    "daily_return",
    "twr_cum",
    "drawdown",
    "hhi",
    "effective_n",
    "top_3",
    "top_10",
)

snapshot = sa.Table(
    "snapshot",
    metadata,
    sa.Column("portfolio_id", _id(), sa.ForeignKey("portfolio.id"), primary_key=True),
    sa.Column("session", sa.Date, primary_key=True),
    *(sa.Column(name, sa.Double) for name in SNAPSHOT_NUMBERS),
    sa.Column("positions", sa.Integer, nullable=False),
    sa.Column("lots", sa.Integer, nullable=False),
    sa.Column("inputs", sa.String(64), nullable=False),
    sqlite_with_rowid=False,
)

snapshot_factor = sa.Table(
    "snapshot_factor",
    metadata,
    sa.Column("portfolio_id", _id(), sa.ForeignKey("portfolio.id"), primary_key=True),
    sa.Column("session", sa.Date, primary_key=True),
    sa.Column("factor", sa.String(40), primary_key=True),
    sa.Column("beta", sa.Double),
    sa.Column("dollars", sa.Double),
    sa.Column("coverage", sa.Double),
    sa.Column("age", sa.Integer),  # sessions since the betas' own session
    sa.Column("reason", sa.String(30)),
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
