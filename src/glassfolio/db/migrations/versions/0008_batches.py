"""batches"""

import sqlalchemy as sa
from alembic import op

from glassfolio.db.tables import Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batch",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=True),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("trigger", sa.String(length=10), nullable=False),
        sa.Column("triggered_by", sa.String(length=36), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("key", name=op.f("uq_batch_key")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("who", sa.String(length=36), nullable=False),
        sa.Column("act", sa.String(length=20), nullable=False),
        sa.Column("thing", sa.String(length=36), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index("ix_audit_at", ["at"], unique=False)
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("batch_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("redo", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("asked_first", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("asked_last", sa.Date(), nullable=True))
        batch_op.create_index("ix_run_batch", ["batch_id"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")
