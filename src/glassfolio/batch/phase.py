"""What a phase of the pipeline is: a plan of chunks, work that can be repeated, and a closing word.

Knows nothing of the engine or of how chunks are committed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from glassfolio.batch.task import Task
from glassfolio.model.run import Entry, FailureCode, PhaseName, SymbolOutcome

Payload = Mapping[str, Any]  # JSON: only what a chunk needs to be done again


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """One piece of a phase: how many units it settles and what is to be done."""

    units: int
    payload: Payload


@dataclass(frozen=True, slots=True)
class Plan:
    """What a phase has to do, made after looking at what is stored.

    total: all units of the phase; cached, failed: those settled already.
    unit_seconds: seconds of one unit before any were learned, None for the shipped default.
    pace_seconds: least time between two units that a provider allows, after `free_units` at once.
    at_once: units that are in work at the same time, waiting for answers.
    """

    total: int
    chunks: tuple[ChunkPlan, ...]
    cached: int = 0
    failed: int = 0
    unit_seconds: float | None = None
    pace_seconds: float | None = None
    free_units: int = 0
    at_once: int = 1
    outcomes: tuple[SymbolOutcome, ...] = ()
    entries: tuple[Entry, ...] = ()


def write_nothing(_connection: sa.Connection) -> None:
    """The write of a result without rows."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a chunk's work, ready to be committed.

    items: the names of its units in order, symbols or ISO dates.
    write: puts the rows; may be run again.
    """

    items: tuple[str, ...]
    failed: int = 0
    write: Callable[[sa.Connection], None] = write_nothing
    outcomes: tuple[SymbolOutcome, ...] = ()
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """A chunk that cannot be done now; ends the attempt with a reason.

    error_id: names the operator's log entry of an unexpected error.
    retry_after: seconds after which trying again may help; None where that is not known.
    """

    code: FailureCode
    error_id: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """What a phase says at its end; a failure ends the attempt."""

    failure: FailureCode | None = None
    entries: tuple[Entry, ...] = ()
    outcomes: tuple[SymbolOutcome, ...] = ()
    completeness: float | None = None


def nothing_to_add(_connection: sa.Connection, _task: Task) -> Closing:
    """The closing of a phase that has nothing to add."""
    return Closing()


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of the pipeline.

    plan: reads what is stored and says what is missing; pure of any other effect.
    work: does one chunk; repeatable, may take long, runs in a thread; raises only ProviderFault.
    close: looks at the whole when all chunks are committed.
    doing: the beginning of its progress sentence, such as "Fetched prices for".
    waits: whether its work waits for others rather than computes.
    """

    name: PhaseName
    doing: str
    plan: Callable[[sa.Connection, Task], Plan]
    work: Callable[[Task, Payload], Result]
    close: Callable[[sa.Connection, Task], Closing] = field(default=nothing_to_add)
    waits: bool = False
