"""Our own format: a header line with the names of the template's columns, in any order, and one lot a row.

A header is recognised when it has three of the twelve names, or two that are at least half of all its
names; required columns it lacks are then named one by one (ERR_CSV_004). With less the file has no header
we know (ERR_CSV_005). Knows nothing of the rules of a single row.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from glassfolio.imports.base import Asked, Format, Reading
from glassfolio.imports.cells import decimal_mark
from glassfolio.imports.dates import date_order
from glassfolio.imports.header import MAX_COLUMNS, Header, candidates, key, name_problems, unreadable
from glassfolio.imports.problems import problem
from glassfolio.imports.rows import BrokenRow, Row, read_rows
from glassfolio.imports.sheet import Sheet
from glassfolio.imports.template_columns import DATES, NUMBERS, REQUIRED, Column
from glassfolio.imports.template_row import read_lot
from glassfolio.imports.text import Document
from glassfolio.model.holdings import Lot, Problem

MAX_ROWS = 5000
_KEYS = {key(column): column for column in Column}


def recognise(document: Document) -> Header | None:
    """The header that names most of our columns; the first of several equal ones."""
    found = max(candidates(document.text), key=_names_ours, default=None)
    if found is None:
        return None
    ours, named = _names_ours(found), sum(1 for k in found.keys if k)
    return found if ours >= 3 or (ours == 2 and ours * 2 >= named) else None


def read(document: Document, header: Header, asked: Asked) -> Reading:
    """Every row below the header; a row with an error becomes no lot, and all its errors are told."""
    if len(header.names) > MAX_COLUMNS:
        return Reading((), (_too_many_columns(header),), 0)
    problems = list(name_problems(header, [c.value for c in Column], [c.value for c in REQUIRED]))
    rows = list(islice(_rows_below(document, header), MAX_ROWS + 1))
    if not rows:
        problems.append(problem("ERR_CSV_003", line=header.line, found="only the header line is there"))
    sheet = _sheet(header, rows, asked)
    lots: list[Lot] = []
    seen: dict[object, int] = {}
    for ordinal, row in enumerate(rows[:MAX_ROWS]):
        lot, found = _read_row(sheet, ordinal, row)
        problems.extend(found)
        if lot is not None:
            lots.append(lot)
            problems.extend(_twin(lot, row.end_line, seen))
    if len(rows) > MAX_ROWS:
        problems.append(problem("ERR_CSV_008", line=rows[MAX_ROWS].line, limit=MAX_ROWS))
    return Reading(tuple(lots), tuple(problems), min(len(rows), MAX_ROWS))


FORMAT = Format("template", "1", recognise, read)


def _names_ours(header: Header) -> int:
    return len(_KEYS.keys() & set(header.keys))


def _rows_below(document: Document, header: Header) -> Iterator[Row | BrokenRow]:
    rows = read_rows(document.text, header.delimiter)
    return (row for row in rows if row.line > header.line)


def _sheet(header: Header, rows: Iterable[Row | BrokenRow], asked: Asked) -> Sheet:
    """What only the whole file tells: where each column is, and how it writes decimals and dates."""
    places: dict[Column, int] = {}
    for position, name in enumerate(header.keys):
        if name in _KEYS:
            places.setdefault(_KEYS[name], position)
    sheet = Sheet(places, len(header.names), asked)
    cells = [row.cells for row in rows if isinstance(row, Row) and not sheet.beyond(row.cells)]
    orders = {column: date_order(sheet.column(column, cells)) for column in DATES}
    if header.delimiter == ",":
        return replace(sheet, orders=orders)
    numbers = (cell for column in NUMBERS for cell in sheet.column(column, cells))
    return replace(sheet, orders=orders, mark=decimal_mark(numbers))


def _read_row(sheet: Sheet, ordinal: int, row: Row | BrokenRow) -> tuple[Lot | None, list[Problem]]:
    if isinstance(row, BrokenRow):
        column = None if row.position is None else sheet.name_at(row.position - 1)
        return None, [unreadable(row, column)]
    position = sheet.beyond(row.cells)
    if position:
        return None, [
            problem(
                "ERR_CSV_011",
                line=row.line,
                end_line=row.end_line,
                cell=row.cells[position - 1],
                position=position,
                columns=sheet.width,
            )
        ]
    return read_lot(sheet, ordinal, row)


def _twin(lot: Lot, end_line: int, seen: dict[object, int]) -> Iterator[Problem]:
    """A warning when an earlier row says the same in all its columns."""
    kind = (lot.investment_class.value, lot.subtype, lot.option)
    entry, exit_ = (lot.entry_price, lot.entry_date), (lot.exit_price, lot.exit_date)
    content = (lot.symbol, lot.quantity, kind, entry, exit_)
    first = seen.setdefault(content, lot.line)
    if first != lot.line:
        yield problem("ERR_POS_023", line=lot.line, end_line=end_line, first_line=first)


def _too_many_columns(header: Header) -> Problem:
    return problem(
        "ERR_CSV_009",
        line=header.line,
        end_line=header.end_line,
        what="The number of columns",
        limit=MAX_COLUMNS,
        unit="columns",
    )
