"""Prices from a folder of CSV or Parquet files, as a provider.

A file holds one symbol and is named after it, or has a `symbol` column and holds many. Column names are
compared without regard to case: `date` or `session`, `close`, and optionally `split`, `dividend`,
`adj_close`, `volume`, `currency`; others are ignored. Closes are as traded: a split belongs beside them.
Knows nothing of networks or of how prices are stored.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from glassfolio.errors import SettingsError
from glassfolio.model.market import Bars, Basis, Failure, FailureKind
from glassfolio.providers.base import Fetched, ProviderSettings, Quarantined, Refusal, Terms, Throttle
from glassfolio.providers.folder import DAY, price_files, read_rows, spell, to_raw
from glassfolio.providers.quality import inspect

TERMS = Terms(
    batch=25,
    requests_per_second=None,
    seconds_per_request=0.01,
    basis=Basis.AS_TRADED,
    needs_key=False,
    close_delay=timedelta(0),
)


class FilesProvider:
    """The price files of one folder, read afresh at every fetch; SettingsError when there is no folder."""

    name = "files"
    terms = TERMS

    def __init__(self, settings: ProviderSettings, _throttle: Throttle) -> None:
        if settings.prices_dir is None or not settings.prices_dir.is_dir():
            raise SettingsError("The provider 'files' needs a folder of price files.")
        self._folder = settings.prices_dir
        self._calendar = settings.sessions

    def newest_session(self) -> date | None:
        """The last session any readable file holds a close for; None when there is none."""
        days: list[date] = []
        for path in price_files(self._folder):
            rows = read_rows(path)
            if isinstance(rows, pl.DataFrame):
                held = rows.filter(pl.col("close").is_not_null()).select(DAY.drop_nulls().unique())
                days += held["session"].to_list()
        sessions = np.intersect1d(np.array(days, dtype="datetime64[D]"), self._calendar)
        newest: date | None = sessions[-1].item() if sessions.size else None
        return newest

    def oldest_session(self) -> date | None:
        """None: a folder may grow backwards."""
        return None

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Fetched:
        """Daily bars of `symbols` from `start` to `end`, both inclusive."""
        bars: list[Bars] = []
        failures: list[Failure] = []
        apart: list[Quarantined] = []
        for symbol, rows in self._find(list(dict.fromkeys(symbols))).items():
            outcome, quarantined = self._judge(symbol, rows, start, end)
            apart += quarantined
            if isinstance(outcome, Bars):
                bars.append(outcome)
            else:
                failures.append(outcome.of(symbol))
        return Fetched(tuple(bars), tuple(failures), tuple(apart))

    def _judge(
        self, symbol: str, rows: pl.DataFrame | Refusal, start: date, end: date
    ) -> tuple[Bars | Refusal, tuple[Quarantined, ...]]:
        raw = rows if isinstance(rows, Refusal) else to_raw(symbol, rows)
        if isinstance(raw, Refusal):
            return raw, ()
        first, last = np.datetime64(start, "D"), np.datetime64(end, "D")
        asked = raw.take((raw.sessions >= first) & (raw.sessions <= last))
        bars, apart = inspect(asked, self._calendar, start, end)
        if bars is not None:
            return bars, apart
        if apart:
            return Refusal(
                FailureKind.BAD_PAYLOAD, None, f"{len(apart)} bars, none of them believable"
            ), apart
        return Refusal(FailureKind.EMPTY, None, "no rows in this range"), ()

    def _find(self, wanted: Sequence[str]) -> dict[str, pl.DataFrame | Refusal]:
        """Each symbol's rows, or why there are none; a file named after it goes before shared files."""
        paths = {spell(path.stem): path for path in reversed(price_files(self._folder))}
        found: dict[str, pl.DataFrame | Refusal] = {}
        for symbol in wanted:
            path = paths.get(spell(symbol))
            own = None if path is None else _rows_of(symbol, read_rows(path))
            if own is not None:
                found[symbol] = own
        others = [symbol for symbol in wanted if symbol not in found]
        shared = [read_rows(path) for path in price_files(self._folder)] if others else []
        for symbol in others:
            hits = [_rows_of(symbol, rows) for rows in shared if _is_shared(rows)]
            absent = Refusal(FailureKind.NOT_FOUND, None, "no file holds this symbol")
            found[symbol] = next((hit for hit in hits if hit is not None), absent)
        return {symbol: found[symbol] for symbol in wanted}


def _is_shared(rows: pl.DataFrame | Refusal) -> bool:
    return isinstance(rows, pl.DataFrame) and "symbol" in rows.columns


def _rows_of(symbol: str, rows: pl.DataFrame | Refusal) -> pl.DataFrame | Refusal | None:
    if isinstance(rows, Refusal) or not _is_shared(rows):
        return rows
    own = rows.filter(pl.col("symbol") == spell(symbol))
    return own if own.height else None
