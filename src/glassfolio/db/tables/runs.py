"""Runs, their phases and chunks, what they say, and the workers that carry them."""

import sqlalchemy as sa

from glassfolio.db.tables.types import Moment, key, metadata

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", key(), primary_key=True),
    sa.Column("portfolio_id", key(), sa.ForeignKey("portfolio.id"), nullable=False),
    sa.Column("owner_id", key(), nullable=False),
    sa.Column("kind", sa.String(12), nullable=False),  # onboarding, repair, nightly
    sa.Column("trigger", sa.String(10), nullable=False),  # user, admin, schedule, cli
    sa.Column("triggered_by", key(), nullable=False),
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
    sa.Column("error_id", key()),
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
    sa.Column("run_id", key(), sa.ForeignKey("run.id"), primary_key=True),
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
    sqlite_with_rowid=False,
)

chunk = sa.Table(
    "chunk",
    metadata,
    sa.Column("run_id", key(), sa.ForeignKey("run.id"), primary_key=True),
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
    sa.Column("run_id", key(), sa.ForeignKey("run.id"), primary_key=True),
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
    sa.Column("run_id", key(), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("symbol", sa.String(40), primary_key=True),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("reason", sa.String(40), nullable=False),
    sa.Column("share_of_value", sa.Double),
    sqlite_with_rowid=False,
)

# One encoded status document for each attempt; readers copy its bytes.
status_document = sa.Table(
    "status_document",
    metadata,
    sa.Column("run_id", key(), sa.ForeignKey("run.id"), primary_key=True),
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
