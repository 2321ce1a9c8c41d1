"""The portfolio form: from text fields to a checked portfolio, or to everything that is wrong with it.

Knows nothing of files, of other portfolios, or of which days have prices.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from glassfolio.imports.cells import Fault, known, read_number, word
from glassfolio.imports.codes import REASONS
from glassfolio.imports.dates import date_order, read_date
from glassfolio.imports.problems import problem
from glassfolio.imports.text import readable
from glassfolio.model.holdings import ACCOUNT_TYPES, Param, Problem

MAX_NAME = 255
MAX_ACCOUNT_NAME = 100
MAX_DESCRIPTION = 1000
MAX_EQUITY = Decimal(10) ** 12
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class PortfolioForm:
    """What an owner says about a portfolio.

    equity: USD, with exactly two decimals, above zero.
    equity_as_of: the day the equity belongs to, not in the future; None when it was left empty.
    description: may be empty.
    """

    name: str
    account_name: str
    account_type: str
    equity: Decimal
    equity_as_of: date | None = None
    description: str = ""


def read_form(fields: Mapping[str, str], *, today: date) -> PortfolioForm | tuple[Problem, ...]:
    """The portfolio that the fields describe, or all their problems, in the order of the form.

    fields: by the names of PortfolioForm; a missing one counts as empty. Problem.column is the field.
    today: the date at the exchange now.
    """
    form = _Form(fields)
    name = form.line("name", MAX_NAME, "ERR_PORT_002", "ERR_PORT_003")
    account_name = form.line("account_name", MAX_ACCOUNT_NAME, "ERR_PORT_011", "ERR_PORT_010")
    account_type = form.account_type()
    equity = form.equity()
    as_of = form.past_date("equity_as_of", today)
    description = form.description()
    if form.problems or equity is None:
        return tuple(form.problems)
    return PortfolioForm(name, account_name, account_type, equity, as_of, description)


class _Form:
    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields
        self.problems: list[Problem] = []

    def line(self, field: str, limit: int, missing: str, too_long: str) -> str:
        text = " ".join(readable(self._fields.get(field, "")).split())
        if not text:
            self._tell(missing, field)
        elif len(text) > limit:
            self._tell(too_long, field, limit=limit)
        return text

    def account_type(self) -> str:
        account_type = word(self._fields.get("account_type", "")).lower()
        if account_type not in ACCOUNT_TYPES:
            self._tell("ERR_PORT_009", "account_type")
        return account_type

    def equity(self) -> Decimal | None:
        cell = self._fields.get("equity", "")
        if not known(cell):
            self._tell("ERR_PORT_004", "equity")
            return None
        value = read_number(cell)
        if isinstance(value, Fault):
            self._tell_fault("ERR_PORT_006" if value.reason == "digits" else "ERR_PORT_005", "equity", value)
        elif value <= 0:
            self._tell("ERR_PORT_005", "equity")
        elif value > MAX_EQUITY:
            self._tell("ERR_PORT_006", "equity", limit=f"{MAX_EQUITY:,f}")
        elif value != value.quantize(CENT):
            self._tell("ERR_PORT_005", "equity", reason="places", limit=2)
        else:
            return value.quantize(CENT)
        return None

    def past_date(self, field: str, today: date) -> date | None:
        cell = self._fields.get(field, "")
        if not known(cell):
            return None
        day = read_date(cell, date_order([cell]))
        if isinstance(day, Fault):
            self._tell_fault("ERR_PORT_012", field, day)
            return None
        if day > today:
            self._tell("ERR_PORT_012", field, reason="future", today=today.isoformat())
        return day

    def description(self) -> str:
        text = readable(self._fields.get("description", "")).strip()
        if len(text) > MAX_DESCRIPTION:
            self._tell("ERR_PORT_014", "description", limit=MAX_DESCRIPTION)
        return text

    def _tell(self, code: str, field: str, *, reason: str | None = None, **params: Param) -> None:
        cell = self._fields.get(field)
        self.problems.append(
            problem(code, line=None, end_line=None, column=field, cell=cell, reason=reason, **params)
        )

    def _tell_fault(self, code: str, field: str, fault: Fault) -> None:
        reason = fault.reason if fault.reason in REASONS else None
        params = {**fault.params, "limit": f"{MAX_EQUITY:,f}"} if code == "ERR_PORT_006" else fault.params
        self._tell(code, field, reason=reason, **params)
