"""How much of a run is done, in seconds of work rather than in items.

percent = 100 * t / (t + remaining), t the working time so far, remaining the planned units that are
left times the seconds one takes: the expected seconds, corrected by what this phase has measured.
Cached units cost nothing. Knows nothing of clocks: time arrives as committed numbers.
"""

from collections.abc import Iterable, Mapping

from glassfolio.model.run import PhaseProgress, PhaseStatus

# Seconds of one unit before anything was measured, and the fixed cost of a phase; measured with
# `make bench` on two cores, SQLite, bundled prices.
UNIT_SECONDS: Mapping[str, float] = {"symbols": 0.002, "dates": 0.0006}
FIXED_SECONDS = 0.02
PRIOR_UNITS = 15
CAP = 99.5


def unit_seconds(phase: PhaseProgress) -> float:
    """Seconds one unit takes: the expected ones, moved towards the measured ones as evidence grows.

    (measured seconds + 15 * expected) / (measured units + 15).
    """
    expected = phase.unit_seconds if phase.unit_seconds is not None else UNIT_SECONDS[phase.name.unit]
    measured = phase.current - phase.cached
    return (phase.worked_seconds + PRIOR_UNITS * expected) / (measured + PRIOR_UNITS)


def remaining_seconds(phases: Iterable[PhaseProgress]) -> float | None:
    """Seconds of work that are left; None while the total of an open phase is unknown."""
    left = 0.0
    for phase in phases:
        if phase.status in (PhaseStatus.COMPLETED, PhaseStatus.FAILED):
            continue
        if phase.total is None:
            return None
        left += (phase.total - phase.current) * unit_seconds(phase) + FIXED_SECONDS
    return left


def percent(phases: Iterable[PhaseProgress], worked_seconds: float, published: float) -> float:
    """Percent of the work that is done, two decimals; never below `published`, never above 99.5.

    While no unit is committed it stays where it is. 100 is not given here: only the successful end of a
    run is 100.
    """
    known = list(phases)
    left = remaining_seconds(known)
    nothing_done = not any(phase.current > phase.cached for phase in known)
    if left is None or worked_seconds <= 0 or nothing_done:
        return published
    return max(published, min(CAP, round(100 * worked_seconds / (worked_seconds + left), 2)))


def weights(phases: Iterable[PhaseProgress]) -> list[float | None]:
    """Each phase's share of the planned seconds, adding up to 1; all None while a total is unknown."""
    known = list(phases)
    if any(phase.total is None for phase in known):
        return [None] * len(known)
    seconds = [FIXED_SECONDS + ((phase.total or 0) - phase.cached) * unit_seconds(phase) for phase in known]
    return [round(part / sum(seconds), 4) for part in seconds]
