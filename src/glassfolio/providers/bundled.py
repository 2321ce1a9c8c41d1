"""The prices that come with the package, as a provider.

Knows nothing of where the table came from; it needs no network and no key.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from glassfolio.bundled import PriceTable, load_prices
from glassfolio.model.market import Bars, Basis, Failure, FailureKind
from glassfolio.providers.base import Fetched, ProviderSettings, Terms, Throttle

TERMS = Terms(
    batch=25,
    requests_per_second=None,
    seconds_per_request=0.001,
    basis=Basis.FULLY_ADJUSTED,
    needs_key=False,
    close_delay=timedelta(0),
)


class BundledProvider:
    """Fully adjusted closes of 28 symbols, 2014 to 2022; no dividends, splits or volumes."""

    name = "bundled"
    terms = TERMS

    def __init__(self, _settings: ProviderSettings, _throttle: Throttle) -> None:
        self._table = load_prices()
        self._columns = {symbol: column for column, symbol in enumerate(self._table.symbols)}

    def newest_session(self) -> date | None:
        """The last session in the table."""
        day: date = self._table.sessions[-1].item()
        return day

    def oldest_session(self) -> date | None:
        """The first session in the table."""
        day: date = self._table.sessions[0].item()
        return day

    def fetch(self, symbols: Sequence[str], start: date, end: date) -> Fetched:
        """Daily bars of `symbols` from `start` to `end`, both inclusive."""
        outcomes = [self._fetch_one(symbol, start, end) for symbol in dict.fromkeys(symbols)]
        return Fetched(
            tuple(o for o in outcomes if isinstance(o, Bars)),
            tuple(o for o in outcomes if isinstance(o, Failure)),
        )

    def _fetch_one(self, symbol: str, start: date, end: date) -> Bars | Failure:
        column = self._columns.get(symbol.upper())
        if column is None:
            return Failure(symbol, FailureKind.NOT_FOUND, None, "not among the bundled symbols")
        bars = cut(self._table, column, symbol, start, end)
        if not bars.sessions.size:
            return Failure(symbol, FailureKind.EMPTY, None, "no bundled prices in this range")
        return bars


def cut(table: PriceTable, column: int, symbol: str, start: date, end: date) -> Bars:
    """One column of the table between two dates, both inclusive, as Bars named `symbol`."""
    first = int(np.searchsorted(table.sessions, np.datetime64(start, "D"), side="left"))
    after = int(np.searchsorted(table.sessions, np.datetime64(end, "D"), side="right"))
    close = table.close[first:after, column]
    known = ~np.isnan(close)
    close = close[known]
    ones = np.ones_like(close)
    return Bars(
        symbol,
        Basis.FULLY_ADJUSTED,
        table.sessions[first:after][known],
        close,
        split=ones,
        dividend=np.zeros_like(close),
        adj_close=close,
        volume=np.full(close.size, -1, dtype=np.int64),
    )
