"""Reads price files: which there are, their rows as text, and a symbol's rows as arrays.

Knows nothing of date ranges or of which rows are believable.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from glassfolio.model.market import Basis, FailureKind
from glassfolio.providers.base import Refusal
from glassfolio.providers.quality import CURRENCY, RawBars

SUFFIXES = (".csv", ".parquet")
SAME = {"date": "session", "ticker": "symbol", "adj close": "adj_close", "adjclose": "adj_close"}
WHEN_ABSENT: Mapping[str, float] = {
    "close": np.nan,
    "split": 1.0,
    "dividend": 0.0,
    "adj_close": np.nan,
    "volume": -1.0,
}
DAY = pl.col("session").str.strip_chars().str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
SPELLED = pl.col("symbol").str.strip_chars().str.to_uppercase().str.replace_all("[./]", "-")


def price_files(folder: Path) -> list[Path]:
    """The CSV and Parquet files directly in `folder`, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def spell(symbol: str) -> str:
    """A symbol as files are matched: upper case, and class shares with a dash (BRK.B and BRK/B are BRK-B)."""
    return symbol.strip().upper().replace(".", "-").replace("/", "-")


def read_rows(path: Path) -> pl.DataFrame | Refusal:
    """The known columns of a price file as text, and the `place` of each row; symbols as `spell` has them."""
    is_csv = path.suffix.lower() == ".csv"
    try:
        frame = pl.read_csv(path, infer_schema=False) if is_csv else pl.read_parquet(path)
        lower = {name: name.strip().lower() for name in frame.columns}
        frame = frame.rename({name: SAME.get(low, low) for name, low in lower.items()})
        kept = [name for name in ("symbol", "session", "currency", *WHEN_ABSENT) if name in frame.columns]
        frame = frame.select(pl.col(kept).cast(pl.String))
    except (pl.exceptions.PolarsError, OSError) as error:
        return Refusal(FailureKind.BAD_PAYLOAD, None, f"{path.name}: {type(error).__name__}")
    missing = [name for name in ("session", "close") if name not in frame.columns]
    if missing:
        return Refusal(FailureKind.BAD_PAYLOAD, None, f"{path.name}: no column {' or '.join(missing)}")
    if "symbol" in frame.columns:
        frame = frame.with_columns(SPELLED)
    word, first = ("line", 2) if is_csv else ("row", 1)
    number = pl.int_range(first, pl.len() + first).cast(pl.String)
    return frame.with_columns(place=pl.lit(f"{path.name} {word} ") + number)


def to_raw(symbol: str, rows: pl.DataFrame) -> RawBars | Refusal:
    """Rows of one symbol as arrays, or a refusal naming file, line and column of the first bad cell."""
    given = [name for name in WHEN_ABSENT if name in rows.columns]
    texts = rows.with_columns(pl.col(given).str.strip_chars().replace("", None))
    parsed = texts.with_columns(DAY, pl.col(given).cast(pl.Float64, strict=False))
    for name in ("session", *given):
        bad = parsed[name].is_null() & (texts[name].is_not_null() | (name == "session"))
        if bad.any():
            place, cell = rows.filter(bad).select("place", name).row(0)
            return Refusal(FailureKind.BAD_PAYLOAD, None, f"{place}: {name} {str(cell or '')[:40]!r}")
    columns = {
        name: parsed[name].fill_null(absent).to_numpy() if name in given else np.full(rows.height, absent)
        for name, absent in WHEN_ABSENT.items()
    }
    volume = np.nan_to_num(columns["volume"], nan=-1.0, posinf=-1.0, neginf=-1.0)
    currency = rows["currency"].fill_null(CURRENCY).to_list() if "currency" in rows.columns else None
    return RawBars(
        symbol,
        Basis.AS_TRADED,
        parsed["session"].to_numpy().astype("datetime64[D]"),
        columns["close"],
        columns["split"],
        columns["dividend"],
        columns["adj_close"],
        np.clip(volume, -1.0, 2.0**62).astype(np.int64),
        None if currency is None else np.array([code.strip() for code in currency], dtype=np.str_),
    )
