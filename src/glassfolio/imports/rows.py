"""From text to rows of cells that know their physical lines.

The csv module does the quoting. Comment lines and blank lines are skipped but counted. Knows nothing of
headers or of what a cell means.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

DELIMITERS = (",", ";", "\t")
MAX_CELL = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """One record.

    line, end_line: physical lines from 1; they differ when a quoted cell contains newlines.
    raw: the text as saved, without its last newline.
    """

    line: int
    end_line: int
    cells: list[str]
    raw: str


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """Text that is no record.

    reason: unclosed_quote or cell_over_4096.
    position: of the cell in the row, from 1, when it is known.
    """

    line: int
    end_line: int
    reason: str
    position: int | None = None


class _Lines:
    """Physical lines for the csv reader; `taken` are those of the record being read."""

    def __init__(self, text: str, last: int | None) -> None:
        self._source = io.StringIO(text, newline="")
        self._last = last
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._source:
            self.number += 1
            if not self.taken:
                if self._last is not None and self.number > self._last:
                    break
                if line[0] == "#" or line.isspace():
                    continue
            self.taken.append(line)
            return line
        raise StopIteration


def read_rows(text: str, delimiter: str, last: int | None = None) -> Iterator[Row | BrokenRow]:
    """Every record in order, with those that break the rules of quoting in their place.

    A record whose cells are all empty counts as blank. After a misplaced quotation mark reading goes on
    with the next physical line; a quotation mark that is never closed ends it.
    last: the last physical line on which a record may begin, if not all are wanted.
    """
    lines = _Lines(text, last)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            too_long = str(fault).startswith("field larger")
            yield _broken(lines, too_long)
            if too_long:
                return
            continue
        if any(cell and not cell.isspace() for cell in cells):
            yield _record(lines, cells)


def _record(lines: _Lines, cells: list[str]) -> Row | BrokenRow:
    raw = "".join(lines.taken)
    start = lines.number - len(lines.taken) + 1
    if len(raw) > MAX_CELL:
        for position, cell in enumerate(cells, start=1):
            if len(cell) > MAX_CELL:
                return BrokenRow(start, lines.number, "cell_over_4096", position)
    return Row(start, lines.number, cells, raw.rstrip("\r\n"))


def _broken(lines: _Lines, too_long: bool) -> BrokenRow:
    """The csv module's own limit is far above ours: over it, a cell of many lines lost its closing quote."""
    start = lines.number - len(lines.taken) + 1
    one_line = len(lines.taken) == 1
    return BrokenRow(start, lines.number, "cell_over_4096" if too_long and one_line else "unclosed_quote")
