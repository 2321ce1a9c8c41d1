"""The schema on one page. Ids are UUIDv4 as text; moments are UTC; sessions are dates of the exchange.

Knows nothing of how rows are made or read.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """An aware UTC moment: timestamptz on PostgreSQL, sortable text on SQLite."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        """To UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Exact(TypeDecorator[Decimal]):
    """A decimal kept digit for digit: unconstrained NUMERIC on PostgreSQL, text on SQLite."""

    impl = sa.Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """Text where the database would make it a binary float."""
        return dialect.type_descriptor(sa.Text() if dialect.name == "sqlite" else sa.Numeric())

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> Decimal | str | None:
        """As its digits on SQLite."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, _dialect: sa.Dialect) -> Decimal | None:
        """Back to a Decimal."""
        return None if value is None else Decimal(value)


def _id() -> sa.String:
    return sa.String(36)


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

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", _id(), primary_key=True),
    sa.Column("portfolio_id", _id(), sa.ForeignKey("portfolio.id"), nullable=False),
    sa.Column("owner_id", _id(), nullable=False),
    sa.Column("kind", sa.String(12), nullable=False),  # onboarding, repair, nightly
    sa.Column("trigger", sa.String(10), nullable=False),  # user, admin, schedule, cli
    sa.Column("triggered_by", _id(), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),  # the owner's tries, from 1
    sa.Column("fence", sa.Integer, nullable=False),  # every hand-over inside the engine
    sa.Column("resumes", sa.Integer, nullable=False),  # take-overs within this attempt
    sa.Column("barren", sa.Integer, nullable=False),  # take-overs in a row without a committed unit
    sa.Column("errors", sa.Integer, nullable=False),  # engine endings without ours, in this attempt
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("conclusion", sa.String(24)),
    sa.Column("worker", sa.String(80)),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("percent", sa.Double, nullable=False),
    sa.Column("started_at", Moment, nullable=False),
    sa.Column("work_started_at", Moment),
    sa.Column("worked_seconds", sa.Double, nullable=False),  # working time, queue and downtime excluded
    sa.Column("worked_until", Moment),
    sa.Column("last_progress_at", Moment),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),
    sa.Column("first_session", sa.Date),
    sa.Column("last_session", sa.Date),
    sa.Column("completeness", sa.Double),
    sa.Column("failure_code", sa.String(30)),
    sa.Column("failure_phase", sa.String(30)),
    sa.Column("error_id", _id()),
    sa.Column("created_at", Moment),  # of the first attempt
    sa.Column("data_as_of", sa.Date),  # newest session with a close of a held symbol
    sa.Column("results_before", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("waiting_until", Moment),  # while the provider has asked to wait
    sa.Column("stalled_since", Moment),
    sa.Column("stalled_reason", sa.String(20)),
    sa.Column("retry_at", Moment),  # when a retry may help
    sa.Column("eta", sa.Text),  # JSON: the remaining time as it was told last
    sa.Column("spread", sa.Text),  # JSON: factors of its range, from earlier runs
    sa.Column("honesty", sa.Text),  # JSON, at the end of a successful attempt
)
sa.Index("ix_run_portfolio", run.c.portfolio_id, run.c.started_at)
sa.Index(
    "uq_run_active",
    run.c.portfolio_id,
    unique=True,
    sqlite_where=run.c.state != "ended",
    postgresql_where=run.c.state != "ended",
)

phase = sa.Table(
    "phase",
    metadata,
    sa.Column("run_id", _id(), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("phase", sa.String(30), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("status", sa.String(10), nullable=False),  # pending, running, completed, failed
    sa.Column("outcome", sa.String(20)),
    sa.Column("reason", sa.String(40)),
    sa.Column("total", sa.Integer),
    sa.Column("ok", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("skipped", sa.Integer, nullable=False),
    sa.Column("cached", sa.Integer, nullable=False),
    sa.Column("unit_seconds", sa.Double),  # expected seconds of one unit of this plan
    sa.Column("at", sa.String(60)),  # the symbol or date it is at
    sa.Column("started_at", Moment),
    sa.Column("ended_at", Moment),
    sa.Column("worked_seconds", sa.Double, nullable=False),
    sa.Column("planned", sa.Integer),  # units to be worked, those settled by the plan left out
    sa.Column("expected_fixed", sa.Double),  # expected seconds beside the units
    sa.Column("learned_runs", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fixed_seconds", sa.Double, nullable=False, server_default="0"),
    sa.Column("waited_seconds", sa.Double, nullable=False, server_default="0"),
    sa.Column("pace_seconds", sa.Double),  # least time between two units that the provider allows
    sa.Column("free_units", sa.Integer, nullable=False, server_default="0"),
    sa.Column("at_once", sa.Integer, nullable=False, server_default="1"),  # units in work at the same time
    sqlite_with_rowid=False,
)

chunk = sa.Table(
    "chunk",
    metadata,
    sa.Column("run_id", _id(), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("phase", sa.String(30), primary_key=True),
    sa.Column("chunk", sa.Integer, primary_key=True),
    sa.Column("units", sa.Integer, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),  # JSON: what the phase needs to do this chunk again
    sa.Column("done_at", Moment),
    sa.Column("fence", sa.Integer),  # which hand-over did it
    sqlite_with_rowid=False,
)

activity = sa.Table(
    "activity",
    metadata,
    sa.Column("run_id", _id(), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("code", sa.String(40), nullable=False),
    sa.Column("phase", sa.String(30)),
    sa.Column("params", sa.Text, nullable=False),  # JSON of the catalogue's typed parameters
    sqlite_with_rowid=False,
)

symbol_outcome = sa.Table(
    "symbol_outcome",
    metadata,
    sa.Column("run_id", _id(), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("symbol", sa.String(40), primary_key=True),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("reason", sa.String(40), nullable=False),
    sa.Column("share_of_value", sa.Double),
    sa.Column("retry_at", Moment),
    sqlite_with_rowid=False,
)

# What was committed and told at each change of an attempt: its honesty is measured by it, and a trace is
# written from it.
trail = sa.Table(
    "trail",
    metadata,
    sa.Column("run_id", _id(), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),  # among those of one change
    sa.Column("mark", sa.String(12), nullable=False),
    sa.Column("t", sa.Double, nullable=False),  # seconds worked
    sa.Column("phase", sa.String(30)),
    *(sa.Column(name, sa.Integer) for name in ("units", "cached", "failed", "free", "runs", "at_once")),
    *(
        sa.Column(name, sa.Double)
        for name in ("seconds", "fixed", "pace", "percent", "remaining", "eta", "low", "high")
    ),
    sqlite_with_rowid=False,
)

# What each successful attempt teaches the estimates of later ones.
experience = sa.Table(
    "experience",
    metadata,
    sa.Column("run_id", _id(), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("machine", sa.String(80), nullable=False),
    sa.Column("provider", sa.String(20), nullable=False),
    sa.Column("ended_at", Moment, nullable=False),
    sa.Column("lessons", sa.Text, nullable=False),  # JSON: phase -> [units, seconds of them, seconds beside]
    sa.Column("ratios", sa.Text, nullable=False),  # JSON: real over predicted, for each tenth of the percent
    sqlite_with_rowid=False,
)
sa.Index("ix_experience_machine", experience.c.machine, experience.c.ended_at)

# One encoded status document for each attempt; readers copy its bytes.
status_document = sa.Table(
    "status_document",
    metadata,
    sa.Column("run_id", _id(), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

worker = sa.Table(
    "worker",
    metadata,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("beat", sa.Double, nullable=False),  # the database's clock, seconds since 1970
    sa.Column("version", sa.String(40), nullable=False),
    sa.Column("started_at", Moment, nullable=False),
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
