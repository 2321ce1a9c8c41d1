"""The remaining time as it is told: a likely number, an 80 % range, and what they rest on.

Unknown is said, not guessed; the number goes up only with a reason. Knows nothing of clocks: moments
arrive as values.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from math import ceil

from glassfolio.model.run import Eta, EtaBasis, EtaReason, PhaseProgress, PhaseStatus, Spread
from glassfolio.progress import estimate

# Without earlier runs: real over predicted remaining time, ends of an 80 % range.
SHIPPED_SPREAD = Spread((0.6,) * 10, (1.7,) * 10, 0)
STEADY_SECONDS = 2.0
EVIDENCE_UNITS = 3
EVIDENCE_SECONDS = 5.0
POINT_BELOW = 2.0
WAITING_WIDENS = 0.5

WORDS = {
    EtaBasis.HISTORY: "from the last {runs} runs",
    EtaBasis.THIS_RUN: "from this run so far",
    EtaBasis.SHIPPED: "as on a typical machine",
    EtaBasis.PROVIDER_WAIT: "the price source asks us to wait",
}
REASONS = {
    EtaReason.PROVIDER_WAIT: "the price source asked us to wait",
    EtaReason.RESUMED: "after an interruption",
    EtaReason.SLOWER: "slower than expected",
}


def tell(
    phases: Sequence[PhaseProgress],
    worked_seconds: float,
    percent: float,
    now: datetime,
    last: Eta | None,
    *,
    spread: Spread | None = None,
    wait_left: float = 0.0,
    reason: EtaReason | None = None,
) -> Eta | None:
    """The remaining time to be told at `now`; None while it is unknown.

    last: what was told before. reason: why it may go up now.
    """
    left = estimate.remaining_seconds(phases, wait_left)
    if left is None or not _has_evidence(phases, worked_seconds):
        return None
    if last is not None and (now - last.as_of).total_seconds() < STEADY_SECONDS and reason is None:
        return last
    factors = spread or SHIPPED_SPREAD
    tenth = min(9, int(percent // 10))
    widened = wait_left * WAITING_WIDENS
    low, high = left * factors.low[tenth], left * factors.high[tenth] + widened
    basis = EtaBasis.PROVIDER_WAIT if wait_left > 0 else _basis(phases)
    runs = max((phase.learned_runs for phase in phases), default=0)
    told = Eta(round(left), int(low), ceil(high), basis, runs, now)
    return told if last is None else _held(told, last, reason)


def _held(told: Eta, last: Eta, reason: EtaReason | None) -> Eta:
    """A number that would go up stays where it is while its range allows, else says why it goes up."""
    if told.seconds <= last.seconds:
        return told
    if reason is not None:
        return replace(told, reason=reason)
    if told.low <= last.seconds:
        return replace(told, seconds=last.seconds)
    return replace(told, reason=EtaReason.SLOWER)


def _has_evidence(phases: Sequence[PhaseProgress], worked_seconds: float) -> bool:
    units = sum(phase.worked_units for phase in phases if phase.status is not PhaseStatus.PENDING)
    enough = units >= EVIDENCE_UNITS and worked_seconds >= EVIDENCE_SECONDS
    return enough or estimate.is_learned(phases)


def _basis(phases: Sequence[PhaseProgress]) -> EtaBasis:
    """What most of the remaining seconds rest on."""
    if estimate.is_learned(phases):
        return EtaBasis.HISTORY
    seconds = {True: 0.0, False: 0.0}
    for phase in phases:
        seconds[phase.worked_units >= EVIDENCE_UNITS] += estimate.phase_seconds(phase) or 0.0
    return EtaBasis.THIS_RUN if seconds[True] >= seconds[False] else EtaBasis.SHIPPED


def text(eta: Eta) -> str:
    """A remaining time for people: a range, or one number where the range is narrow."""
    narrow = eta.low > 0 and eta.high / eta.low < POINT_BELOW
    span = f"about {spoken(eta.seconds)}" if narrow or eta.high <= 1 else between(eta.low, eta.high)
    words = WORDS[eta.basis].format(runs=eta.runs)
    if eta.runs == 1:
        words = words.replace("the last 1 runs", "the last run")
    why = REASONS[eta.reason] if eta.reason and eta.basis is not EtaBasis.PROVIDER_WAIT else words
    return f"{span}, {why}"


def between(low: int, high: int) -> str:
    """A range for people: 4–7 min, 20–50 s, 50 s–2 min."""
    first, last = spoken(low), spoken(high)
    if first == last:
        return first
    value, _, unit = first.partition(" ")
    return f"{value}–{last}" if unit == last.partition(" ")[2] else f"{first}–{last}"


def spoken(seconds: float) -> str:
    """A rough duration: 7 s, 40 s, 3 min, 2 h."""
    if seconds < 10:
        return f"{round(seconds)} s"
    if seconds < 57.5:
        return f"{round(seconds / 5) * 5} s"
    if seconds < 3570:
        return f"{round(seconds / 60)} min"
    hours = seconds / 3600
    return f"{hours:.0f} h" if hours >= 9.5 else f"{round(hours, 1):g} h"
