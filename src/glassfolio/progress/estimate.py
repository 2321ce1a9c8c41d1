"""How much of a run is done, in seconds of work rather than in items.

percent = 100 * t / (t + remaining), t the working time so far, remaining the planned units that are
left times the seconds one takes: the expected seconds, corrected by what this phase has measured, and
what a phase costs beside its units. Settled units cost nothing; named waits are added as such.
Knows nothing of clocks: time arrives as committed numbers.
"""

from collections.abc import Iterable, Mapping

from glassfolio.model.run import PhaseProgress, PhaseStatus

# Before anything was learned: seconds of one unit, and of a phase beside its units. Measured with
# `python -m bench.defaults` on two virtual cores (Intel Xeon 2.1 GHz), SQLite, bundled prices.
UNIT_SECONDS: Mapping[str, float] = {"symbols": 0.002, "dates": 0.0006}
FIXED_SECONDS = 0.02
# How many units' worth of evidence an expectation weighs: learned from earlier runs, or shipped.
PRIOR_UNITS = 15
SHIPPED_UNITS = 3
CAP = 99.5


def unit_seconds(phase: PhaseProgress) -> float:
    """Seconds one unit takes: the expected ones, moved towards the measured ones as evidence grows.

    (measured seconds + w * expected) / (measured units + w); w is 15 for learned seconds, 3 for shipped ones.
    Measured units count those that were in work beside the first one, see `effective_units`.
    """
    expected = phase.unit_seconds if phase.unit_seconds is not None else UNIT_SECONDS[phase.name.unit]
    weight = PRIOR_UNITS if phase.learned_runs else SHIPPED_UNITS
    return (phase.worked_seconds + weight * expected) / (effective_units(phase) + weight)


def effective_units(phase: PhaseProgress) -> float:
    """Committed units, and half of those in work beside them: on average that much of them is done.

    Without it the first answer of several that are waited for at once would count as one slow unit.
    """
    done = phase.worked_units
    return done + (phase.at_once - 1) / 2 if done else 0.0


def fixed_seconds(phase: PhaseProgress) -> float:
    """Seconds a phase takes beside its units."""
    return FIXED_SECONDS if phase.expected_fixed is None else phase.expected_fixed


def phase_seconds(phase: PhaseProgress, wait_left: float = 0.0) -> float | None:
    """Seconds of work that are left of a phase; None while its total is unknown.

    wait_left: seconds until the end of a named wait of this phase.
    """
    if phase.status in (PhaseStatus.COMPLETED, PhaseStatus.FAILED):
        return 0.0
    left = phase.left
    if left is None:
        return None
    seconds = left * unit_seconds(phase) + wait_left
    if phase.pace_seconds is not None:
        free = max(0, phase.free_units - phase.worked_units)
        seconds = max(seconds, (left - free) * phase.pace_seconds)
    return seconds + fixed_seconds(phase)


def remaining_seconds(phases: Iterable[PhaseProgress], wait_left: float = 0.0) -> float | None:
    """Seconds of work that are left, named waits included; None while an open phase's total is unknown."""
    left = 0.0
    for phase in phases:
        seconds = phase_seconds(phase, wait_left if phase.status is PhaseStatus.RUNNING else 0.0)
        if seconds is None:
            return None
        left += seconds
    return left


def percent(
    phases: Iterable[PhaseProgress], worked_seconds: float, published: float, wait_left: float = 0.0
) -> float:
    """Percent of the work that is done, two decimals; never below `published`, never above 99.5.

    While no unit is committed it stays where it is. 100 is not given here: only the successful end of a
    run is 100.
    """
    known = list(phases)
    left = remaining_seconds(known, wait_left)
    nothing_done = not any(phase.worked_units > 0 for phase in known)
    if left is None or worked_seconds <= 0 or nothing_done:
        return published
    return max(published, min(CAP, round(100 * worked_seconds / (worked_seconds + left), 2)))


def weights(phases: Iterable[PhaseProgress]) -> list[float | None]:
    """Each phase's share of the planned seconds, adding up to 1; all None while a total is unknown."""
    known = list(phases)
    if any(phase.total is None for phase in known):
        return [None] * len(known)
    seconds = [_planned_seconds(phase) for phase in known]
    return [round(part / sum(seconds), 4) for part in seconds]


def _planned_seconds(phase: PhaseProgress) -> float:
    units = (phase.total or 0) - phase.cached if phase.planned is None else phase.planned
    seconds = units * unit_seconds(phase)
    if phase.pace_seconds is not None:
        seconds = max(seconds, (units - phase.free_units) * phase.pace_seconds)
    return fixed_seconds(phase) + seconds


def is_learned(phases: Iterable[PhaseProgress]) -> bool:
    """Whether what an attempt plans rests on earlier runs."""
    return any(phase.learned_runs > 0 for phase in phases)
