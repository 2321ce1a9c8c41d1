"""The scope of a batch: which portfolios and sessions it may touch, and whether anew.

Made in one place of what a person sends; nothing else decides it. Knows nothing of what is stored.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, TypeAlias

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class One:
    """One portfolio."""

    portfolio_id: str


@dataclass(frozen=True, slots=True)
class Some:
    """Several portfolios that were named, each once."""

    portfolio_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class All:
    """All portfolios; only ever by naming none, never by an empty list."""


Chosen: TypeAlias = One | Some | All


@dataclass(frozen=True, slots=True)
class Scope:
    """What a batch may touch.

    redo: all requested sessions anew; else only those without a snapshot.
    start, end: the first and last day, both inclusive; None for where the history begins and ends.
    """

    chosen: Chosen
    redo: bool = False
    start: date | None = None
    end: date | None = None

    @property
    def named(self) -> tuple[str, ...] | None:
        """The portfolios that were named; None for all."""
        match self.chosen:
            case One(portfolio_id):
                return (portfolio_id,)
            case Some(portfolio_ids):
                return portfolio_ids
            case All():
                return None

    @property
    def is_catch_up(self) -> bool:
        """Whether it fills what is missing of whatever was onboarded, as every night does."""
        return isinstance(self.chosen, All) and not self.redo

    def as_record(self) -> dict[str, Any]:
        """The scope as it is stored and sent."""
        return {
            "portfolio_ids": None if self.named is None else list(self.named),
            "redo": self.redo,
            "start_date": self.start.isoformat() if self.start else None,
            "end_date": self.end.isoformat() if self.end else None,
        }


CATCH_UP = Scope(All())


class ScopeCode(StrEnum):
    """Why a scope is refused; a closed list."""

    EMPTY_LIST = "SCOPE_EMPTY_LIST"
    WITHOUT_IDS = "SCOPE_WITHOUT_IDS"
    MALFORMED_ID = "SCOPE_MALFORMED_ID"
    UNKNOWN_ID = "SCOPE_UNKNOWN_ID"
    DATES_REVERSED = "SCOPE_DATES_REVERSED"


SENTENCES: Mapping[ScopeCode, str] = {
    ScopeCode.EMPTY_LIST: "The list of portfolios is empty; leave it out to mean all.",
    ScopeCode.WITHOUT_IDS: "A scoped batch names its portfolios.",
    ScopeCode.MALFORMED_ID: "This is no id of a portfolio.",
    ScopeCode.UNKNOWN_ID: "There is no such portfolio, or it was deleted.",
    ScopeCode.DATES_REVERSED: "The end lies before the start.",
}


@dataclass(frozen=True, slots=True)
class ScopeProblem:
    """One thing that is wrong with a requested scope. place: the number of an id in the list, from 0."""

    code: ScopeCode
    place: int | None = None

    def __str__(self) -> str:
        return self.detail

    @property
    def detail(self) -> str:
        """The sentence."""
        return SENTENCES[self.code]

    @property
    def pointer(self) -> str:
        """Where in the request it is."""
        if self.place is not None:
            return f"/portfolio_ids/{self.place}"
        return "/end_date" if self.code is ScopeCode.DATES_REVERSED else "/portfolio_ids"


def read_scope(
    portfolio_ids: Sequence[str] | None,
    *,
    scoped_only: bool,
    force_rerun: bool,
    start: date | None = None,
    end: date | None = None,
) -> Scope | tuple[ScopeProblem, ...]:
    """The scope that a person asks for, or everything that is wrong with it.

    Named portfolios are all that is touched, whatever `scoped_only` says; `force_rerun` never adds one.
    """
    problems: list[ScopeProblem] = []
    if portfolio_ids is None and scoped_only:
        problems.append(ScopeProblem(ScopeCode.WITHOUT_IDS))
    if portfolio_ids is not None:
        if not portfolio_ids:
            problems.append(ScopeProblem(ScopeCode.EMPTY_LIST))
        problems += [
            ScopeProblem(ScopeCode.MALFORMED_ID, place)
            for place, portfolio_id in enumerate(portfolio_ids)
            if not ID.fullmatch(portfolio_id)
        ]
    if start is not None and end is not None and end < start:
        problems.append(ScopeProblem(ScopeCode.DATES_REVERSED))
    return tuple(problems) if problems else Scope(_chosen(portfolio_ids), force_rerun, start, end)


def _chosen(portfolio_ids: Sequence[str] | None) -> Chosen:
    if portfolio_ids is None:
        return All()
    named = tuple(dict.fromkeys(portfolio_ids))
    return One(named[0]) if len(named) == 1 else Some(named)


def unknown(scope: Scope, known: Sequence[str]) -> tuple[ScopeProblem, ...]:
    """The named portfolios that are not among the `known` ones, as problems."""
    return tuple(
        ScopeProblem(ScopeCode.UNKNOWN_ID, place)
        for place, portfolio_id in enumerate(scope.named or ())
        if portfolio_id not in set(known)
    )
