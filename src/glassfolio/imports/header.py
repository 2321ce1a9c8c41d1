"""Header lines: where one is, and what is wrong with its names.

Knows nothing of any particular format's columns.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from glassfolio.imports.problems import problem, shown
from glassfolio.imports.rows import DELIMITERS, BrokenRow, read_rows
from glassfolio.model.holdings import Problem

MAX_PREAMBLE = 40
MAX_COLUMNS = 256
NEAREST_CUTOFF = 0.3


@dataclass(frozen=True, slots=True)
class Header:
    """A line of column names.

    names: as written, without the unnamed columns at the end.
    keys: the same, in the form that is compared.
    """

    delimiter: str
    line: int
    end_line: int
    names: tuple[str, ...]
    keys: tuple[str, ...]


def key(name: str) -> str:
    """A column name as it is compared: NFKC, trimmed, inner spaces collapsed, case ignored."""
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()


def candidates(text: str) -> Iterator[Header]:
    """Every record within the first 40 lines, read with each delimiter, as if it were a header."""
    for delimiter in DELIMITERS:
        for row in read_rows(text, delimiter, last=MAX_PREAMBLE):
            if isinstance(row, BrokenRow):
                continue
            names = list(row.cells)
            while names and not key(names[-1]):
                names.pop()
            keys = tuple(key(name) for name in names)
            yield Header(delimiter, row.line, row.end_line, tuple(names), keys)


def no_header(text: str) -> Problem:
    """Why a text without a known header cannot be read: it is empty, unreadable, or has other columns."""
    if next(read_rows(text, DELIMITERS[0]), None) is None:
        found = "only comments or blank lines" if text.strip() else "it is empty"
        return problem("ERR_CSV_003", found=found)
    broken = [_first_broken(text, delimiter) for delimiter in DELIMITERS]
    faults = [fault for fault in broken if fault is not None]
    if len(faults) == len(DELIMITERS):
        return unreadable(faults[0])
    return problem("ERR_CSV_005", lines=MAX_PREAMBLE)


def unreadable(row: BrokenRow, column: str | None = None) -> Problem:
    """The problem of a record that breaks the rules of quoting."""
    return problem("ERR_CSV_006", line=row.line, end_line=row.end_line, column=column, reason=row.reason)


def name_problems(header: Header, known: Sequence[str], required: Sequence[str]) -> tuple[Problem, ...]:
    """Missing and repeated columns as errors, unknown ones as one warning.

    known, required: columns by their proper names.
    """
    by_key = {key(name): name for name in known}
    missing = (name for name in required if key(name) not in header.keys)
    unused = [n for n, k in zip(header.names, header.keys, strict=True) if k and k not in by_key]
    return (
        *(_missing(header, name, unused) for name in missing),
        *_repeated(header, by_key),
        *_unknown(header, by_key),
    )


def _missing(header: Header, name: str, unused: Sequence[str]) -> Problem:
    by_key = {key(other): other.strip() for other in unused}
    near = get_close_matches(key(name), list(by_key), n=1, cutoff=NEAREST_CUTOFF)
    line, end = header.line, header.end_line
    if not near:
        return problem("ERR_CSV_004", line=line, end_line=end, column=name, missing=name)
    nearest = shown(by_key[near[0]])
    return problem(
        "ERR_CSV_004",
        line=line,
        end_line=end,
        column=name,
        reason="nearest_column",
        missing=name,
        nearest=nearest,
    )


def _repeated(header: Header, by_key: Mapping[str, str]) -> Iterator[Problem]:
    for name, count in Counter(k for k in header.keys if k).items():
        if count > 1:
            positions = tuple(i for i, k in enumerate(header.keys, start=1) if k == name)
            yield problem(
                "ERR_CSV_010",
                line=header.line,
                end_line=header.end_line,
                column=by_key.get(name) or shown(header.names[positions[0] - 1].strip()),
                count=count,
                positions=positions,
            )


def _unknown(header: Header, by_key: Mapping[str, str]) -> Iterator[Problem]:
    columns = tuple(
        shown(name.strip()) if k else f"column {position} (no name)"
        for position, (name, k) in enumerate(zip(header.names, header.keys, strict=True), start=1)
        if k not in by_key
    )
    if columns:
        names = ", ".join(columns)
        yield problem(
            "WARN_CSV_001", line=header.line, end_line=header.end_line, names=names, columns=columns
        )


def _first_broken(text: str, delimiter: str) -> BrokenRow | None:
    rows = read_rows(text, delimiter, last=MAX_PREAMBLE)
    return next((row for row in rows if isinstance(row, BrokenRow)), None)
