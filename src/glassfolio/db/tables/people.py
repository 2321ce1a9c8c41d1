"""Who uses the service."""

import sqlalchemy as sa

from glassfolio.db.tables.types import Moment, key, metadata

user = sa.Table(
    "app_user",
    metadata,
    sa.Column("id", key(), primary_key=True),
    sa.Column("subject", sa.String(255), nullable=False, unique=True),
    sa.Column("created_at", Moment, nullable=False),
)
