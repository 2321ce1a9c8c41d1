"""Tables of how honest the percent and the remaining time are, over the recorded traces.

Knows nothing of pages: each function returns Markdown.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from statistics import fmean, median

from bench.rules import PERCENTS, SPEEDS, percents, remaining
from docs.tables import table
from glassfolio.model.run import Trail
from glassfolio.progress.honesty import Honesty, measure
from glassfolio.progress.trace import Trace, read, replay

CORPUS = Path(__file__).parents[1] / "tests" / "samples" / "traces"
# A shorter run is over before a bar matters: its measures are told and not judged.
SHORTEST = 20.0
OURS = "ours"


@cache
def traces() -> tuple[Trace, ...]:
    """The recorded traces, by name."""
    return tuple(read(path.read_text("utf-8")) for path in sorted(CORPUS.glob("*.jsonl")))


def measured(trace: Trace, steps: Sequence[Trail]) -> Honesty:
    """The measures of a trace as a rule would have told it."""
    found = measure(steps, trace.total)
    assert found is not None
    return found


def honesty() -> str:
    """Every trace with our measures."""
    rows = (_row(trace, measured(trace, replay(trace))) for trace in traces())
    head = ("trace", "seconds", "history", "M1", "M2", "M3", "M4", "M5", "M6")
    return table((*head, "M7", "p90", "M8", "M9", "M10 stalled / interrupted"), rows)


def _row(trace: Trace, found: Honesty) -> tuple[str, ...]:
    note = "" if trace.total >= SHORTEST else ", not judged"
    return (
        f"`{trace.name}`",
        f"{trace.total:.0f}{note}",
        "yes" if trace.has_history else "first run",
        *(_number(value) for value in (found.m1, found.m2)),
        str(found.m3),
        *(_number(value) for value in (found.m4, found.m5, found.m6, found.m7, found.m7_p90, found.m8)),
        _number(found.m9, 2),
        f"{_number(found.m10_stalled, 1)} / {_number(found.m10_interrupted, 1)}",
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def percent_rules() -> str:
    """Ways to make a percent, over the traces that are judged."""
    rules: dict[str, Callable[[Trace], Sequence[Trail]]] = {
        name: partial(percents, rule=rule) for name, rule in PERCENTS.items()
    }
    rows = []
    for name, rule in {**rules, OURS: replay}.items():
        found = [measured(trace, rule(trace)) for trace in judged()]
        rows.append(
            (
                name,
                _number(fmean(one.m1 for one in found)),
                _number(max(one.m2 for one in found)),
                _number(fmean(one.m5 for one in found)),
            )
        )
    return table(("percent", "M1, mean", "M2, worst", "M5, mean"), rows)


def remaining_rules() -> str:
    """Ways to make a remaining time, over the traces that are judged and have a history."""
    rules: dict[str, Callable[[Trace], Sequence[Trail]]] = {
        name: partial(remaining, make=make) for name, make in SPEEDS.items()
    }
    rows = []
    for name, rule in {**rules, OURS: replay}.items():
        found = [measured(trace, rule(trace)) for trace in judged() if trace.has_history]
        rows.append(
            (
                name,
                _number(_median(one.m7 for one in found)),
                _number(_median(one.m7_p90 for one in found)),
                _number(_median(one.m8 for one in found)),
            )
        )
    return table(("remaining time", "M7, median", "p90, median", "M8, median"), rows)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def judged() -> tuple[Trace, ...]:
    """The traces that are long enough to be judged."""
    return tuple(trace for trace in traces() if trace.total >= SHORTEST)
