"""Pipelines that strike their own process at exact points, and two that break the rule on purpose."""

import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from fnmatch import fnmatch
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from glassfolio.batch.phase import Phase, Result
from glassfolio.batch.pipeline import NAMES, PHASES, Pipeline, Settled
from glassfolio.batch.task import Workplace
from glassfolio.clock import Clock
from glassfolio.db.engine import Database
from glassfolio.engine.app import Engine
from glassfolio.store import runs

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Strikes:
    """Sends a signal to this process the first time a run reaches a point that matches a pattern.

    Each strike leaves a file in `folder`, so that the next process passes the point.
    patterns: such as "settle:*:inside"; a point is a site, its numbers and a moment.
    repeat: strike every time.
    A process that is stopped keeps what its threads hold, and SQLite has one write lock for all: it stops in
    its turn to write, so that no heartbeat that was just being written keeps everybody out.
    """

    def __init__(
        self, database: Database, folder: Path, patterns: Sequence[str], how: str, *, repeat: bool
    ) -> None:
        self._folder, self._patterns, self._signal, self._repeat = folder, patterns, SIGNALS[how], repeat
        self._turn = database.writing if how == "stop" else nullcontext

    def at(self, run_id: str, point: str) -> None:
        """Strike here, if it is time."""
        if not any(fnmatch(point, pattern) for pattern in self._patterns):
            return
        mark = self._folder / f"{run_id}@{point}"
        if self._repeat:
            mark = self._folder / f"{run_id}@{point}@{uuid4().hex}"
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            return
        with self._turn():
            os.kill(os.getpid(), self._signal)
            # The signal reaches the process a moment later: nothing must happen until then.
            time.sleep(60 if self._signal is signal.SIGKILL else 0.05)


class Commits:
    """Strikes at the first statement of a thread after the transaction that it has announced was committed.

    Whatever belongs to the transaction and is written behind it instead is not there yet.
    """

    def __init__(self, engine: sa.Engine, strikes: Strikes) -> None:
        self._strikes, self._local = strikes, threading.local()
        sa.event.listen(engine, "commit", self._committed)
        sa.event.listen(engine, "before_cursor_execute", self._next)

    def announce(self, connection: sa.Connection, run_id: str, point: str) -> None:
        """Say that the open transaction of this connection is the one."""
        self._local.open = (connection.connection.dbapi_connection, (run_id, point))

    def _committed(self, connection: sa.Connection) -> None:
        driver, due = getattr(self._local, "open", (None, None))
        if due is not None and connection.connection.dbapi_connection is driver:
            self._local.due, self._local.open = due, (None, None)

    def _next(self, *_statement: object) -> None:
        due, self._local.due = getattr(self._local, "due", None), None
        if due is not None:
            self._strikes.at(*due)


class StruckPipeline(Pipeline):
    """The pipeline as it is, with points before, inside and right after each of its transactions."""

    def __init__(
        self, engine: Engine, database: Database, clock: Clock, workplace: Workplace, strikes: Strikes
    ) -> None:
        super().__init__(engine, database, clock, workplace)
        self.strikes, self.commits = strikes, Commits(database.engine, strikes)
        enter, settle = self._enter, self._settle

        def entered(run_id: str, fence: int, position: int) -> list[int] | None:
            strikes.at(run_id, f"enter:{position}:before")
            return enter(run_id, fence, position)

        def settled(run_id: str, fence: int, position: int, number: int, result: Settled) -> bool:
            strikes.at(run_id, f"settle:{position}:{number}:before")
            self.first(run_id, fence, position, number, result)
            going_on = settle(run_id, fence, position, number, result)
            self.then(run_id, fence, position, number, result)
            return going_on

        self._enter, self._settle = entered, settled

    def claim(self, run_id: str, fence: int) -> bool:
        self.strikes.at(run_id, "claim:before")
        ours = super().claim(run_id, fence)
        self.strikes.at(run_id, "claim:after")
        return ours

    def _take_over(self, turn: runs.Turn) -> bool:
        going_on = super()._take_over(turn)
        self.strikes.at(turn.run_id, "claim:inside")
        return going_on

    def enter(self, connection: sa.Connection, run_id: str, fence: int, position: int) -> list[int] | None:
        todo = super().enter(connection, run_id, fence, position)
        self.strikes.at(run_id, f"enter:{position}:inside")
        self.commits.announce(connection, run_id, f"enter:{position}:after")
        return todo

    def settle(
        self, connection: sa.Connection, run_id: str, fence: int, position: int, number: int, result: Settled
    ) -> bool:
        going_on = super().settle(connection, run_id, fence, position, number, result)
        self.strikes.at(run_id, f"settle:{position}:{number}:inside")
        self.commits.announce(connection, run_id, f"settle:{position}:{number}:after")
        return going_on

    def first(self, run_id: str, fence: int, position: int, number: int, result: Settled) -> None:
        """Nothing stands before the one transaction."""

    def then(self, run_id: str, fence: int, position: int, number: int, result: Settled) -> None:
        """Nothing stands behind the one transaction."""


class TwoTransactions(StruckPipeline):
    """Broken on purpose: rows and counters in one transaction, the chunk and the checkpoint in another."""

    def _count(self, turn: runs.Turn, phase: Phase, result: Result) -> None:
        """Nothing: it happens apart."""

    def apart(self, run_id: str, fence: int, position: int, result: Settled) -> None:
        """Rows and counters in a transaction of their own."""
        if isinstance(result, Result):
            with (
                self.database.transaction() as connection,
                runs.Turn(connection, run_id, fence, NAMES, self.clock.now()) as turn,
            ):
                super()._count(turn, PHASES[position], result)


class RowsFirst(TwoTransactions):
    """A death between the two doubles the chunk."""

    def first(self, run_id: str, fence: int, position: int, number: int, result: Settled) -> None:
        self.apart(run_id, fence, position, result)
        self.strikes.at(run_id, f"settle:{position}:{number}:between")


class RowsLast(TwoTransactions):
    """A death between the two loses the chunk."""

    def then(self, run_id: str, fence: int, position: int, number: int, result: Settled) -> None:
        self.strikes.at(run_id, f"settle:{position}:{number}:between")
        self.apart(run_id, fence, position, result)


PIPELINES: Mapping[str, type[StruckPipeline]] = {
    "sound": StruckPipeline,
    "rows_first": RowsFirst,
    "rows_last": RowsLast,
}
