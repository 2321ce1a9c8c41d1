"""estimates"""

import sqlalchemy as sa
from alembic import op

from glassfolio.db.tables import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "experience",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("machine", sa.String(length=80), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("ended_at", Moment(), nullable=False),
        sa.Column("lessons", sa.Text(), nullable=False),
        sa.Column("ratios", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_experience_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", "attempt", name=op.f("pk_experience")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("experience", schema=None) as batch_op:
        batch_op.create_index("ix_experience_machine", ["machine", "ended_at"], unique=False)

    op.create_table(
        "trail",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(length=12), nullable=False),
        sa.Column("t", sa.Double(), nullable=False),
        sa.Column("phase", sa.String(length=30), nullable=True),
        sa.Column("units", sa.Integer(), nullable=True),
        sa.Column("cached", sa.Integer(), nullable=True),
        sa.Column("failed", sa.Integer(), nullable=True),
        sa.Column("free", sa.Integer(), nullable=True),
        sa.Column("runs", sa.Integer(), nullable=True),
        sa.Column("at_once", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("fixed", sa.Double(), nullable=True),
        sa.Column("pace", sa.Double(), nullable=True),
        sa.Column("percent", sa.Double(), nullable=True),
        sa.Column("remaining", sa.Double(), nullable=True),
        sa.Column("eta", sa.Double(), nullable=True),
        sa.Column("low", sa.Double(), nullable=True),
        sa.Column("high", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_trail_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", "attempt", "seq", "ordinal", name=op.f("pk_trail")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("phase", schema=None) as batch_op:
        batch_op.add_column(sa.Column("planned", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("expected_fixed", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("learned_runs", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("fixed_seconds", sa.Double(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("waited_seconds", sa.Double(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("pace_seconds", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("free_units", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("at_once", sa.Integer(), server_default="1", nullable=False))

    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("created_at", Moment(), nullable=True))
        batch_op.add_column(sa.Column("data_as_of", sa.Date(), nullable=True))
        batch_op.add_column(
            sa.Column("results_before", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(sa.Column("waiting_until", Moment(), nullable=True))
        batch_op.add_column(sa.Column("stalled_since", Moment(), nullable=True))
        batch_op.add_column(sa.Column("stalled_reason", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("retry_at", Moment(), nullable=True))
        batch_op.add_column(sa.Column("eta", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("spread", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("honesty", sa.Text(), nullable=True))

    with op.batch_alter_table("symbol_outcome", schema=None) as batch_op:
        batch_op.add_column(sa.Column("retry_at", Moment(), nullable=True))

    op.execute("UPDATE run SET created_at = started_at")


def downgrade() -> None:
    with op.batch_alter_table("symbol_outcome", schema=None) as batch_op:
        batch_op.drop_column("retry_at")

    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_column("honesty")
        batch_op.drop_column("spread")
        batch_op.drop_column("eta")
        batch_op.drop_column("retry_at")
        batch_op.drop_column("stalled_reason")
        batch_op.drop_column("stalled_since")
        batch_op.drop_column("waiting_until")
        batch_op.drop_column("results_before")
        batch_op.drop_column("data_as_of")
        batch_op.drop_column("created_at")

    with op.batch_alter_table("phase", schema=None) as batch_op:
        batch_op.drop_column("at_once")
        batch_op.drop_column("free_units")
        batch_op.drop_column("pace_seconds")
        batch_op.drop_column("waited_seconds")
        batch_op.drop_column("fixed_seconds")
        batch_op.drop_column("learned_runs")
        batch_op.drop_column("expected_fixed")
        batch_op.drop_column("planned")

    op.drop_table("trail")
    with op.batch_alter_table("experience", schema=None) as batch_op:
        batch_op.drop_index("ix_experience_machine")

    op.drop_table("experience")
