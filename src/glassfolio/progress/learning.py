"""What finished runs teach: seconds a unit takes, what a phase costs beside, and how far predictions lay.

Medians of the last twenty successful runs, older ones fading. Knows nothing of where they are kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

from glassfolio.model.run import Mark, PhaseProgress, Spread, Trail
from glassfolio.progress.estimate import effective_units

KEPT = 20
FADING = 0.9
TENTHS = 10
LOWEST, HIGHEST = 0.1, 0.9
# Real over predicted as if measured before, so that few runs do not promise too much.
ASSUMED = (0.7, 0.85, 1.0, 1.15, 1.4)
ASSUMED_WEIGHT = 0.25


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a phase of one run took: effective units worked, seconds of them, seconds beside them."""

    units: float
    seconds: float
    fixed: float


@dataclass(frozen=True, slots=True)
class Experience:
    """What one successful attempt teaches.

    lessons: by phase. ratios: real over predicted remaining time for each tenth of the percent, None where
    nothing was predicted.
    """

    lessons: Mapping[str, Lesson]
    ratios: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a phase is expected to take: seconds a unit and beside the units, from so many runs."""

    unit_seconds: float
    fixed_seconds: float
    runs: int


def lessons(phases: Iterable[PhaseProgress]) -> dict[str, Lesson]:
    """What the phases of a run that ended well teach; a phase without work teaches nothing."""
    return {
        phase.name.key: Lesson(effective_units(phase), phase.worked_seconds, phase.fixed_seconds)
        for phase in phases
        if phase.worked_units > 0
    }


def expected(known: Sequence[Lesson]) -> Expected | None:
    """What a phase will take, from its lessons, newest first; None without any."""
    taught = [lesson for lesson in known if lesson.units > 0][:KEPT]
    if not taught:
        return None
    weights = [FADING**age for age in range(len(taught))]
    return Expected(
        quantile([lesson.seconds / lesson.units for lesson in taught], weights, 0.5),
        quantile([lesson.fixed for lesson in taught], weights, 0.5),
        len(taught),
    )


def spread(known: Sequence[Sequence[float | None]]) -> Spread | None:
    """The range of real over predicted at each tenth, from earlier runs, newest first; None without any."""
    taught = [ratios for ratios in known if any(ratio is not None for ratio in ratios)][:KEPT]
    if not taught:
        return None
    low, high = zip(*(_ends(taught, tenth) for tenth in range(TENTHS)), strict=True)
    return Spread(low, high, len(taught))


def _ends(taught: Sequence[Sequence[float | None]], tenth: int) -> tuple[float, float]:
    values, weights = list(ASSUMED), [ASSUMED_WEIGHT] * len(ASSUMED)
    for age, ratios in enumerate(taught):
        for near in range(max(0, tenth - 1), min(TENTHS, tenth + 2)):
            ratio = ratios[near]
            if ratio is not None:
                values.append(ratio)
                weights.append(FADING**age)
    return quantile(values, weights, LOWEST), quantile(values, weights, HIGHEST)


def quantile(values: Sequence[float], weights: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the weight does not exceed; midway when met exactly."""
    ordered = sorted(zip(values, weights, strict=True))
    wanted, passed = share * sum(weights), 0.0
    for place, (value, weight) in enumerate(ordered):
        passed += weight
        if passed > wanted * (1 + 1e-12):
            return value
        if passed >= wanted * (1 - 1e-12) and place + 1 < len(ordered):
            return (value + ordered[place + 1][0]) / 2
    return ordered[-1][0]


def ratios(trail: Iterable[Trail], total: float) -> tuple[float | None, ...]:
    """Real over predicted remaining time of a run of `total` seconds, the geometric mean of each tenth."""
    found: list[list[float]] = [[] for _ in range(TENTHS)]
    for step in trail:
        real = total - step.t
        if step.mark is not Mark.UNIT or not step.remaining or step.percent is None or real <= 0:
            continue
        found[min(TENTHS - 1, int(step.percent // 10))].append(log(real / step.remaining))
    return tuple(exp(sum(logs) / len(logs)) if logs else None for logs in found)
