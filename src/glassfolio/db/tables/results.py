"""What was computed, with the fingerprint of its inputs."""

import sqlalchemy as sa

from glassfolio.db.tables.types import key, metadata

# Betas and metrics are kept in blocks of 64 sessions (session ordinal // 64), little-endian arrays.
exposure = sa.Table(
    "exposure",
    metadata,
    sa.Column("factor_set", sa.String(20), primary_key=True),
    sa.Column("model", sa.String(20), primary_key=True),
    sa.Column("symbol", sa.String(40), primary_key=True),
    sa.Column("block", sa.Integer, primary_key=True),
    sa.Column("keys", sa.Text, nullable=False),  # comma-separated factor keys, the order inside value, stderr
    sa.Column("value", sa.LargeBinary, nullable=False),  # (64, K) float64
    sa.Column("stderr", sa.LargeBinary, nullable=False),  # (64, K) float64
    sa.Column("r2", sa.LargeBinary, nullable=False),  # (64,) float64
    sa.Column("dof", sa.LargeBinary, nullable=False),  # (64,) float64, effective degrees of freedom
    sa.Column("n", sa.LargeBinary, nullable=False),  # (64,) int16
    sa.Column("reason", sa.LargeBinary, nullable=False),  # (64, K) int8, codes of model.results
    sa.Column("warnings", sa.LargeBinary, nullable=False),  # (64, K) int16, bits of model.results
    sa.Column("last", sa.Integer, nullable=False),  # ordinal of the last session that was computed
    sa.Column("inputs", sa.String(64), nullable=False),
    sqlite_with_rowid=False,
)

metric = sa.Table(
    "metric",
    metadata,
    sa.Column("symbol", sa.String(40), primary_key=True),
    sa.Column("metric", sa.String(30), primary_key=True),
    sa.Column("block", sa.Integer, primary_key=True),
    sa.Column("value", sa.LargeBinary, nullable=False),  # (64,) float64
    sa.Column("n", sa.LargeBinary, nullable=False),  # (64,) int16
    sa.Column("reason", sa.LargeBinary, nullable=False),  # (64,) int8, codes of model.results
    sa.Column("warnings", sa.LargeBinary),  # (64,) int16, bits of model.results; null before 0005
    sa.Column("details", sa.LargeBinary),  # (64, K) float64, named by the metric; null where it names none
    sa.Column("last", sa.Integer, nullable=False),  # ordinal of the last session that was computed
    sa.Column("inputs", sa.String(64), nullable=False),
    sqlite_with_rowid=False,
)

SNAPSHOT_NUMBERS = (
    "nav",
    "cash",
    "value",
    "long",
    "short",
    "gross",
    "net",
    "leverage",
    "net_leverage",
    "value_coverage",
    "stale_value_share",
    "pnl",
    "realised",
    "unrealised",
    "income",
    "flow",
    "cum_pnl",
    "cum_income",
    "cum_flow",
    "daily_return",
    "twr_cum",
    "drawdown",
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
    "hhi",
    "effective_n",
    "top_3",
    "top_10",
    "gamma_1pct",
    "vega",
    "theta",
    "rho",
)

snapshot = sa.Table(
    "snapshot",
    metadata,
    sa.Column("portfolio_id", key(), sa.ForeignKey("portfolio.id"), primary_key=True),
    sa.Column("session", sa.Date, primary_key=True),
    *(sa.Column(name, sa.Double) for name in SNAPSHOT_NUMBERS),
    sa.Column("positions", sa.Integer, nullable=False),
    sa.Column("lots", sa.Integer, nullable=False),
    # JSON: {"reasons": {field: reason}, "warnings": {field: [warning, …]}} of what is missing or doubtful.
    sa.Column("notes", sa.Text, nullable=False, server_default="{}"),
    sa.Column("factor_keys", sa.Text, nullable=False, server_default=""),  # comma-separated, K of them
    sa.Column("factors", sa.LargeBinary),  # K records of store.results.FACTOR_RECORD
    sa.Column("inputs", sa.String(64), nullable=False),
    sqlite_with_rowid=False,
)

# What is read whole: positions, risk, correlations and stress of one session, as they are sent.
analysis = sa.Table(
    "analysis",
    metadata,
    sa.Column("portfolio_id", key(), sa.ForeignKey("portfolio.id"), primary_key=True),
    sa.Column("session", sa.Date, primary_key=True),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),  # JSON
    sa.Column("inputs", sa.String(64), nullable=False),
)
