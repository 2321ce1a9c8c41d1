"""keep the effective degrees of freedom of betas"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Betas are computed again from the prices: what is stored has no degrees of freedom.
    op.execute("DELETE FROM exposure")
    op.add_column("exposure", sa.Column("dof", sa.LargeBinary(), nullable=False))
