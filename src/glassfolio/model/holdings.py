"""What a person holds: lots, option contracts, and the problems found in a file.

Knows nothing of files, databases or prices.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

CASH_LIKE = frozenset({"CASH", "MONEY_MARKET", "TREASURY_BILLS"})

SUBTYPES: Mapping[str, tuple[str, ...]] = {
    "PUBLIC": ("STOCK", "ETF", "MUTUAL_FUND", "BOND", "CASH"),
    "OPTIONS": ("CALL", "PUT"),
    "PRIVATE": (
        "PRIVATE_EQUITY",
        "VENTURE_CAPITAL",
        "HEDGE_FUND",
        "PRIVATE_REIT",
        "REAL_ESTATE",
        "CRYPTOCURRENCY",
        "CRYPTO",
        "ART",
        "MONEY_MARKET",
        "TREASURY_BILLS",
        "CASH",
        "COMMODITY",
        "OTHER",
    ),
}

ACCOUNT_TYPES = ("taxable", "ira", "roth_ira", "401k", "403b", "529", "hsa", "trust", "other")


class InvestmentClass(StrEnum):
    """How a lot is priced: on an exchange, as an option contract, or by appraisal."""

    PUBLIC = "PUBLIC"
    OPTIONS = "OPTIONS"
    PRIVATE = "PRIVATE"


@dataclass(frozen=True, slots=True)
class OptionContract:
    """The identity of a listed option; never interchangeable with its underlying."""

    underlying: str
    expiry: date
    right: Literal["C", "P"]
    strike: Decimal
    multiplier: Decimal = Decimal(100)

    @property
    def root(self) -> str:
        """The underlying as option symbols write it, without punctuation: BRKB for BRK-B."""
        return "".join(letter for letter in self.underlying if letter.isalnum())

    @property
    def symbol(self) -> str:
        """The compact OCC symbol, such as AAPL240119C00150000; the strike is in thousandths."""
        return f"{self.root}{self.expiry:%y%m%d}{self.right}{int(self.strike * 1000):08d}"


@dataclass(frozen=True, slots=True)
class Lot:
    """One purchase or short sale, with at most one exit.

    quantity: signed, negative is short; contracts for options, shares otherwise.
    entry_price, exit_price: USD per share, or per unit of premium; None is unknown, never 0.
    entry_date: None when the file does not say since when the lot is held.
    """

    ordinal: int
    line: int
    symbol: str
    quantity: Decimal
    entry_price: Decimal | None
    entry_date: date | None
    investment_class: InvestmentClass
    subtype: str | None = None
    option: OptionContract | None = None
    exit_date: date | None = None
    exit_price: Decimal | None = None
    raw: str = ""

    @property
    def is_cash_like(self) -> bool:
        """Whether the lot is money rather than an investment that can rise or fall."""
        return self.subtype in CASH_LIKE or self.symbol.startswith("CASH_")


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A portfolio as its owner named it.

    equity: net value in USD at the close of `anchor`.
    equity_as_of: the date the owner stated; None means the newest session of the first run.
    anchor: the session whose NAV is the equity; None until the first run fixes it.
    """

    id: str
    owner_id: str
    name: str
    account_name: str
    account_type: str
    description: str
    equity: Decimal
    equity_as_of: date | None
    anchor: date | None
    created_at: datetime
    shown_run: str | None


@dataclass(frozen=True, slots=True)
class Flow:
    """Money that came in (+) or went out (-) on a session, in USD; purchases and dividends are none."""

    session: date
    amount: Decimal


class Severity(StrEnum):
    """An error keeps a file from being stored; a warning is only shown."""

    ERROR = "error"
    WARNING = "warning"


Param = str | int | float | bool | tuple[str, ...] | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a file or a form field, told to the person who sent it.

    line, end_line: physical lines of the file as saved, from 1; None when it is not about a line.
    value: the owner's own cell, at most 64 printable characters; never logged.
    """

    code: str
    severity: Severity
    detail: str
    hint: str
    line: int | None = None
    end_line: int | None = None
    column: str | None = None
    value: str | None = None
    params: Mapping[str, Param] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a file says, with everything that is doubtful in it.

    as_of: the date the file states for itself, if it does.
    rows_read: data rows, whether or not they became lots.
    sha256: of the file's bytes.
    """

    format: str
    version: str
    lots: tuple[Lot, ...]
    problems: tuple[Problem, ...]
    rows_read: int
    sha256: str
    as_of: date | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the file from being stored."""
        return tuple(p for p in self.problems if p.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that are only shown."""
        return tuple(p for p in self.problems if p.severity is Severity.WARNING)
