"""snapshots hold their notes and factor exposures; what is read whole of the newest one"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMBERS = (
    "max_drawdown",
    "xirr",
    "realised_vol_21",
    "realised_vol_63",
    "realised_vol_252",
    "sharpe",
    "sortino",
    "holdings_vol_21",
    "holdings_vol_63",
    "holdings_vol_252",
    "holdings_vol_forecast",
    "systematic_share",
    "gamma_1pct",
    "vega",
    "theta",
    "rho",
)


def upgrade() -> None:
    for name in NUMBERS:
        op.add_column("snapshot", sa.Column(name, sa.Double()))
    op.add_column("snapshot", sa.Column("notes", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("snapshot", sa.Column("factor_keys", sa.Text(), nullable=False, server_default=""))
    op.add_column("snapshot", sa.Column("factors", sa.LargeBinary()))
    op.drop_table("snapshot_factor")
    op.create_table(
        "analysis",
        sa.Column("portfolio_id", sa.String(length=36), nullable=False),
        sa.Column("session", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("inputs", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolio.id"], name=op.f("fk_analysis_portfolio_id_portfolio")
        ),
        sa.PrimaryKeyConstraint("portfolio_id", "session", "kind", name=op.f("pk_analysis")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup made before the upgrade")
