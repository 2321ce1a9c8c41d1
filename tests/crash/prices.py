"""Prices for any symbol over Tiingo's interface: what a slow provider sends, and when it was asked."""

import math
import threading
import zlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

from glassfolio.clock import SystemClock
from glassfolio.sessions import Sessions
from tests.fakes.tiingo import FakeTiingo, Hit
from tests.fakes.tiingo_faults import Row, make_row


@dataclass(frozen=True)
class Asked:
    """One request for a symbol and the moment it came in."""

    symbol: str
    at: datetime


class Market(FakeTiingo):
    """A server that knows every symbol on every session up to today."""

    def __init__(self, sessions: Sessions, delay: float) -> None:
        self._sessions, self._clock = sessions, SystemClock()
        self._noting = threading.Lock()
        self._asked: list[Asked] = []
        super().__init__(delay=delay)

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    @property
    def asked(self) -> list[Asked]:
        """Every request so far, in order."""
        with self._noting:
            return list(self._asked)

    def take_fault(self, hit: Hit) -> str:
        """Note when it was asked."""
        with self._noting:
            self._asked.append(Asked(hit.symbol, self._clock.now()))
        return super().take_fault(hit)

    def rows(self, symbol: str, start: date, end: date) -> list[Row] | None:
        """A wave around a level that the symbol's name decides."""
        first, last = self._sessions.ordinal_from(start), self._sessions.ordinal(end)
        return [make_row(self._sessions.day(i), close(symbol, i)) for i in range(first, last + 1)]


def close(symbol: str, ordinal: int) -> float:
    """A symbol's close at a session, the same whenever it is asked."""
    seed = zlib.crc32(symbol.encode())
    level, phase = 50 + seed % 100, seed % 628 / 100
    return round(
        level * (1 + 0.08 * math.sin(ordinal / 23 + phase) + 0.01 * math.sin(ordinal * 1.7 + phase)), 4
    )
