"""What is known of a symbol's prices, and what is missing.

Knows nothing of providers' protocols or of how prices are stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
DateArray = NDArray[np.datetime64]


class Basis(StrEnum):
    """On which share basis a provider's closes are."""

    AS_TRADED = "as_traded"
    SPLIT_ADJUSTED = "split_adjusted"
    FULLY_ADJUSTED = "fully_adjusted"


class FailureKind(StrEnum):
    """Why a symbol has no bars; a closed list, safe to show to an owner."""

    NOT_FOUND = "not_found"
    EMPTY = "empty"
    RATE_LIMITED = "rate_limited"
    BLOCKED = "blocked"
    UNAUTHORISED = "unauthorised"
    BAD_PAYLOAD = "bad_payload"
    NETWORK = "network"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Failure:
    """The typed outcome of a symbol that a provider could not serve.

    retry_after: seconds the provider asked us to wait, if it did.
    detail: for the operator's log only; never shown to an owner.
    """

    symbol: str
    kind: FailureKind
    retry_after: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of sessions, both ends inclusive."""

    start: date
    end: date


@dataclass(frozen=True)
class Bars:
    """Daily bars of one symbol, in rising session order, as a provider gave them.

    sessions: (n,) datetime64[D], unique, rising.
    close: (n,) raw or adjusted close in USD per `basis`; > 0, no NaN.
    split: (n,) new shares per old effective at that session, 1 where none.
    dividend: (n,) cash per share with that ex-date, after a split of the same session, 0 where none.
    adj_close: (n,) fully adjusted close, NaN where the provider gives none.
    volume: (n,) shares, -1 where not given.
    """

    symbol: str
    basis: Basis
    sessions: DateArray
    close: FloatArray
    split: FloatArray
    dividend: FloatArray
    adj_close: FloatArray
    volume: IntArray


@dataclass(frozen=True)
class Panel:
    """Prices of several symbols on one grid of sessions.

    sessions: (T,) datetime64[D], every session of the range.
    ordinals: (T,) position of each session in the whole calendar; fixes tiles and blocks.
    symbols: S names; column j of each matrix belongs to symbols[j].
    close, split, dividend: (T, S); close is NaN where there is no bar, split 1, dividend 0.
    revisions: symbol -> number that rises with every change of its stored bars; 0 when it has none.
    """

    sessions: DateArray
    ordinals: IntArray
    symbols: tuple[str, ...]
    close: FloatArray
    split: FloatArray
    dividend: FloatArray
    revisions: Mapping[str, int]

    def column(self, symbol: str) -> int:
        """The column of `symbol`; raises ValueError when it is not in the panel."""
        return self.symbols.index(symbol)
