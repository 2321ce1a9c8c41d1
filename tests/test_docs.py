"""The pages say what the code says: links, settings, commands, endpoints, codes and fields."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from docs import build, contract
from glassfolio.analytics.factors import FACTOR_SETS, MODELS
from glassfolio.analytics.metrics import METRICS
from glassfolio.batch.pipeline import NAMES
from glassfolio.cli.main import app as commands
from glassfolio.db.tables import SNAPSHOT_NUMBERS
from glassfolio.imports.codes import CATALOGUE
from glassfolio.model.messages import MESSAGES, SYMBOL_REASONS
from glassfolio.model.results import Reason, Warning_
from glassfolio.model.run import (
    Activity,
    Conclusion,
    FailureCode,
    PhaseProgress,
    PhaseStatus,
    Run,
    RunState,
    RunStatus,
    SymbolOutcome,
    Trigger,
)
from glassfolio.progress import fold
from glassfolio.providers import PROVIDERS
from glassfolio.settings import Settings, load
from glassfolio.web.app import create_app
from glassfolio.web.errors import CODES
from glassfolio.web.status_document import EXAMPLE
from glassfolio.wiring import assemble

ROOT = build.ROOT
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"!?\[((?:[^\[\]\\]|\\.)*)\]\(([^)\s]+)\)")
FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
NOW = datetime(2024, 1, 9, 21, tzinfo=UTC)


def read(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return FENCED.sub("", text)


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)


def anchor(heading: str) -> str:
    """The name a heading gets on a page: lower case, hyphens for spaces, punctuation dropped."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def sections(page: str, level: str = "### ") -> dict[str, str]:
    """The page's sections of one level: heading -> text."""
    parts = re.split(rf"^{level}", prose(read(page)), flags=re.MULTILINE)[1:]
    found = (part.split("\n", 1) for part in parts)
    return {head: re.split(r"^#{1,3} ", text, maxsplit=1, flags=re.MULTILINE)[0] for head, text in found}


