"""Builds holdings files for tests: rows as mappings from column to text, in any spelling of a table."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from glassfolio.imports import parse
from glassfolio.imports.template_columns import Column
from glassfolio.model.holdings import Holdings, Problem

SAMPLES = Path(__file__).parent.parent / "samples"
TODAY = date(2024, 6, 28)

STOCK: Mapping[str, str] = {
    "Symbol": "AAPL",
    "Quantity": "100",
    "Entry Price Per Share": "150.25",
    "Entry Date": "2021-03-15",
}
OPTION: Mapping[str, str] = {
    "Symbol": "",
    "Quantity": "2",
    "Entry Price Per Share": "9.35",
    "Entry Date": "2024-01-16",
    "Investment Class": "OPTIONS",
    "Underlying Symbol": "AAPL",
    "Strike Price": "150",
    "Expiration Date": "2027-01-15",
    "Option Type": "CALL",
}
OCC: Mapping[str, str] = {
    "Symbol": "AAPL270115C00150000",
    "Quantity": "2",
    "Entry Price Per Share": "9.35",
    "Entry Date": "2024-01-16",
}
NAMES = tuple(column.value for column in Column)


def weekdays(day: date) -> bool:
    """A calendar without holidays."""
    return day.weekday() < 5


def cell(text: str, delimiter: str, always: bool = False) -> str:
    """A cell as a file has it, quoted where it must be."""
    needs = always or any(c in text for c in (delimiter, '"', "\n", "\r"))
    return '"' + text.replace('"', '""') + '"' if needs else text


def line(cells: Sequence[str], delimiter: str = ",", always: bool = False) -> str:
    """One row without its newline."""
    return delimiter.join(cell(c, delimiter, always) for c in cells)


def table(rows: Sequence[Mapping[str, str]], names: Sequence[str] = NAMES) -> bytes:
    """A plain comma-separated UTF-8 file."""
    lines = [line(names), *(line([row.get(name, "") for name in names]) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def read(data: bytes, *, filename: str = "holdings.csv", today: date = TODAY) -> Holdings:
    """Parse with the calendar of weekdays."""
    return parse(data, filename=filename, today=today, is_session=weekdays)


def places(problems: Sequence[Problem]) -> list[tuple[str, int | None, str | None]]:
    """Code, line and column of each."""
    return [(found.code, found.line, found.column) for found in problems]
