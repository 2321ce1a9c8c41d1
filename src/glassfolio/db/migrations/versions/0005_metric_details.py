"""warnings and details of metrics"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("metric", sa.Column("warnings", sa.LargeBinary(), nullable=True))
    op.add_column("metric", sa.Column("details", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.drop_column("metric", "details")
    op.drop_column("metric", "warnings")
