"""What the activity log says of a chunk.

Knows nothing of when it is written.
"""

from glassfolio.batch.phase import Phase
from glassfolio.model.messages import SYMBOL_REASONS, symbol_effect
from glassfolio.model.run import Entry, PhaseProgress, SymbolOutcome

TELL_EVERY = 5


def progress_lines(phase: Phase, before: PhaseProgress, items: tuple[str, ...]) -> list[Entry]:
    """What the log says of a chunk: the first, every fifth and the last unit of the phase."""
    lines, total = [], before.total or 0
    for count, item in enumerate(items, start=before.current + 1):
        if count == 1 or count % TELL_EVERY == 0 or count == total:
            if phase.name.unit == "dates":
                entry = Entry("DATE_PROGRESS", phase.name.key, {"date": item, "count": count, "total": total})
            else:
                entry = Entry(
                    "SYMBOL_PROGRESS",
                    phase.name.key,
                    {"doing": phase.doing, "count": count, "total": total},
                )
            lines.append(entry)
    return lines


def failed_symbol(key: str, outcome: SymbolOutcome) -> Entry:
    """The line that names a symbol without all its prices, once, with what it means for the result."""
    return Entry(
        "SYMBOL_FAILED",
        key,
        {
            "symbol": outcome.symbol,
            "reason": SYMBOL_REASONS[outcome.reason],
            "effect": symbol_effect(outcome.outcome, outcome.reason),
        },
    )
