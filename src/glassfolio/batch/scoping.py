"""What a scope means for one portfolio: the run it gets, or why it gets none; pure.

Knows nothing of databases: what is stored of a portfolio arrives as a value.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from glassfolio.model.holdings import Lot, Portfolio
from glassfolio.model.run import RunKind
from glassfolio.model.scope import Scope
from glassfolio.sessions import Sessions


class SkipReason(StrEnum):
    """Why a portfolio of a scope gets no run; a closed list."""

    AT_WORK = "at_work"
    UP_TO_DATE = "up_to_date"
    NO_SESSIONS = "no_sessions"
    NO_LOTS = "no_lots"
    NOTHING_TO_VALUE = "nothing_to_value"


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a portfolio. built: the sessions that have a snapshot."""

    portfolio: Portfolio
    lots: tuple[Lot, ...]
    was_onboarded: bool
    is_at_work: bool
    built: frozenset[date]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a portfolio's history goes: its first and its newest session, and its anchor."""

    first: date
    newest: date
    anchor: date


@dataclass(frozen=True, slots=True)
class Job:
    """One portfolio's part of a batch. first, last: its window; touched: the sessions that get a snapshot."""

    portfolio: Portfolio
    lots: tuple[Lot, ...]
    kind: RunKind
    redo: bool
    first: date
    last: date
    touched: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A portfolio of the scope that gets no run."""

    portfolio_id: str
    reason: SkipReason


def decide(scope: Scope, stored: Stored, reach: Reach | None, sessions: Sessions) -> Job | Skipped:
    """What a scope means for a portfolio. reach: None when none of its lots can be valued."""
    portfolio = stored.portfolio
    if stored.is_at_work:
        return Skipped(portfolio.id, SkipReason.AT_WORK)
    if not stored.lots:
        return Skipped(portfolio.id, SkipReason.NO_LOTS)
    if reach is None:
        return Skipped(portfolio.id, SkipReason.NOTHING_TO_VALUE)
    start, end = max(reach.first, scope.start or reach.first), min(reach.newest, scope.end or reach.newest)
    asked: list[date] = sessions.between(start, end).tolist()
    if not asked:
        return Skipped(portfolio.id, SkipReason.NO_SESSIONS)
    touched = asked if scope.redo else [day for day in asked if day not in stored.built]
    if not touched:
        return Skipped(portfolio.id, SkipReason.UP_TO_DATE)
    # The window holds the anchor, whose NAV is the stated equity, and ends with the newest snapshot.
    last = min(reach.newest, max(touched[-1], reach.anchor, *stored.built))
    kind = RunKind.NIGHTLY if scope.is_catch_up else RunKind.REPAIR
    if not stored.was_onboarded:
        kind = RunKind.ONBOARDING
    return Job(portfolio, stored.lots, kind, scope.redo, reach.first, last, tuple(touched))
