"""first schema"""

import sqlalchemy as sa
from alembic import op

from glassfolio.db.tables import Exact, Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "allowance",
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("tokens", sa.Double(), nullable=False),
        sa.Column("refilled", sa.Double(), nullable=False),
        sa.Column("paused_until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_allowance")),
    )
    op.create_table(
        "app_user",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_user")),
        sa.UniqueConstraint("subject", name=op.f("uq_app_user_subject")),
    )
    op.create_table(
        "coverage",
        sa.Column("symbol", sa.String(length=40), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("start", sa.Date(), nullable=False),
        sa.Column("end", sa.Date(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "provider", "start", name=op.f("pk_coverage")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "exposure",
        sa.Column("factor_set", sa.String(length=20), nullable=False),
        sa.Column("model", sa.String(length=20), nullable=False),
        sa.Column("symbol", sa.String(length=40), nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("stderr", sa.LargeBinary(), nullable=False),
        sa.Column("r2", sa.LargeBinary(), nullable=False),
        sa.Column("n", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("warnings", sa.LargeBinary(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("factor_set", "model", "symbol", "block", name=op.f("pk_exposure")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metric",
        sa.Column("symbol", sa.String(length=40), nullable=False),
        sa.Column("metric", sa.String(length=30), nullable=False),
        sa.Column("block", sa.Integer(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("n", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "metric", "block", name=op.f("pk_metric")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "price",
        sa.Column("symbol", sa.String(length=40), nullable=False),
        sa.Column("session", sa.Date(), nullable=False),
        sa.Column("close", sa.Double(), nullable=False),
        sa.Column("split", sa.Double(), nullable=False),
        sa.Column("dividend", sa.Double(), nullable=False),
        sa.Column("adj_close", sa.Double(), nullable=True),
        sa.Column("volume", sa.BigInteger(), nullable=True),
        sa.Column("basis", sa.String(length=20), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "session", name=op.f("pk_price")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quarantine",
        sa.Column("symbol", sa.String(length=40), nullable=False),
        sa.Column("session", sa.Date(), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "session", "provider", name=op.f("pk_quarantine")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "symbol",
        sa.Column("symbol", sa.String(length=40), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("symbol", name=op.f("pk_symbol")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("beat", sa.Double(), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )
    op.create_table(
        "portfolio",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("account_name", sa.String(length=100), nullable=False),
        sa.Column("account_key", sa.String(length=300), nullable=False),
        sa.Column("account_type", sa.String(length=20), nullable=False),
        sa.Column("description", sa.String(length=1000), server_default="", nullable=False),
        sa.Column("equity", Exact(), nullable=False),
        sa.Column("equity_as_of", sa.Date(), nullable=True),
        sa.Column("anchor", sa.Date(), nullable=True),
        sa.Column("file_format", sa.String(length=40), nullable=False),
        sa.Column("file_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("deleted_at", Moment(), nullable=True),
        sa.Column("shown_run", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["app_user.id"], name=op.f("fk_portfolio_owner_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portfolio")),
    )
    with op.batch_alter_table("portfolio", schema=None) as batch_op:
        batch_op.create_index("ix_portfolio_owner", ["owner_id", "id"], unique=False)
        batch_op.create_index(
            "uq_portfolio_live_account",
            ["owner_id", "account_key"],
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "flow",
        sa.Column("portfolio_id", sa.String(length=36), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("session", sa.Date(), nullable=False),
        sa.Column("amount", Exact(), nullable=False),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolio.id"], name=op.f("fk_flow_portfolio_id_portfolio")
        ),
        sa.PrimaryKeyConstraint("portfolio_id", "ordinal", name=op.f("pk_flow")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lot",
        sa.Column("portfolio_id", sa.String(length=36), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.String(length=40), nullable=False),
        sa.Column("quantity", Exact(), nullable=False),
        sa.Column("entry_price", Exact(), nullable=True),
        sa.Column("entry_date", sa.Date(), nullable=True),
        sa.Column("investment_class", sa.String(length=10), nullable=False),
        sa.Column("subtype", sa.String(length=20), nullable=True),
        sa.Column("underlying", sa.String(length=40), nullable=True),
        sa.Column("expiry", sa.Date(), nullable=True),
        sa.Column("option_right", sa.String(length=1), nullable=True),
        sa.Column("strike", Exact(), nullable=True),
        sa.Column("multiplier", Exact(), nullable=True),
        sa.Column("exit_date", sa.Date(), nullable=True),
        sa.Column("exit_price", Exact(), nullable=True),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolio.id"], name=op.f("fk_lot_portfolio_id_portfolio")
        ),
        sa.PrimaryKeyConstraint("portfolio_id", "ordinal", name=op.f("pk_lot")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("portfolio_id", sa.String(length=36), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("trigger", sa.String(length=10), nullable=False),
        sa.Column("triggered_by", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("resumes", sa.Integer(), nullable=False),
        sa.Column("barren", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("conclusion", sa.String(length=24), nullable=True),
        sa.Column("worker", sa.String(length=80), nullable=True),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("percent", sa.Double(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("work_started_at", Moment(), nullable=True),
        sa.Column("worked_seconds", sa.Double(), nullable=False),
        sa.Column("worked_until", Moment(), nullable=True),
        sa.Column("last_progress_at", Moment(), nullable=True),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("first_session", sa.Date(), nullable=True),
        sa.Column("last_session", sa.Date(), nullable=True),
        sa.Column("completeness", sa.Double(), nullable=True),
        sa.Column("failure_code", sa.String(length=30), nullable=True),
        sa.Column("failure_phase", sa.String(length=30), nullable=True),
        sa.Column("error_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolio.id"], name=op.f("fk_run_portfolio_id_portfolio")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index("ix_run_portfolio", ["portfolio_id", "started_at"], unique=False)
        batch_op.create_index(
            "uq_run_active",
            ["portfolio_id"],
            unique=True,
            sqlite_where=sa.text("state != 'ended'"),
            postgresql_where=sa.text("state != 'ended'"),
        )

    op.create_table(
        "snapshot",
        sa.Column("portfolio_id", sa.String(length=36), nullable=False),
        sa.Column("session", sa.Date(), nullable=False),
        sa.Column("nav", sa.Double(), nullable=True),
        sa.Column("cash", sa.Double(), nullable=True),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("long", sa.Double(), nullable=True),
        sa.Column("short", sa.Double(), nullable=True),
        sa.Column("gross", sa.Double(), nullable=True),
        sa.Column("net", sa.Double(), nullable=True),
        sa.Column("leverage", sa.Double(), nullable=True),
        sa.Column("net_leverage", sa.Double(), nullable=True),
        sa.Column("value_coverage", sa.Double(), nullable=True),
        sa.Column("stale_value_share", sa.Double(), nullable=True),
        sa.Column("pnl", sa.Double(), nullable=True),
        sa.Column("realised", sa.Double(), nullable=True),
        sa.Column("unrealised", sa.Double(), nullable=True),
        sa.Column("income", sa.Double(), nullable=True),
        sa.Column("flow", sa.Double(), nullable=True),
        sa.Column("cum_pnl", sa.Double(), nullable=True),
        sa.Column("cum_income", sa.Double(), nullable=True),
        sa.Column("cum_flow", sa.Double(), nullable=True),
        sa.Column("daily_return", sa.Double(), nullable=True),
        sa.Column("twr_cum", sa.Double(), nullable=True),
        sa.Column("drawdown", sa.Double(), nullable=True),
        sa.Column("hhi", sa.Double(), nullable=True),
        sa.Column("effective_n", sa.Double(), nullable=True),
        sa.Column("top_3", sa.Double(), nullable=True),
        sa.Column("top_10", sa.Double(), nullable=True),
        sa.Column("positions", sa.Integer(), nullable=False),
        sa.Column("lots", sa.Integer(), nullable=False),
        sa.Column("inputs", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolio.id"], name=op.f("fk_snapshot_portfolio_id_portfolio")
        ),
        sa.PrimaryKeyConstraint("portfolio_id", "session", name=op.f("pk_snapshot")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "snapshot_factor",
        sa.Column("portfolio_id", sa.String(length=36), nullable=False),
        sa.Column("session", sa.Date(), nullable=False),
        sa.Column("factor", sa.String(length=40), nullable=False),
        sa.Column("beta", sa.Double(), nullable=True),
        sa.Column("dollars", sa.Double(), nullable=True),
        sa.Column("coverage", sa.Double(), nullable=True),
        sa.Column("age", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=30), nullable=True),
        sa.ForeignKeyConstraint(
            ["portfolio_id"], ["portfolio.id"], name=op.f("fk_snapshot_factor_portfolio_id_portfolio")
        ),
        sa.PrimaryKeyConstraint("portfolio_id", "session", "factor", name=op.f("pk_snapshot_factor")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "activity",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("phase", sa.String(length=30), nullable=True),
        sa.Column("params", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_activity_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", "seq", name=op.f("pk_activity")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "chunk",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(length=30), nullable=False),
        sa.Column("chunk", sa.Integer(), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("done_at", Moment(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_chunk_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", "attempt", "phase", "chunk", name=op.f("pk_chunk")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "phase",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(length=30), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("ok", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("cached", sa.Integer(), nullable=False),
        sa.Column("unit_seconds", sa.Double(), nullable=True),
        sa.Column("at", sa.String(length=60), nullable=True),
        sa.Column("started_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("worked_seconds", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_phase_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", "attempt", "phase", name=op.f("pk_phase")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "status_document",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_status_document_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", "attempt", name=op.f("pk_status_document")),
    )
    op.create_table(
        "symbol_outcome",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.String(length=40), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("share_of_value", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_symbol_outcome_run_id_run")),
        sa.PrimaryKeyConstraint("run_id", "attempt", "symbol", name=op.f("pk_symbol_outcome")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:

    op.drop_table("symbol_outcome")
    op.drop_table("status_document")
    op.drop_table("phase")
    op.drop_table("chunk")
    op.drop_table("activity")
    op.drop_table("snapshot_factor")
    op.drop_table("snapshot")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_run_active",
            sqlite_where=sa.text("state != 'ended'"),
            postgresql_where=sa.text("state != 'ended'"),
        )
        batch_op.drop_index("ix_run_portfolio")

    op.drop_table("run")
    op.drop_table("lot")
    op.drop_table("flow")
    with op.batch_alter_table("portfolio", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_portfolio_live_account",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index("ix_portfolio_owner")

    op.drop_table("portfolio")
    op.drop_table("worker")
    op.drop_table("symbol")
    op.drop_table("quarantine")
    op.drop_table("price")
    op.drop_table("metric")
    op.drop_table("exposure")
    op.drop_table("coverage")
    op.drop_table("app_user")
    op.drop_table("allowance")
