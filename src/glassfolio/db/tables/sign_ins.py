"""Sign-ins, one-time links, passwords and stream tickets. Opaque secrets are kept as SHA-256 only."""

import sqlalchemy as sa

from glassfolio.db.tables.types import Moment, key, metadata

# One browser's sign-in; its `sid` is what tokens name.
sign_in = sa.Table(
    "sign_in",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("user_id", key(), sa.ForeignKey("app_user.id"), nullable=False, index=True),
    sa.Column("sid", key(), nullable=False),
    sa.Column("way", sa.String(10), nullable=False),  # link, password
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False, index=True),
)

sign_in_link = sa.Table(
    "sign_in_link",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("subject", sa.String(255), nullable=False),
    sa.Column("expires_at", Moment, nullable=False, index=True),
)

password = sa.Table(
    "password",
    metadata,
    sa.Column("user_id", key(), sa.ForeignKey("app_user.id"), primary_key=True),
    sa.Column("hash", sa.String(255), nullable=False),  # argon2id with its parameters
    sa.Column("set_at", Moment, nullable=False),
)

# Wrong passwords in a row, by account and address; both hashed, for people type passwords as names.
password_tries = sa.Table(
    "password_tries",
    metadata,
    sa.Column("account", sa.String(64), primary_key=True),
    sa.Column("address", sa.String(64), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_at", Moment, nullable=False, index=True),
)

# Lets one plain EventSource in, once, for one run of one portfolio.
stream_ticket = sa.Table(
    "stream_ticket",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("user_id", key(), sa.ForeignKey("app_user.id"), nullable=False),
    sa.Column("sid", sa.String(255), nullable=False, index=True),
    sa.Column("portfolio_id", key(), nullable=False),
    sa.Column("run_id", key()),  # null when the portfolio was never onboarded
    sa.Column("expires_at", Moment, nullable=False, index=True),
)
