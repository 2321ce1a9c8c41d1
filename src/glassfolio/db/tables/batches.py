"""Batches of runs, and what operators did and looked at."""

import sqlalchemy as sa

from glassfolio.db.tables.types import Moment, key, metadata

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("id", key(), primary_key=True),
    sa.Column("key", sa.String(80), unique=True),  # started once under it; null for any number of times
    sa.Column("scope", sa.Text, nullable=False),  # JSON: portfolios, dates, whether anew
    sa.Column("trigger", sa.String(10), nullable=False),  # admin, schedule, cli
    sa.Column("triggered_by", key(), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", key(), primary_key=True),
    sa.Column("at", Moment, nullable=False),
    sa.Column("who", key(), nullable=False),  # an internal id, or `schedule`
    sa.Column("act", sa.String(20), nullable=False),
    sa.Column("thing", key()),  # the batch or run; null for a list or a dry run
    sa.Column("details", sa.Text, nullable=False),  # JSON: what was asked for, such as a scope
)
sa.Index("ix_audit_at", audit.c.at)
