"""Requests that their senders may repeat, with the answers they had."""

import sqlalchemy as sa

from glassfolio.db.tables.types import Moment, key, metadata

# Written whole, by the transaction of the work that the answer tells of.
idempotency_key = sa.Table(
    "idempotency_key",
    metadata,
    sa.Column("user_id", key(), sa.ForeignKey("app_user.id"), primary_key=True),
    sa.Column("route", sa.String(255), primary_key=True),  # method and path
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),  # of the request's body and query
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("headers", sa.Text, nullable=False),  # JSON
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
)
