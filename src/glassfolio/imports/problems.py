"""Problems as values: how one is built from its code, and how equal ones are gathered.

Knows the catalogue, and nothing of what is wrong where.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from glassfolio.imports.codes import CATALOGUE, REASONS
from glassfolio.model.holdings import Param, Problem

SHOWN_CHARACTERS = 64
GROUP_LINES = 20


@dataclass(frozen=True, slots=True)
class Group:
    """Problems that share code and column.

    lines: of the first 20 that have one.
    """

    code: str
    column: str | None
    count: int
    lines: tuple[int, ...]


def problem(
    code: str,
    *,
    line: int | None = None,
    end_line: int | None = None,
    column: str | None = None,
    cell: str | None = None,
    reason: str | None = None,
    **params: Param,
) -> Problem:
    """The problem that `code` stands for; a `reason` gives the hint that fits it best.

    Raises KeyError for a code or reason that is not in the catalogue, or a param that its words need.
    """
    entry = CATALOGUE[code]
    hint = entry.hint if reason is None else REASONS[reason].format_map(params)
    return Problem(
        code=code,
        severity=entry.severity,
        detail=entry.text.format_map(params),
        hint=hint,
        line=line,
        end_line=line if end_line is None else end_line,
        column=column,
        value=None if cell is None else shown(cell),
        params=params if reason is None else {"reason": reason, **params},
    )


def shown(cell: str) -> str:
    """The cell in at most 64 printable characters; others are escaped, a cut is marked."""
    head = cell[: SHOWN_CHARACTERS + 1]
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in head)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def groups(problems: Iterable[Problem]) -> tuple[Group, ...]:
    """Problems gathered by code and column, in the order in which each kind first appears."""
    counts: dict[tuple[str, str | None], int] = {}
    lines: dict[tuple[str, str | None], list[int]] = {}
    for found in problems:
        key = (found.code, found.column)
        counts[key] = counts.get(key, 0) + 1
        kept = lines.setdefault(key, [])
        if found.line is not None and len(kept) < GROUP_LINES:
            kept.append(found.line)
    return tuple(Group(*key, count, tuple(lines[key])) for key, count in counts.items())
