"""What was computed of symbols: betas and metrics, as blocks of sessions.

Each result keeps the fingerprint of its inputs, so that what is out of date can be told from what is
not. Knows no formula.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from glassfolio.db import bulk
from glassfolio.db.tables import exposure, metric
from glassfolio.model.market import FloatArray, IntArray
from glassfolio.store import blocks


@dataclass(frozen=True)
class BetaSeries:
    """One model's betas of one symbol on D consecutive sessions, the first of which begins a block.

    value, stderr: (D, K), NaN where missing; r2, n: (D,); reason: (D, K) codes; warnings: (D, K) bits.
    dof: (D,) effective degrees of freedom of the betas.
    inputs: fingerprint of the prices it was computed from.
    """

    symbol: str
    keys: tuple[str, ...]
    value: FloatArray
    stderr: FloatArray
    r2: FloatArray
    dof: FloatArray
    n: IntArray
    reason: NDArray[np.int8]
    warnings: NDArray[np.int16]
    inputs: str


@dataclass(frozen=True)
class MetricSeries:
    """One metric of one symbol on D consecutive sessions, the first of which begins a block.

    value: (D,), NaN where missing; n: (D,); reason: (D,) codes; warnings: (D,) bits; details: (D, K) in the
    order the metric names them, NaN where missing.
    """

    symbol: str
    metric: str
    value: FloatArray
    n: NDArray[np.integer]
    reason: NDArray[np.int8]
    warnings: NDArray[np.int16]
    details: FloatArray
    inputs: str


_EXPOSURE_COLUMNS = (
    "factor_set",
    "model",
    "symbol",
    "block",
    "keys",
    "value",
    "stderr",
    "r2",
    "dof",
    "n",
    "reason",
    "warnings",
    "last",
    "inputs",
)


def write_betas(
    connection: sa.Connection,
    factor_set: str,
    model: str,
    first: int,
    last: int,
    series: Iterable[BetaSeries],
) -> None:
    """Store betas of the sessions from ordinal `first`, which begins a block, to `last`."""
    rows = [
        (
            factor_set,
            model,
            item.symbol,
            block,
            ",".join(item.keys),
            blocks.pack(item.value[part], "f8"),
            blocks.pack(item.stderr[part], "f8"),
            blocks.pack(item.r2[part], "f8"),
            blocks.pack(item.dof[part], "f8"),
            blocks.pack(item.n[part], "i2"),
            blocks.pack(item.reason[part], "i1"),
            blocks.pack(item.warnings[part], "i2"),
            end,
            item.inputs,
        )
        for item in series
        for block, part, end in blocks.spans(first, last)
    ]
    bulk.upsert(connection, exposure, _EXPOSURE_COLUMNS, rows)


def betas(
    connection: sa.Connection, factor_set: str, model: str, symbols: Sequence[str], first: int, last: int
) -> dict[str, BetaSeries]:
    """Stored betas of the sessions from ordinal `first`, which begins a block, to `last`, by symbol.

    Sessions that were never computed are NaN with n = 0. Symbols without any are left out.
    """
    rows = connection.execute(
        sa.select(exposure)
        .where(
            exposure.c.factor_set == factor_set,
            exposure.c.model == model,
            exposure.c.symbol.in_(symbols),
            exposure.c.block.between(first // blocks.BLOCK, last // blocks.BLOCK),
        )
        .order_by(exposure.c.symbol, exposure.c.block)
    ).all()
    found: dict[str, BetaSeries] = {}
    for row in rows:
        keys = tuple(row.keys.split(","))
        series = found.get(row.symbol)
        if series is None or series.keys != keys:
            series = found[row.symbol] = _empty_betas(row.symbol, keys, last - first + 1, row.inputs)
        at, k = row.block * blocks.BLOCK - first, len(keys)
        for target, packed, dtype, columns in (
            (series.value, row.value, "f8", k),
            (series.stderr, row.stderr, "f8", k),
            (series.r2, row.r2, "f8", None),
            (series.dof, row.dof, "f8", None),
            (series.n, row.n, "i2", None),
            (series.reason, row.reason, "i1", k),
            (series.warnings, row.warnings, "i2", k),
        ):
            _place(target, at, blocks.unpack(packed, dtype, columns))
    return found


def _place(target: NDArray[Any], at: int, values: NDArray[Any]) -> None:
    fitting = values[: len(target) - at]
    target[at : at + len(fitting)] = fitting


def _empty_betas(symbol: str, keys: tuple[str, ...], days: int, inputs: str) -> BetaSeries:
    shape = (days, len(keys))
    return BetaSeries(
        symbol,
        keys,
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.full(days, np.nan),
        np.full(days, np.nan),
        np.zeros(days, dtype=np.int64),
        np.full(shape, -1, dtype=np.int8),
        np.zeros(shape, dtype=np.int16),
        inputs,
    )


_METRIC_COLUMNS = (
    "symbol",
    "metric",
    "block",
    "value",
    "n",
    "reason",
    "warnings",
    "details",
    "last",
    "inputs",
)


def write_metrics(connection: sa.Connection, first: int, last: int, series: Iterable[MetricSeries]) -> None:
    """Store metrics of the sessions from ordinal `first`, which begins a block, to `last`."""
    rows = [
        (
            item.symbol,
            item.metric,
            block,
            blocks.pack(item.value[part], "f8"),
            blocks.pack(item.n[part], "i2"),
            blocks.pack(item.reason[part], "i1"),
            blocks.pack(item.warnings[part], "i2"),
            blocks.pack(item.details[part], "f8") if item.details.shape[1] else None,
            end,
            item.inputs,
        )
        for item in series
        for block, part, end in blocks.spans(first, last)
    ]
    bulk.upsert(connection, metric, _METRIC_COLUMNS, rows)


def metrics(
    connection: sa.Connection, symbols: Sequence[str], first: int, last: int
) -> dict[tuple[str, str], MetricSeries]:
    """Stored metrics of the sessions from ordinal `first`, which begins a block, by (symbol, metric).

    Sessions that were never computed are NaN with n = 0.
    """
    rows = connection.execute(
        sa.select(metric).where(
            metric.c.symbol.in_(symbols),
            metric.c.block.between(first // blocks.BLOCK, last // blocks.BLOCK),
        )
    )
    found: dict[tuple[str, str], MetricSeries] = {}
    for row in rows:
        width = len(row.details or b"") // len(row.value)
        series = found.get((row.symbol, row.metric))
        if series is None or series.details.shape[1] != width:
            series = found[row.symbol, row.metric] = _empty_metric(row, last - first + 1, width)
        at = row.block * blocks.BLOCK - first
        for target, packed, dtype, columns in (
            (series.value, row.value, "f8", None),
            (series.n, row.n, "i2", None),
            (series.reason, row.reason, "i1", None),
            (series.warnings, row.warnings, "i2", None),
            (series.details, row.details, "f8", width),
        ):
            if packed:
                _place(target, at, blocks.unpack(packed, dtype, columns))
    return found


def _empty_metric(row: Any, days: int, width: int) -> MetricSeries:
    return MetricSeries(
        row.symbol,
        row.metric,
        np.full(days, np.nan),
        np.zeros(days, dtype=np.int16),
        np.full(days, -1, dtype=np.int8),
        np.zeros(days, dtype=np.int16),
        np.full((days, width), np.nan),
        row.inputs,
    )


def up_to_date(
    connection: sa.Connection,
    kind: sa.Table,
    inputs: dict[str, str],
    first: int,
    last: int,
    series_per_symbol: int,
    *conditions: sa.ColumnElement[bool],
) -> set[str]:
    """The symbols all of whose blocks from ordinal `first` to `last` rest on the given inputs.

    kind: the exposure or metric table. inputs: symbol -> fingerprint it should have.
    series_per_symbol: how many series a complete symbol has in each block.
    """
    wanted = {block: end for block, _part, end in blocks.spans(blocks.first_of_block(first), last)}
    rows = connection.execute(
        sa.select(kind.c.symbol, kind.c.block, kind.c.last, kind.c.inputs).where(
            kind.c.symbol.in_(list(inputs)), kind.c.block.in_(list(wanted)), *conditions
        )
    )
    fresh: dict[str, int] = {}
    for row in rows:
        if row.inputs == inputs[row.symbol] and row.last >= wanted[row.block]:
            fresh[row.symbol] = fresh.get(row.symbol, 0) + 1
    return {name for name, count in fresh.items() if count == series_per_symbol * len(wanted)}
