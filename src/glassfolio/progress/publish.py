"""What is told of an attempt at one change: percent and remaining time, from what is committed.

The one door to the estimates: the store passes through it at each commit, and so does the replay of a trace.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from glassfolio.model.run import Eta, EtaReason, PhaseProgress, Spread, Trail
from glassfolio.progress import estimate, eta


@dataclass(frozen=True, slots=True)
class Told:
    """What is on the screen. remaining: seconds the estimate expects, before they are held or rounded."""

    percent: float
    eta: Eta | None
    remaining: float | None

    def left(self, now: datetime) -> tuple[float, float, float] | None:
        """The remaining seconds on the screen at `now`, and their range, counted down since told."""
        if self.eta is None:
            return None
        gone = (now - self.eta.as_of).total_seconds()
        seconds, low, high = (
            max(0.0, value - gone) for value in (self.eta.seconds, self.eta.low, self.eta.high)
        )
        return seconds, low, high

    def at(self, step: Trail, now: datetime) -> Trail:
        """A step with what was told at it; remaining times counted from the step."""
        seconds, low, high = self.left(now) or (None, None, None)
        return replace(step, percent=self.percent, remaining=self.remaining, eta=seconds, low=low, high=high)


def publish(
    phases: Sequence[PhaseProgress],
    worked_seconds: float,
    now: datetime,
    before: Told,
    *,
    spread: Spread | None,
    wait_left: float = 0.0,
    reason: EtaReason | None = None,
) -> Told:
    """What is to be told at `now`, after `before` was."""
    percent = estimate.percent(phases, worked_seconds, before.percent, wait_left)
    told = eta.tell(
        phases,
        worked_seconds,
        percent,
        now,
        before.eta,
        spread=spread,
        wait_left=wait_left,
        reason=reason,
    )
    return Told(percent, told, estimate.remaining_seconds(phases, wait_left))