def first_cells(text: str) -> set[str]:
    """What stands in backticks in the first cells of a page's tables."""
    cells = re.findall(r"^\| (`[^|]+`) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def defined_in(path: Path) -> set[str]:
    """Names that a module defines, with those inside its classes."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def faults(page: Path, text: str) -> Iterator[str]:
    """What is wrong with the links of a page."""
    for label, target in LINK.findall(prose(text)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, name = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        if not path.exists():
            yield f"{page.name}: no file {target}"
        elif name and name not in map(anchor, headings(path.read_text("utf-8"))):
            yield f"{page.name}: no heading {target}"
        elif path.suffix == ".py" and re.fullmatch(r"`[\w.]+`", label):
            missing = set(label.strip("`").split(".")) - defined_in(path)
            if missing:
                yield f"{page.name}: {path.name} does not define {label}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert list(faults(page, page.read_text("utf-8"))) == []


def test_a_broken_link_is_found() -> None:
    text = "[a](nowhere.md) [b](README.md#nothing) [`gone`](docs/build.py) [`main`](docs/build.py)"
    page = ROOT / "PAGE.md"
    assert list(faults(page, text)) == [
        "PAGE.md: no file nowhere.md",
        "PAGE.md: no heading README.md#nothing",
        "PAGE.md: build.py does not define `gone`",
    ]


def test_what_is_generated_is_up_to_date() -> None:
    stale = [path.name for path, text in build.generated().items() if path.read_text("utf-8") != text]
    assert stale == [], "run `make docs`"


def test_every_setting_has_its_heading_and_default() -> None:
    described = {head: text for head, text in sections("docs/operations.md").items() if head.isupper()}
    assert sorted(described) == sorted(name.upper() for name in Settings.model_fields)
    for name, field in Settings.model_fields.items():
        given = getattr(field.default, "get_secret_value", lambda value=field.default: value)()
        shown = "none" if given in (None, "", ()) else f"`{str(given).lower() if given is False else given}`"
        assert f"Default: {shown}" in described[name.upper()].split("\n")[1], name


def command_group() -> TyperGroup:
    group = get_command(commands)
    assert isinstance(group, TyperGroup)
    return group


def test_every_command_has_its_heading_and_options() -> None:
    described = {
        head.removeprefix("glassfolio "): text
        for head, text in sections("docs/operations.md").items()
        if head.startswith("glassfolio ")
    }
    group = command_group()
    assert sorted(described) == sorted(group.commands)
    for name, command in group.commands.items():
        taken = {flag for item in command.params for flag in item.opts if flag.startswith("--")}
        usage = described[name].strip().split("`")[1] if described[name].strip().startswith("`") else ""
        assert set(re.findall(r"--[a-z-]+", usage)) == taken, name


def test_commands_in_the_pages_exist() -> None:
    group = command_group()
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    for page in PAGES:
        text = page.read_text("utf-8")
        code = "\n".join(body for kind, body in FENCED.findall(text) if kind == "bash")
        spoken = "\n".join(re.findall(r"`([^`\n]+)`", prose(text)))
        made = re.findall(r"^make ([a-z]+)", f"{code}\n{spoken}", re.MULTILINE)
        called = re.findall(r"^(?:\.venv/bin/)?glassfolio (?!is )([a-z]+)", f"{code}\n{spoken}", re.MULTILINE)
        assert set(made) <= targets, page.name
        assert set(called) <= set(group.commands), page.name


def test_the_readme_has_the_two_commands() -> None:
    text = read("README.md")
    assert "make demo" in text
    assert "make test" in text


def endpoints(folder: Path) -> dict[str, Any]:
    """METHOD path -> operation, as the application describes itself."""
    parts = assemble(load(data_dir=folder, provider="bundled", database_url=""))
    try:
        paths = create_app(parts, with_worker=False).openapi()["paths"]
    finally:
        parts.close()
    return {f"{method.upper()} {path}": item for path, ways in paths.items() for method, item in ways.items()}


def test_every_endpoint_has_its_heading_and_parameters(tmp_path: Path) -> None:
    described = {head: text for head, text in sections("docs/api.md").items() if " /" in head}
    there = endpoints(tmp_path)
    assert sorted(described) == sorted(there)
    for name, operation in there.items():
        form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data", {})
        wanted = {item["name"] for item in operation.get("parameters", []) if item["in"] == "query"}
        wanted |= set(form.get("schema", {}).get("properties", {}))
        assert wanted <= set(re.findall(r"`(\w+)`", described[name])), name


def test_every_code_reason_and_warning_has_its_row() -> None:
    known = first_cells(read("docs/api.md"))
    lists: Iterable[Iterable[str]] = (
        CATALOGUE,
        CODES.values(),
        FailureCode,
        MESSAGES,
        SYMBOL_REASONS,
        Reason,
        Warning_,
        SNAPSHOT_NUMBERS,
    )
    assert {str(name) for names in lists for name in names} - known == set()


def test_every_metric_model_factor_set_and_provider_is_described() -> None:
    known = first_cells(read("docs/metrics.md"))
    assert set(METRICS) | set(MODELS) <= known
    assert set(FACTOR_SETS) <= set(headings(read("docs/metrics.md")))
    assert set(PROVIDERS) == first_cells(sections("docs/operations.md", "## ")["Provider limits"])


def failed_run() -> dict[str, Any]:
    """The status document of a run that failed in its first phase."""
    run = Run(
        id="R",
        portfolio_id="P",
        owner_id="O",
        kind="onboarding",
        trigger=Trigger.USER,
        triggered_by="O",
        attempt=1,
        fence=0,
        resumes=0,
        state=RunState.ENDED,
        seq=1,
        percent=0.0,
        started_at=NOW,
        updated_at=NOW,
        conclusion=Conclusion.FAILURE,
        failure_code=FailureCode.PROVIDER_UNAVAILABLE,
        failure_phase=NAMES[0].key,
    )
    phases = tuple(PhaseProgress(name, PhaseStatus.PENDING) for name in NAMES)
    feed = (Activity(1, NOW, "RUN_QUEUED", None, {}),)
    return fold.document(RunStatus(run, phases, feed, 1, (SymbolOutcome("ZZZQ", "unknown", "not_found"),)))


def fields(value: Any, name: str = "") -> Iterator[str]:
    """The names of all leaves of a document: `a.b`, `list[].c`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from fields(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for inner in value:
            yield from fields(inner, f"{name}[]")
    else:
        yield name


# Parts of the document whose row speaks of all that is in them.
TOLD_AS_ONE = ("symbols[].action", "warnings[].action", "symbol_counts", "honesty", "queue.starts_in")


def test_every_field_of_the_status_document_has_its_row() -> None:
    known = first_cells(sections("docs/api.md", "## ")["The status document"])
    failed = failed_run()
    running = fold.document(replace_run(RunState.RUNNING))
    never = fold.never_onboarded("P", NAMES)
    moving = {"elapsed_seconds": 0, "heartbeat_at": None, "queue": {"position": 1, "reason": "no_worker"}}
    documents = (failed, running, never, moving, EXAMPLE)
    whole = {name for doc in documents for name in fields(doc)} - {"failure", "queue", "eta"}
    assert known >= set(TOLD_AS_ONE)
    told = {name for name in whole if name.startswith(tuple(f"{one}." for one in TOLD_AS_ONE))}
    assert whole - told - known == set()


def replace_run(state: RunState) -> RunStatus:
    phases = tuple(PhaseProgress(name, PhaseStatus.PENDING) for name in NAMES)
    run = Run("R", "P", "O", "onboarding", Trigger.CLI, "O", 1, 0, 0, RunState.ENDED, 1, 0.0, NOW, NOW)
    return RunStatus(replace(run, state=state), phases, (), 0, ())


def test_decisions_are_numbered_without_gaps_and_complete() -> None:
    files = sorted((DOCS / "decisions").glob("*.md"))
    assert [path.name[:5] for path in files] == [f"{n:04}-" for n in range(1, len(files) + 1)]
    for number, path in enumerate(files, start=1):
        title, *rest = headings(path.read_text("utf-8"))
        assert title.startswith(f"{number}. ")
        assert rest == ["Context", "Decision", "Alternatives", "Consequences"], path.name


def test_the_glossary_is_alphabetical_and_has_each_word_once() -> None:
    words = re.findall(r"^\*\*(.+?)\*\* — ", read("docs/glossary.md"), re.MULTILINE)
    assert words == sorted(set(words), key=str.casefold)


def test_the_contract_lists_every_row_with_a_state() -> None:
    lines = [line for line in read("docs/contract.md").split("\n") if contract.LINE.match(line)]
    rows = [line.split(" | ")[0].strip("| ") for line in lines]
    scopes = [f"S16{letter}" for letter in "abcdef"]
    assert rows == [*(f"S{n}" for n in range(1, 23)), *(f"B{n}" for n in range(1, 10)), *scopes]
    assert all(line.split(" | ")[-2].startswith(("held", "partly", "not yet")) for line in lines)


def test_a_test_names_rows_in_its_docstring_or_name() -> None:
    source = (
        '"""Of S3."""\ndef test_s14_retry(): ...\ndef test_x():\n    "Proves B1, not B12 or S99."\nS7 = 1\n'
    )
    assert contract.rows_in(source) == {"S3", "S14", "B1"}
