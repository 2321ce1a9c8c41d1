"""A run as a trace that can be published: numbered phases, counts and seconds; no names, prices or ids.

JSON lines, each an event with its time in seconds worked. Replay sends the events through the estimates as
they are now: the same trace gives the same answer to the byte. Knows nothing of where traces are kept.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from glassfolio.model.run import EtaReason, Mark, PhaseName, PhaseProgress, PhaseStatus, Spread, Trail
from glassfolio.progress.publish import Told, publish

START = datetime(2000, 1, 1, tzinfo=UTC)
EVENT_FIELDS = ("units", "cached", "failed", "free", "runs", "at_once", "seconds", "fixed", "pace")
PUBLISHED_FIELDS = ("percent", "remaining", "eta", "low", "high")
REASONS = {
    Mark.WAIT_START: EtaReason.PROVIDER_WAIT,
    Mark.WAIT_END: EtaReason.PROVIDER_WAIT,
    Mark.RESUME: EtaReason.RESUMED,
}


@dataclass(frozen=True, slots=True)
class Trace:
    """One recorded run. units: what each phase counts; spread: of earlier runs; total: seconds worked."""

    name: str
    units: tuple[str, ...]
    spread: Spread | None
    steps: tuple[Trail, ...]

    @property
    def total(self) -> float:
        """Seconds the run worked."""
        return self.steps[-1].t

    @property
    def has_history(self) -> bool:
        """Whether its estimates rest on earlier runs."""
        return any(step.runs for step in self.steps)


def write(trace: Trace, names: Sequence[PhaseName]) -> str:
    """The trace as JSON lines; phases are numbered from 1."""
    number = {name.key: place for place, name in enumerate(names, start=1)}
    spread = trace.spread
    head: dict[str, object] = {
        "event": "trace",
        "name": trace.name,
        "units": list(trace.units),
        "spread": None if spread is None else {"low": spread.low, "high": spread.high, "runs": spread.runs},
    }
    lines: list[dict[str, object]] = [head]
    for step in trace.steps:
        event: dict[str, object] = {"event": step.mark.value, "t": round(step.t, 3)}
        if step.phase is not None:
            event["phase"] = number[step.phase]
        lines.append(event | _numbers(step, EVENT_FIELDS))
        if step.percent is not None:
            lines.append({"event": "published", "t": round(step.t, 3)} | _numbers(step, PUBLISHED_FIELDS))
    return "".join(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n" for line in lines)


def _numbers(step: Trail, names: Iterable[str]) -> dict[str, object]:
    found = {name: getattr(step, name) for name in names}
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in found.items() if v is not None}


def read(text: str) -> Trace:
    """The trace in JSON lines; phases are called by their numbers."""
    head, *lines = (json.loads(line) for line in text.splitlines())
    steps: list[Trail] = []
    for line in lines:
        event = line.pop("event")
        if event == "published":
            steps[-1] = replace(steps[-1], **{name: line.get(name) for name in PUBLISHED_FIELDS})
            continue
        phase = line.pop("phase", None)
        steps.append(Trail(Mark(event), phase=None if phase is None else str(phase), **line))
    told = head["spread"]
    spread = Spread(tuple(told["low"]), tuple(told["high"]), told["runs"]) if told else None
    return Trace(head["name"], tuple(head["units"]), spread, tuple(steps))


@dataclass
class Replay:
    """The state of a run while its events are played again."""

    trace: Trace
    phases: dict[str, PhaseProgress] = field(default_factory=dict)
    told: Told = field(default_factory=lambda: Told(0.0, None, None))
    t: float = 0.0
    wait_until: float = 0.0

    def __post_init__(self) -> None:
        for place, unit in enumerate(self.trace.units, start=1):
            name = PhaseName(str(place), str(place), str(place), unit)
            self.phases[name.key] = PhaseProgress(name, PhaseStatus.PENDING)

    @property
    def now(self) -> datetime:
        """The moment of the event that was played last."""
        return START + timedelta(seconds=self.t)

    @property
    def at(self) -> PhaseProgress | None:
        """The phase at work."""
        return next((p for p in self.phases.values() if p.status is PhaseStatus.RUNNING), None)

    def play(self, step: Trail) -> None:
        """Take in one event."""
        took, self.t = step.t - self.t, step.t
        if step.mark in (Mark.FORECAST, Mark.PLAN):
            self._plan(step)
        elif step.mark is Mark.UNIT:
            self._change(step.phase, took, ok=(step.units or 0) - (step.failed or 0), failed=step.failed or 0)
        elif step.mark is Mark.PHASE_END and step.phase is not None:
            here = self.phases[step.phase]
            spent = here.fixed_seconds + took
            self.phases[step.phase] = replace(here, status=PhaseStatus.COMPLETED, fixed_seconds=spent)
        elif step.mark is Mark.WAIT_START:
            self._change(self.at.name.key if self.at else None, took)
            self.wait_until = step.t + (step.seconds or 0.0)
        elif step.mark is Mark.WAIT_END:
            self.wait_until = 0.0

    def _plan(self, step: Trail) -> None:
        assert step.phase is not None
        units, cached, failed = step.units or 0, step.cached or 0, step.failed or 0
        planned = step.mark is Mark.PLAN
        self.phases[step.phase] = replace(
            self.phases[step.phase],
            status=PhaseStatus.RUNNING if planned else PhaseStatus.PENDING,
            total=units,
            cached=cached if planned else 0,
            failed=failed if planned else 0,
            planned=units - cached - failed,
            unit_seconds=step.seconds,
            expected_fixed=step.fixed,
            learned_runs=step.runs or 0,
            pace_seconds=step.pace,
            free_units=step.free or 0,
            at_once=step.at_once or 1,
        )

    def _change(self, key: str | None, took: float, ok: int = 0, failed: int = 0) -> None:
        if key is not None:
            here = self.phases[key]
            self.phases[key] = replace(
                here, ok=here.ok + ok, failed=here.failed + failed, worked_seconds=here.worked_seconds + took
            )

    def publish(self, reason: EtaReason | None) -> None:
        """Tell what the estimates say now."""
        self.told = publish(
            tuple(self.phases.values()),
            self.t,
            self.now,
            self.told,
            spread=self.trace.spread,
            wait_left=max(0.0, self.wait_until - self.t),
            reason=reason,
        )


def replay(trace: Trace) -> tuple[Trail, ...]:
    """The trace's events with what the estimates of today would have shown at each of them."""
    state, shown = Replay(trace), []
    for step in trace.steps:
        state.play(step)
        # What one change committed was told once, after all of it.
        if step.percent is not None:
            state.publish(REASONS.get(step.mark))
            step = state.told.at(step, state.now)
        shown.append(step)
    return tuple(shown)
