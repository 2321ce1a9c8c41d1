"""Which tests name which row of the contract, told by their docstrings and names.

Knows nothing of what a row says or of whether a test proves it.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROW = re.compile(r"\b(S(?:16[a-f]|1[0-9]|2[0-2]|[1-9])|B[1-9])\b")
IN_NAME = re.compile(r"^test_(s(?:16[a-f]|1[0-9]|2[0-2]|[1-9])|b[1-9])_")
LINE = re.compile(r"^\| (S[0-9]+[a-f]?|B[1-9]) \|.*\|$")
NOBODY = "no test names it"

Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


def naming(tests: Path) -> Mapping[str, tuple[Path, ...]]:
    """Row -> the test files that name it, by path."""
    found: dict[str, set[Path]] = {}
    for path in sorted(tests.rglob("test_*.py")):
        for row in rows_in(path.read_text("utf-8")):
            found.setdefault(row, set()).add(path)
    return {row: tuple(sorted(paths)) for row, paths in found.items()}


def rows_in(source: str) -> set[str]:
    """The rows that a test module names."""
    return {row for node in ast.walk(ast.parse(source)) for row in _named_by(node)}


def _named_by(node: ast.AST) -> Iterator[str]:
    if not isinstance(node, Named):
        return
    yield from ROW.findall(ast.get_docstring(node) or "")
    match = None if isinstance(node, ast.Module) else IN_NAME.match(node.name)
    if match:
        yield match[1][0].upper() + match[1][1:]


def with_tests(page: str, tests: Path, root: Path) -> str:
    """The page with the last cell of every row's line filled by the files that name it."""
    named = naming(tests)
    return "\n".join(_filled(line, named, root) for line in page.split("\n"))


def _filled(line: str, named: Mapping[str, tuple[Path, ...]], root: Path) -> str:
    match = LINE.match(line)
    if match is None:
        return line
    files = named.get(match[1], ())
    links = [f"[{path.name}](../{path.relative_to(root).as_posix()})" for path in files]
    cells = line.split(" | ")
    return " | ".join([*cells[:-1], f"{', '.join(links) or NOBODY} |"])
