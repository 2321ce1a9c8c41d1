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
    sa.Column("created_at", Moment),  # of the first attempt
    sa.Column("data_as_of", sa.Date),  # newest session with a close of a held symbol
    sa.Column("results_before", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("waiting_until", Moment),  # while the provider has asked to wait
    sa.Column("stalled_since", Moment),
    sa.Column("stalled_reason", sa.String(20)),
    sa.Column("retry_at", Moment),  # when a retry may help
    sa.Column("eta", sa.Text),  # JSON: the remaining time as it was told last
    sa.Column("batch_id", key()),
    sa.Column("redo", sa.Boolean, nullable=False, server_default=sa.false()),  # all asked sessions anew
    sa.Column("asked_first", sa.Date),  # the sessions asked for; null for the whole window
    sa.Column("asked_last", sa.Date),
    sa.Column("spread", sa.Text),  # JSON: factors of its range, from earlier runs
    sa.Column("honesty", sa.Text),  # JSON, at the end of a successful attempt
)
sa.Index("ix_run_portfolio", run.c.portfolio_id, run.c.started_at)
sa.Index("ix_run_batch", run.c.batch_id)
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
    sa.Column("retry_at", Moment),
    sqlite_with_rowid=False,
)

# What was committed and told at each change of an attempt: its honesty is measured by it, and a trace is
# written from it.
trail = sa.Table(
    "trail",
    metadata,
    sa.Column("run_id", key(), sa.ForeignKey("run.id"), primary_key=True),
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
    sa.Column("run_id", key(), sa.ForeignKey("run.id"), primary_key=True),
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
