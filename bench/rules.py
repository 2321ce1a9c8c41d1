"""Other ways to make a percent and a remaining time, played over the same traces as ours.

Each takes a trace and gives its steps as that rule would have told them. Knows nothing of files.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from glassfolio.model.run import PhaseProgress, PhaseStatus, Trail
from glassfolio.progress import estimate
from glassfolio.progress.trace import Replay, Trace, replay

CAP = 99.5
TQDM_SMOOTHING = 0.3
RICH_SECONDS = 30.0
INDICATIF_SECONDS = 15.0

Shares = Callable[[Sequence[PhaseProgress]], float]


def phases_equal(phases: Sequence[PhaseProgress]) -> float:
    """Each phase is the same share of the whole."""
    return sum(_done(phase) for phase in phases) / len(phases)


def items(phases: Sequence[PhaseProgress]) -> float:
    """Items done over all items."""
    total = sum(phase.total or 0 for phase in phases)
    return sum(phase.current for phase in phases) / total if total else 0.0


def weighted(phases: Sequence[PhaseProgress]) -> float:
    """Phases weighted by the seconds of earlier runs, without knowing what is stored already."""
    seconds = [(phase.total or 0) * _expected(phase) + estimate.fixed_seconds(phase) for phase in phases]
    done = sum(part * _done(phase) for part, phase in zip(seconds, phases, strict=True))
    return done / sum(seconds)


def _expected(phase: PhaseProgress) -> float:
    shipped = estimate.UNIT_SECONDS[phase.name.unit]
    return shipped if phase.unit_seconds is None else phase.unit_seconds


def _done(phase: PhaseProgress) -> float:
    if phase.status is PhaseStatus.COMPLETED:
        return 1.0
    return phase.current / phase.total if phase.total else 0.0


PERCENTS: Mapping[str, Shares] = {
    "phases equal": phases_equal,
    "items done / all items": items,
    "phases weighted by history": weighted,
}


def percents(trace: Trace, rule: Shares) -> tuple[Trail, ...]:
    """The trace's steps with the percent of a rule, held where it would fall."""
    state, shown, highest = Replay(trace), [], 0.0
    for step in trace.steps:
        state.play(step)
        if step.percent is None:
            shown.append(step)
            continue
        highest = max(highest, min(CAP, 100 * rule(tuple(state.phases.values()))))
        shown.append(replace(step, percent=highest, eta=None, low=None, high=None))
    return tuple(shown)


class Speed:
    """A rule that makes a speed, in percent a second, of what is on the bar."""

    def saw(self, t: float, percent: float) -> None:
        """Take in what the bar shows at t."""
        raise NotImplementedError

    def now(self, t: float) -> float:
        """The speed at t; 0 while there is none."""
        raise NotImplementedError


@dataclass
class Linear(Speed):
    """What is done over the time it took."""

    percent: float = 0.0

    def saw(self, t: float, percent: float) -> None:  # noqa: ARG002
        self.percent = percent

    def now(self, t: float) -> float:
        return self.percent / t if t > 0 else 0.0


@dataclass
class Tqdm(Speed):
    """Exponential averages of steps and of their times, bias corrected, as tqdm has them."""

    last: tuple[float, float] = (0.0, 0.0)
    done: float = 0.0
    took: float = 0.0

    def saw(self, t: float, percent: float) -> None:
        step, gone = percent - self.last[1], t - self.last[0]
        if step <= 0 or gone <= 0:
            return
        keep = 1 - TQDM_SMOOTHING
        self.done = TQDM_SMOOTHING * step + keep * self.done
        self.took = TQDM_SMOOTHING * gone + keep * self.took
        self.last = (t, percent)

    def now(self, t: float) -> float:  # noqa: ARG002
        return self.done / self.took if self.took else 0.0


class Rich(Speed):
    """What was done in the last thirty seconds over that time, as rich has it."""

    def __init__(self) -> None:
        self.seen: deque[tuple[float, float]] = deque()

    def saw(self, t: float, percent: float) -> None:
        self.seen.append((t, percent))
        while self.seen and self.seen[0][0] < t - RICH_SECONDS:
            self.seen.popleft()

    def now(self, t: float) -> float:  # noqa: ARG002
        (start, before), (end, after) = self.seen[0], self.seen[-1]
        return (after - before) / (end - start) if end > start else 0.0


@dataclass
class Indicatif(Speed):
    """A speed smoothed twice with weights that fall to a tenth in fifteen seconds, as indicatif has it."""

    last: tuple[float, float] = (0.0, 0.0)
    once: float = 0.0
    twice: float = 0.0

    def saw(self, t: float, percent: float) -> None:
        gone = t - self.last[0]
        if gone <= 0:
            return
        keep = self._weight(gone)
        self.once = self.once * keep + (percent - self.last[1]) / gone * (1 - keep)
        self.twice = self.twice * keep + self.once / (1 - self._weight(t)) * (1 - keep)
        self.last = (t, percent)

    def now(self, t: float) -> float:
        unseen = 1 - self._weight(t)
        return self.twice * self._weight(t - self.last[0]) / unseen if unseen else 0.0

    @staticmethod
    def _weight(age: float) -> float:
        return float(0.1 ** (age / INDICATIF_SECONDS))


SPEEDS: Mapping[str, Callable[[], Speed]] = {
    "our percent, linear t(1−p)/p": Linear,
    "our percent, tqdm rule": Tqdm,
    "our percent, rich rule": Rich,
    "our percent, indicatif rule": Indicatif,
}


def remaining(trace: Trace, make: Callable[[], Speed]) -> tuple[Trail, ...]:
    """The trace's steps with our percent and the remaining time of a rule."""
    return tuple(_with_speed(replay(trace), make()))


def _with_speed(steps: Sequence[Trail], speed: Speed) -> Iterator[Trail]:
    for step in steps:
        if step.percent is None:
            yield step
            continue
        speed.saw(step.t, step.percent)
        rate = speed.now(step.t)
        eta = (100 - step.percent) / rate if rate > 0 else None
        yield replace(step, eta=eta, low=None, high=None)
