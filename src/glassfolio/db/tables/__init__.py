"""The schema. Ids are UUIDv4 as text; moments are UTC; sessions are dates of the exchange.

Knows nothing of how rows are made or read.
"""

from glassfolio.db.tables.batches import audit, batch
from glassfolio.db.tables.holdings import flow, lot, portfolio
from glassfolio.db.tables.idempotency import idempotency_key
from glassfolio.db.tables.market import allowance, coverage, price, quarantine, symbol
from glassfolio.db.tables.people import user
from glassfolio.db.tables.results import SNAPSHOT_NUMBERS, analysis, exposure, metric, snapshot
from glassfolio.db.tables.runs import (
    activity,
    chunk,
    experience,
    phase,
    run,
    status_document,
    symbol_outcome,
    trail,
    worker,
)
from glassfolio.db.tables.sign_ins import password, password_tries, sign_in, sign_in_link, stream_ticket
from glassfolio.db.tables.types import Exact, Moment, metadata

__all__ = [
    "SNAPSHOT_NUMBERS",
    "Exact",
    "Moment",
    "activity",
    "allowance",
    "analysis",
    "audit",
    "batch",
    "chunk",
    "coverage",
    "experience",
    "exposure",
    "flow",
    "idempotency_key",
    "lot",
    "metadata",
    "metric",
    "password",
    "password_tries",
    "phase",
    "portfolio",
    "price",
    "quarantine",
    "run",
    "sign_in",
    "sign_in_link",
    "snapshot",
    "status_document",
    "stream_ticket",
    "symbol",
    "symbol_outcome",
    "trail",
    "user",
    "worker",
]
