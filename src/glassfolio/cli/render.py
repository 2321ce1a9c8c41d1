"""A status document in the terminal: phases, bars, elapsed time and the log's tail; plain lines elsewhere.

Knows only the document, not where it came from.
"""

import json
import sys
from collections.abc import Callable, Iterable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from glassfolio.cli.watching import Document, Source
from glassfolio.model.holdings import Problem
from glassfolio.model.messages import duration

MARKS = {"pending": "○", "running": "◐", "completed": "✓", "failed": "✕"}
STYLES = {"pending": "dim", "running": "bold cyan", "completed": "green", "failed": "bold red"}
LEVELS = {"info": "", "warning": "yellow", "error": "bold red"}
TAIL = 8
BAR_WIDTH = 28


def show(source: Source, *, as_json: bool) -> Document | None:
    """Draw a run's documents until it has ended; returns the last one."""
    console = Console()
    if as_json:
        return _changes(
            source, lambda doc: print(json.dumps(doc, ensure_ascii=False, allow_nan=False), flush=True)
        )
    if not console.is_terminal:
        return _plain(source)
    last = None
    with Live(console=console, refresh_per_second=8, transient=False) as live:
        for last in source.documents():
            live.update(picture(last))
    return last


def _changes(source: Source, act: Callable[[Document], None]) -> Document | None:
    last = None
    for document in source.documents():
        if last is None or document["seq"] != last["seq"]:
            act(document)
        last = document
    return last


def _plain(source: Source) -> Document | None:
    """One line for each entry of the log; what the feed has already dropped is fetched."""
    told = 0

    def tell(doc: Document) -> None:
        nonlocal told
        feed = doc["activity_log"]
        entries = source.log(doc, told) if feed and feed[0]["seq"] > told + 1 else feed
        for entry in entries:
            if entry["seq"] > told:
                print(f"{entry['timestamp'][11:19]} {entry['message']}", flush=True)
                told = entry["seq"]

    return _changes(source, tell)


def picture(doc: Document) -> RenderableType:
    """One document as it looks on a terminal."""
    overall = doc["overall_progress"]
    head = Text.assemble(
        (_sentence(doc), STYLES.get(doc["status"], "bold")),
        f"   {overall['percent_complete']} %   {_elapsed(doc)}",
    )
    table = Table.grid(padding=(0, 1))
    for phase in doc["phases"]:
        table.add_row(*_phase_row(phase))
    lines = [
        Text(f"  {entry['timestamp'][11:19]}  {entry['message']}", style=LEVELS[entry["level"]])
        for entry in doc["activity_log"][-TAIL:]
    ]
    return Group(head, table, Text(""), *lines)


def _elapsed(doc: Document) -> str:
    seconds = doc["elapsed_seconds"]
    return duration(seconds) if seconds >= 10 else f"{seconds} s"


def _sentence(doc: Document) -> str:
    if doc["status"] == "completed":
        return "Completed, with gaps" if doc["warnings_total"] else "Completed"
    if doc["status"] == "failed":
        return f"Failed: {doc['failure']['detail']}"
    if doc["status"] == "not_found":
        return "Never onboarded"
    return {"queued": "Waiting for a worker", "interrupted": "Interrupted; it resumes by itself"}.get(
        doc["state"], str(doc["overall_progress"]["current_phase_name"])
    )


def _phase_row(phase: Document) -> tuple[RenderableType, ...]:
    style, total = STYLES[phase["status"]], phase["total"]
    count = f"{phase['current']} of {total} {phase['unit']}" if total is not None else ""
    took = phase["duration_seconds"]
    bar = ProgressBar(
        total=total or 1,
        completed=phase["current"] if total else int(phase["status"] == "completed"),
        width=BAR_WIDTH,
    )
    return (
        Text(MARKS[phase["status"]], style=style),
        Text(phase["phase_name"], style=style),
        bar,
        Text(count),
        Text(duration(took) if took is not None else "", style="dim"),
    )


def problems(found: Iterable[object]) -> None:
    """Print what is wrong with a file, a line each, with what to do."""
    for item in found:
        if isinstance(item, Problem):
            place = f"line {item.line}" if item.line is not None else "form"
            column = f", {item.column}" if item.column else ""
            print(
                f"{item.severity.value}: {place}{column}: {item.detail} {item.hint} [{item.code}]",
                file=sys.stderr,
            )
