"""What a computed number says of itself: its value, what it rests on, and why it may be missing.

Arrays carry reasons as codes and warnings as bits; records carry the words. Knows no formula.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

CodeArray = NDArray[np.int8]
BitArray = NDArray[np.int16]


class Reason(StrEnum):
    """Why a number is missing; a closed list. Codes are positions in it, so new members go last."""

    INSUFFICIENT_HISTORY = "insufficient_history"
    NOT_LISTED = "not_listed"
    NO_PRICE = "no_price"
    STALE_BASE = "stale_base"
    NO_FACTOR_DATA = "no_factor_data"
    FACTOR_NOT_IN_SET = "factor_not_in_set"
    LOW_COVERAGE = "low_coverage"
    ZERO_VARIANCE = "zero_variance"
    SINGULAR = "singular"
    NONPOSITIVE_NAV = "nonpositive_nav"
    NO_POSITIONS = "no_positions"
    SHORT_PERIOD = "short_period"
    NO_ROOT = "no_root"
    NO_MODEL_INPUTS = "no_model_inputs"
    CURRENCY_UNSUPPORTED = "currency_unsupported"
    NOT_APPLICABLE = "not_applicable"

    @property
    def code(self) -> int:
        """The position in REASONS that stands for this reason in an array."""
        return REASONS.index(self)


class Warning_(StrEnum):  # noqa: N801 - the builtin Warning has the name without the underscore
    """What to keep in mind about a number that is there; a closed list, new members go last."""

    PARTIAL_HISTORY = "partial_history"
    STALE_PRICE = "stale_price"
    PARTIAL_COVERAGE = "partial_coverage"
    EXTREME = "extreme"
    THIN_TRADING = "thin_trading"
    MODEL_PRICE = "model_price"
    PSD_REPAIRED = "psd_repaired"
    PROXY_FACTOR = "proxy_factor"
    PRICE_ONLY_MARKET = "price_only_market"
    ADJUSTED_CLOSE_AS_PRICE = "adjusted_close_as_price"
    SPLIT_BASIS_AMBIGUOUS = "split_basis_ambiguous"
    ANCHOR_SHIFT = "anchor_shift"

    @property
    def bit(self) -> int:
        """The power of two that stands for this warning in an array."""
        return 1 << WARNINGS.index(self)


# Share of the exposure behind a number below which it is missing, and below which it has a warning.
LEAST_COVERAGE = 0.50
FULL_COVERAGE = 0.95
REASONS = tuple(Reason)
WARNINGS = tuple(Warning_)
NONE = -1


def reason_of(code: int) -> Reason | None:
    """The reason behind a code of an array; None for NONE. Raises IndexError for an unknown code."""
    return None if code == NONE else REASONS[code]


def warnings_of(bits: int) -> tuple[Warning_, ...]:
    """The warnings whose bits are set, in the order of the list."""
    return tuple(warning for warning in WARNINGS if bits & warning.bit)


def reason_word(code: int) -> str | None:
    """How the reason behind a code is written in a record. Raises IndexError for an unknown code."""
    reason = reason_of(int(code))
    return reason.value if reason else None


def warning_words(bits: int) -> list[str]:
    """How the warnings whose bits are set are written in a record."""
    return [warning.value for warning in warnings_of(int(bits))]


def finite(value: float) -> float | None:
    """A number as it is written in a record: None for NaN and infinities, which JSON has not."""
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number with what it rests on. The value is None if and only if a reason is set.

    n, window: sessions used, sessions asked for. coverage: 0 to 1, the share of exposure behind it.
    Raises ValueError when value and reason contradict each other.
    """

    value: float | None
    as_of: date
    n: int | None = None
    window: int | None = None
    stderr: float | None = None
    r2: float | None = None
    coverage: float | None = None
    reason: Reason | None = None
    warnings: tuple[Warning_, ...] = ()

    def __post_init__(self) -> None:
        if (self.value is None) != (self.reason is not None):
            raise ValueError(f"value {self.value} with reason {self.reason}")


@dataclass(frozen=True, slots=True)
class Exposure:
    """How much a symbol, or the whole portfolio (symbol None), moves with one factor.

    dollars: exposure times beta, USD; None for a symbol. age: sessions since the oldest beta used.
    """

    key: str
    estimate: Estimate
    symbol: str | None = None
    dollars: float | None = None
    age: int = 0


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One metric of one symbol on one session."""

    key: str
    symbol: str
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A portfolio at the close of one session.

    money: USD amounts by field, always known. ratios: everything that may be missing.
    """

    session: date
    money: Mapping[str, float]
    ratios: Mapping[str, Estimate]
    counts: Mapping[str, int] = field(default_factory=dict)
