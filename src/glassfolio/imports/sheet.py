"""A table under a header of ours: where its columns are, and one row's cells with what is wrong with them.

Knows how cells become numbers and dates, and which code stands for what no cell may be; the rules that
connect columns are not here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from glassfolio.imports.base import Asked
from glassfolio.imports.cells import DecimalMark, Fault, known, read_number
from glassfolio.imports.codes import REASONS
from glassfolio.imports.dates import DateOrder, read_date
from glassfolio.imports.problems import problem
from glassfolio.imports.rows import Row
from glassfolio.imports.template_columns import REQUIRED, Column
from glassfolio.model.holdings import Param, Problem, Severity

MAX_USED_CELL = 256
_OWN_CODES = {"digits": "ERR_POS_031", "currency": "ERR_POS_032"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What holds for every row of a file.

    places: position of each of our columns that the header names, from 0.
    width: number of columns the header names.
    """

    places: Mapping[Column, int]
    width: int
    asked: Asked
    mark: DecimalMark = DecimalMark.POINT
    orders: Mapping[Column, DateOrder] = field(default_factory=dict)

    def column(self, column: Column, rows: Iterable[Sequence[str]]) -> Iterator[str]:
        """The cells of one column that say something and are not too long."""
        position = self.places.get(column)
        if position is not None:
            cells = (row[position] for row in rows if position < len(row))
            yield from (cell for cell in cells if len(cell) <= MAX_USED_CELL and known(cell))

    def beyond(self, cells: Sequence[str]) -> int | None:
        """The position, from 1, of the first cell with text that no column name stands above."""
        extra = enumerate(cells[self.width :], start=self.width + 1)
        return next((position for position, cell in extra if cell.strip()), None)

    def name_at(self, position: int) -> str | None:
        """Our column at a position from 0."""
        return next((column.value for column, place in self.places.items() if place == position), None)


class RowCells:
    """The cells of one row under our columns; collects the row's problems."""

    def __init__(self, sheet: Sheet, row: Row) -> None:
        self.sheet = sheet
        self.problems: list[Problem] = []
        self._row = row
        self._cells: dict[Column, str] = {}
        self._refused: set[Column] = set()
        width = len(row.cells)
        for column, position in sheet.places.items():
            cell = row.cells[position] if position < width else ""
            if not cell or not known(cell):
                continue
            self._cells[column] = cell
            if len(cell) > MAX_USED_CELL:
                self._refused.add(column)
                self.tell("ERR_CSV_009", column, what="The cell", limit=MAX_USED_CELL, unit="characters")

    def filled(self, column: Column) -> bool:
        """Whether the cell says something, readable or not."""
        return column in self._cells

    def text(self, column: Column) -> str | None:
        """The cell as written; None when it says nothing or was refused already."""
        return None if column in self._refused else self._cells.get(column)

    def number(
        self, column: Column, *, invalid: str, missing: str | None = None, places: str | None = None
    ) -> Decimal | None:
        """The cell's number, or None after its problem was told with one of the given codes."""
        cell = self._text_or_tell(column, missing)
        if cell is None:
            return None
        value = read_number(cell, self.sheet.mark)
        if not isinstance(value, Fault):
            return value
        own = places if value.reason == "places" else _OWN_CODES.get(value.reason)
        self.tell_fault(own or invalid, column, value, explain=own is None)
        return None

    def date(self, column: Column, *, invalid: str, missing: str | None = None) -> date | None:
        """The cell's date, or None after its problem was told with one of the given codes."""
        cell = self._text_or_tell(column, missing)
        if cell is None:
            return None
        value = read_date(cell, self.sheet.orders.get(column, DateOrder.UNPROVED))
        if not isinstance(value, Fault):
            return value
        self.tell_fault(invalid, column, value)
        return None

    def tell(self, code: str, column: Column | None, *, reason: str | None = None, **params: Param) -> None:
        """Add a problem of this row."""
        cell = None if column is None else self._cells.get(column)
        name = None if column is None else column.value
        row = self._row
        self.problems.append(
            problem(
                code, line=row.line, end_line=row.end_line, column=name, cell=cell, reason=reason, **params
            )
        )

    def tell_fault(self, code: str, column: Column, fault: Fault, *, explain: bool = True) -> None:
        """Add a problem for a cell that cannot be read, with the fault's own hint where there is one."""
        reason = fault.reason if explain and fault.reason in REASONS else None
        self.tell(code, column, reason=reason, **fault.params)

    @property
    def has_errors(self) -> bool:
        """Whether anything told so far keeps the row from becoming a lot."""
        return any(found.severity is Severity.ERROR for found in self.problems)

    def in_file_order(self) -> list[Problem]:
        """The row's problems from its first column to its last."""
        if len(self.problems) < 2:
            return self.problems
        places = {column.value: place for column, place in self.sheet.places.items()}
        last = len(self._row.cells) + self.sheet.width
        return sorted(self.problems, key=lambda found: places.get(found.column or "", last))

    def _text_or_tell(self, column: Column, missing: str | None) -> str | None:
        told_at_header = column in REQUIRED and column not in self.sheet.places
        if missing is not None and not self.filled(column) and not told_at_header:
            self.tell(missing, column)
        return self.text(column)
