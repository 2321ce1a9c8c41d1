"""The small values that columns of a run and of its history hold as JSON.

Knows nothing of queries.
"""

import json
from collections.abc import Mapping
from typing import Any

from glassfolio.clock import from_iso, iso
from glassfolio.model.run import Eta, EtaBasis, EtaReason, Spread


def eta_text(eta: Eta | None) -> str | None:
    """A remaining time as its column holds it."""
    if eta is None:
        return None
    return json.dumps(
        [eta.seconds, eta.low, eta.high, eta.basis.value, eta.runs, iso(eta.as_of), eta.reason],
        separators=(",", ":"),
    )


def read_eta(text: str | None) -> Eta | None:
    """The remaining time of a column."""
    if text is None:
        return None
    seconds, low, high, basis, runs, as_of, reason = json.loads(text)
    why = EtaReason(reason) if reason else None
    return Eta(seconds, low, high, EtaBasis(basis), runs, from_iso(as_of), why)


def spread_text(spread: Spread | None) -> str | None:
    """Factors of a range as their column holds them."""
    if spread is None:
        return None
    return json.dumps([spread.low, spread.high, spread.runs], separators=(",", ":"))


def read_spread(text: str | None) -> Spread | None:
    """The factors of a column."""
    if text is None:
        return None
    low, high, runs = json.loads(text)
    return Spread(tuple(low), tuple(high), runs)


def read_honesty(text: str | None) -> Mapping[str, Any] | None:
    """The measures of a column."""
    found: Mapping[str, Any] | None = None if text is None else json.loads(text)
    return found
