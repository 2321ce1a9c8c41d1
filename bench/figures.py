"""One figure of a bench: what was measured, how much it varied, what it should be, and a peer."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured figure. values: all runs; peer: (name, values) measured in the same run."""

    name: str
    unit: str
    values: Sequence[float]
    target: float | None = None
    peer: tuple[str, Sequence[float]] | None = None

    def cells(self) -> tuple[str, ...]:
        """Name, median, range, target, peer and ratio as text."""
        middle = statistics.median(self.values)
        target = "" if self.target is None else f"≤ {self.target:g} {self.unit}"
        verdict = "" if self.target is None else (" ✓" if middle <= self.target else " ✗")
        cells = (
            self.name,
            f"{middle:.3g} {self.unit}{verdict}",
            f"{min(self.values):.3g}–{max(self.values):.3g} (n={len(self.values)})",
            target,
        )
        if self.peer is None:
            return (*cells, "", "", "")
        name, theirs = self.peer
        beside = statistics.median(theirs)
        return (*cells, name, f"{beside:.3g} {self.unit}", f"{middle / beside:.2f}")
