"""How honest a finished run was: what it showed against what came true.

The true fraction at t is t / T. What was shown stays on the screen until the next change; a remaining
time counts down by itself from the moment it was told. Knows nothing of how numbers were made.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import fmean, median

from glassfolio.model.run import Mark, Trail

GRID_SECONDS = 2.0
GRID_POINTS = 100
NEARLY_DONE = 95.0
LATE = 0.95


@dataclass(frozen=True, slots=True)
class Honesty:
    """M1 to M10 of one run; None where nothing was shown that could be measured.

    m1, m2: mean and largest distance of the shown from the true fraction. m3: steps back. m4: longest stretch
    without a step, outside named waits, as a share of the time. m5: share of the time at 95 % or more.
    m6: largest step. m7, m7_p90: relative error of the remaining time, median and 90th percentile.
    m8: mean move of the predicted end between two looks, as a share of the time. m9: share of looks at which
    the true end lay in the shown range. m10_stalled, m10_interrupted: age in seconds of the last sign of life
    when the screen said so.
    """

    seconds: float
    m1: float
    m2: float
    m3: int
    m4: float
    m5: float
    m6: float
    m7: float | None
    m7_p90: float | None
    m8: float | None
    m9: float | None
    m10_stalled: float | None
    m10_interrupted: float | None

    def as_record(self) -> dict[str, object]:
        """The measures by name, rounded, with a sentence."""
        numbers = {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }
        return {**numbers, "text": f"The bar was off by {100 * numbers['m1']:.1f} % on average."}


def measure(trail: Sequence[Trail], total: float) -> Honesty | None:
    """The honesty of a run that worked for `total` seconds; trail in order. None when it took no time."""
    if total <= 0:
        return None
    grid = _grid(total)
    shown = [step for step in trail if step.percent is not None]
    times = [step.t for step in shown]
    at = [shown[place - 1] if (place := bisect_right(times, t)) else None for t in grid]
    off = [abs(_fraction(step) - t / total) for step, t in zip(at, grid, strict=True)]
    steps = [step.percent or 0.0 for step in shown]
    jumps = [later - earlier for earlier, later in zip([0.0, *steps], [*steps, 100.0], strict=True)]
    errors = _eta_errors(at, grid, total)
    return Honesty(
        seconds=total,
        m1=fmean(off),
        m2=max(off),
        m3=sum(jump < 0 for jump in jumps),
        m4=_longest_flat(trail, total) / total,
        m5=fmean(_fraction(step) * 100 >= NEARLY_DONE for step in at),
        m6=max(jumps) / 100,
        m7=median(errors) if errors else None,
        m7_p90=_p90(errors),
        m8=_wobble(at, total),
        m9=_covered(at, grid, total),
        m10_stalled=_oldest(trail, Mark.STALLED),
        m10_interrupted=_oldest(trail, Mark.INTERRUPTED),
    )


def _grid(total: float) -> list[float]:
    step = min(GRID_SECONDS, total / GRID_POINTS)
    return [step * k for k in range(int(total / step - 1e-9) + 1)]


def _fraction(step: Trail | None) -> float:
    return 0.0 if step is None or step.percent is None else step.percent / 100


def _longest_flat(trail: Sequence[Trail], total: float) -> float:
    """Seconds of the longest stretch in which the percent stood still, named waits left out."""
    longest, since, waiting, percent = 0.0, 0.0, False, 0.0
    for step in trail:
        moved = step.percent is not None and step.percent > percent
        if moved or step.mark in (Mark.WAIT_START, Mark.WAIT_END):
            longest = longest if waiting else max(longest, step.t - since)
            since = step.t
        if step.mark in (Mark.WAIT_START, Mark.WAIT_END):
            waiting = step.mark is Mark.WAIT_START
        percent = max(percent, step.percent or 0.0)
    return longest if waiting else max(longest, total - since)


def _left(step: Trail, t: float) -> float:
    """Seconds that the screen says are left at t."""
    return max(0.0, (step.eta or 0.0) - (t - step.t))


def _eta_errors(at: Sequence[Trail | None], grid: Sequence[float], total: float) -> list[float]:
    return [
        abs(_left(step, t) - (total - t)) / (total - t)
        for step, t in zip(at, grid, strict=True)
        if step is not None and step.eta is not None and t < LATE * total
    ]


def _p90(values: Sequence[float]) -> float | None:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))] if ordered else None


def _wobble(at: Sequence[Trail | None], total: float) -> float | None:
    ends = [step.t + step.eta for step in at if step is not None and step.eta is not None]
    moves = [abs(later - earlier) for earlier, later in pairwise(ends)]
    return fmean(moves) / total if moves else None


def _covered(at: Sequence[Trail | None], grid: Sequence[float], total: float) -> float | None:
    inside = [
        step.low <= total - step.t <= step.high
        for step, t in zip(at, grid, strict=True)
        if step is not None and step.low is not None and step.high is not None and t < LATE * total
    ]
    return fmean(inside) if inside else None


def _oldest(trail: Sequence[Trail], mark: Mark) -> float | None:
    return max((step.seconds or 0.0 for step in trail if step.mark is mark), default=None)
