"""What was computed of portfolios: a snapshot for each session, and what is read whole of the newest one.

Each row keeps the fingerprint of its inputs, so that what is out of date can be told from what is not.
Knows no formula.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa

from glassfolio.db import bulk
from glassfolio.db.tables import SNAPSHOT_NUMBERS, analysis, snapshot
from glassfolio.model.market import DateArray, FloatArray, IntArray
from glassfolio.model.results import NONE, BitArray, CodeArray, finite, reason_word, warning_words


@dataclass(frozen=True)
class SnapshotRows:
    """Snapshots of D sessions of one portfolio.

    numbers: field -> (D,), NaN where missing; positions, lots: (D,).
    reasons: field -> (D,) codes, for the fields that may be missing. warnings: field -> (D,) bits.
    """

    sessions: DateArray
    numbers: Mapping[str, FloatArray]
    positions: IntArray
    lots: IntArray
    reasons: Mapping[str, CodeArray]
    warnings: Mapping[str, BitArray]


@dataclass(frozen=True)
class FactorRows:
    """A portfolio's exposure to one factor on D sessions.

    beta, dollars, stderr, coverage: (D,), NaN where missing; n: (D,) returns behind the standard error;
    age: (D,) sessions; reason: (D,) codes; warnings: (D,) bits.
    """

    factor: str
    beta: FloatArray
    dollars: FloatArray
    stderr: FloatArray
    coverage: FloatArray
    n: IntArray
    age: IntArray
    reason: CodeArray
    warnings: BitArray


FACTOR_RECORD = np.dtype(
    [
        ("beta", "<f8"),
        ("dollars", "<f8"),
        ("stderr", "<f8"),
        ("coverage", "<f8"),
        ("n", "<i2"),
        ("age", "<i2"),
        ("reason", "<i1"),
        ("warnings", "<i2"),
    ]
)


def write(
    connection: sa.Connection,
    portfolio_id: str,
    inputs: str,
    rows: SnapshotRows,
    exposures: Sequence[FactorRows],
) -> None:
    """Store snapshots with their factor exposures."""
    days = bulk.dates(rows.sessions)
    count = len(days)
    keys = ",".join(item.factor for item in exposures)
    records = np.empty((count, len(exposures)), dtype=FACTOR_RECORD)
    for k, item in enumerate(exposures):
        for name in FACTOR_RECORD.names or ():
            records[name][:, k] = getattr(item, name)
    columns = (
        "portfolio_id",
        "session",
        *SNAPSHOT_NUMBERS,
        "positions",
        "lots",
        "notes",
        "factor_keys",
        "factors",
        "inputs",
    )
    bulk.upsert(
        connection,
        snapshot,
        columns,
        zip(
            [portfolio_id] * count,
            days,
            *(bulk.nullable(rows.numbers[name]) for name in SNAPSHOT_NUMBERS),
            rows.positions.tolist(),
            rows.lots.tolist(),
            _notes(rows),
            [keys] * count,
            (record.tobytes() for record in records),
            [inputs] * count,
            strict=True,
        ),
    )


def _notes(rows: SnapshotRows) -> list[str]:
    notes: list[dict[str, dict[str, object]]] = [{} for _ in rows.sessions]
    for field, codes in rows.reasons.items():
        for d in np.flatnonzero(codes != NONE):
            notes[d].setdefault("reasons", {})[field] = reason_word(codes[d])
    for field, bits in rows.warnings.items():
        for d in np.flatnonzero(bits):
            notes[d].setdefault("warnings", {})[field] = warning_words(bits[d])
    return [json.dumps(note) for note in notes]


def built_sessions(connection: sa.Connection, portfolio_id: str, inputs: str | None = None) -> set[date]:
    """The sessions whose snapshot rests on the given inputs; without any, all that have a snapshot."""
    query = sa.select(snapshot.c.session).where(snapshot.c.portfolio_id == portfolio_id)
    if inputs is not None:
        query = query.where(snapshot.c.inputs == inputs)
    return set(connection.execute(query).scalars())


def between(
    connection: sa.Connection, portfolio_id: str, start: date | None, end: date | None
) -> list[dict[str, Any]]:
    """A portfolio's snapshots in order of session; None where a number is missing."""
    query = sa.select(snapshot).where(snapshot.c.portfolio_id == portfolio_id)
    if start is not None:
        query = query.where(snapshot.c.session >= start)
    if end is not None:
        query = query.where(snapshot.c.session <= end)
    return [dict(row._mapping) for row in connection.execute(query.order_by(snapshot.c.session))]


def newest_session(connection: sa.Connection, portfolio_id: str) -> date | None:
    """The session of the portfolio's last snapshot."""
    query = sa.select(sa.func.max(snapshot.c.session)).where(snapshot.c.portfolio_id == portfolio_id)
    found: date | None = connection.execute(query).scalar_one()
    return found


def newest(connection: sa.Connection, portfolio_id: str) -> dict[str, Any] | None:
    """The portfolio's last snapshot."""
    row = connection.execute(
        sa.select(snapshot)
        .where(snapshot.c.portfolio_id == portfolio_id)
        .order_by(snapshot.c.session.desc())
        .limit(1)
    ).one_or_none()
    return dict(row._mapping) if row else None


def factors(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The factor exposures of a snapshot's row, a record for each; None where a number is missing."""
    if not row["factors"]:
        return []
    records = np.frombuffer(row["factors"], dtype=FACTOR_RECORD)
    keys = row["factor_keys"].split(",")
    return [_factor(key, record) for key, record in zip(keys, records, strict=True)]


def _factor(key: str, record: Any) -> dict[str, Any]:
    return {
        "factor": key,
        **{name: finite(record[name]) for name in ("beta", "dollars", "stderr", "coverage")},
        "n": int(record["n"]),
        "age": int(record["age"]),
        "reason": reason_word(record["reason"]),
        "warnings": warning_words(record["warnings"]),
    }


def write_analyses(
    connection: sa.Connection, portfolio_id: str, session: date, inputs: str, bodies: Mapping[str, bytes]
) -> None:
    """Store what is read whole of one session, by kind; that of other sessions goes."""
    connection.execute(sa.delete(analysis).where(analysis.c.portfolio_id == portfolio_id))
    rows = [(portfolio_id, session.isoformat(), kind, body, inputs) for kind, body in bodies.items()]
    bulk.upsert(connection, analysis, ("portfolio_id", "session", "kind", "body", "inputs"), rows)


def newest_analysis(connection: sa.Connection, portfolio_id: str, kind: str) -> bytes | None:
    """What is stored of one kind for the newest session; JSON."""
    query = sa.select(analysis.c.body).where(analysis.c.portfolio_id == portfolio_id, analysis.c.kind == kind)
    return connection.execute(query).scalar_one_or_none()
