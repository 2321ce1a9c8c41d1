"""The house's rules, as far as the source can be asked."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from glassfolio import __version__

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "glassfolio"
MODULES = sorted(path for path in SOURCE.rglob("*.py"))
WRITTEN = [
    path
    for folder in ("src", "tests", "docs", "bench", "data", ".ci")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".md", ".csv", ".html", ".css", ".js", ".toml", ".sh", ".mako"}
] + [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml")]

LONGEST_MODULE, LONGEST_FUNCTION = 400, 60
# Where whatever raises is recorded and ends what it was doing: threads, requests, flows.
EDGES = {"batch/pipeline.py", "batch/working.py", "engine/liveness.py", "web/errors.py"}
ENVIRONMENT_READERS = {"settings.py"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "service", "common", "misc"}
UNFINISHED = re.compile(r"TO[D]O|FIX[M]E|XX[X]")


def named(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def dotted(node: ast.expr) -> str:
    """`datetime.now` of the expression datetime.now; empty for anything that is no chain of names."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def clock_calls(module: ast.Module) -> set[str]:
    """The calls that ask what time it is, however the modules were imported."""
    aliases: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            aliases |= {item.asname or item.name: item.name for item in node.names}
        elif isinstance(node, ast.ImportFrom):
            aliases |= {item.asname or item.name: f"{node.module}.{item.name}" for item in node.names}
    asked = {"datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow"}
    asked |= {"datetime.date.today", "time.time", "time.time_ns"}
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute | ast.Name) and (name := dotted(node)):
            head, _, rest = name.partition(".")
            whole = ".".join(part for part in (aliases.get(head, head), rest) if part)
            found |= {whole} & asked
    return found


def test_only_the_clock_asks_what_time_it_is() -> None:
    """Pitfall: server-local today() in 46 places."""
    assert [named(path) for path in MODULES if clock_calls(tree(path))] == ["clock.py"]


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.date.today()",
        "from datetime import date as d\nd.today",
        "import time\ntime.time()",
        "from time import time\ntime()",
        "import datetime as dt\ndt.datetime.utcnow()",
    ],
)
def test_the_rule_above_sees_through_imports(source: str) -> None:
    assert clock_calls(ast.parse(source))


def test_the_rule_above_lets_a_stopwatch_pass() -> None:
    assert not clock_calls(ast.parse("import time\ntime.monotonic()\nclock.now()"))


def catches_everything(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or dotted(kind) in ("Exception", "BaseException") for kind in kinds)


def test_only_the_outermost_edges_catch_everything() -> None:
    found = {
        named(path)
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
    }
    assert found <= EDGES


def length(node: ast.stmt) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def test_modules_and_functions_stay_short() -> None:
    """Except that a migration lists tables."""
    here = [path for path in MODULES if "migrations" not in path.parts]
    assert [named(p) for p in here if len(p.read_text("utf-8").splitlines()) > LONGEST_MODULE] == []
    functions = [
        (named(path), node.name)
        for path in here
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > LONGEST_FUNCTION
    ]
    assert functions == []


def undocumented(module: ast.Module) -> list[str]:
    """The public functions, classes and methods without a docstring."""
    classes = [n for n in module.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
    public = [
        node
        for body in (module.body, *(found.body for found in classes))
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
    ]
    return [node.name for node in public if not ast.get_docstring(node)]


def test_everything_public_says_what_it_is() -> None:
    here = [path for path in MODULES if "migrations" not in path.parts]
    assert {named(path): names for path in here if (names := undocumented(tree(path)))} == {}
    assert [named(path) for path in here if not ast.get_docstring(tree(path))] == []


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        named(path)
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and dotted(node) in ("os.environ", "os.getenv", "os.environb")
    }
    assert readers <= ENVIRONMENT_READERS


def test_no_module_is_named_after_nothing_in_particular() -> None:
    assert [path for path in SOURCE.rglob("*") if path.stem.lower() in VAGUE_NAMES] == []


def test_nothing_written_is_marked_as_unfinished() -> None:
    assert len(WRITTEN) > 100
    for path in WRITTEN:
        if path.exists():
            found = UNFINISHED.search(path.read_text("utf-8", "replace"))
            assert not found, f"{path}: {found and found[0]}"


def test_the_version_has_a_place_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.?[a-z]+\d+)?", __version__)
    sections = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert sections[0] == "Unreleased"
    assert __version__ in sections or len(sections) == 1


def make_commands() -> set[str]:
    text = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z]+):.*## ", text, re.MULTILINE))


def test_the_makefile_has_the_commands_that_the_readme_names() -> None:
    readme = ROOT / "README.md"
    assert readme.exists()
    named_there = set(re.findall(r"\bmake ([a-z]+)\b", readme.read_text("utf-8")))
    assert {"demo", "test"} <= named_there
    assert named_there - {"sure", "it", "a"} <= make_commands()


def test_the_makefile_lists_the_commands_of_every_day() -> None:
    assert {"setup", "demo", "run", "test", "check", "fmt", "bench", "docs"} <= make_commands()
