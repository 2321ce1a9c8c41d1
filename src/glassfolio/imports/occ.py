"""Option symbols of the Options Clearing Corporation: root, expiry, right and strike in one word.

Both the compact form and the one padded to 21 characters. Knows nothing of brokers' own spellings.
Source: OCC, Options Symbology Initiative.
"""

import re
from decimal import Decimal
from typing import Literal

from glassfolio.imports.cells import Fault
from glassfolio.imports.dates import calendar_date
from glassfolio.model.holdings import OptionContract

MAX_STRIKE = Decimal("99999.999")
_SYMBOL = re.compile(r"([A-Z]{1,6}|[A-Z]{1,5}[0-9]) {0,5}([0-9]{6})([CP])([0-9]{8})", re.ASCII)
_RIGHTS: dict[str, Literal["C", "P"]] = {"C": "C", "P": "P", "CALL": "C", "PUT": "P"}


def read_occ(cell: str) -> OptionContract | Fault | None:
    """The contract an OCC symbol names; None when the cell is no such symbol.

    Fault reasons: root (adjusted contract), expiry (no such day), strike (zero).
    """
    text = cell.strip(" \t\r\n")
    parts = _SYMBOL.fullmatch(text.upper()) if text.isascii() else None
    if parts is None:
        return None
    root, day, right, thousandths = parts.groups()
    if is_adjusted(root):
        return Fault("root", {"root": root})
    expiry = calendar_date(2000 + int(day[:2]), int(day[2:4]), int(day[4:]))
    if expiry is None:
        return Fault("expiry")
    strike = Decimal(int(thousandths)) / 1000
    return OptionContract(root, expiry, _RIGHTS[right], strike) if strike else Fault("strike")


def is_adjusted(root: str) -> bool:
    """Whether the root names a contract changed by a corporate action: it ends in a digit."""
    return root[-1:] in frozenset("0123456789")


def read_right(word: str) -> Literal["C", "P"] | None:
    """Call or put from CALL, PUT, C or P; None for anything else."""
    return _RIGHTS.get(word)


def fits_strike(strike: Decimal) -> bool:
    """Whether a listed option can have this strike: at most five digits and three decimals."""
    return strike <= MAX_STRIKE and strike * 1000 == int(strike * 1000)
