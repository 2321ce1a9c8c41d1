"""What an owner can look at: status, log, runs and results. Nothing here changes anything.

Every read takes the owner in its query. Knows nothing of HTTP.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from glassfolio.analytics.factors import MODELS
from glassfolio.analytics.metrics import METRICS, SESSION_DETAILS, Metric
from glassfolio.analytics.significance import p_values
from glassfolio.analytics.statement import Statement
from glassfolio.batch import account
from glassfolio.batch.pipeline import NAMES
from glassfolio.batch.start import RUNS
from glassfolio.batch.task import Setup, Task, Workplace
from glassfolio.clock import Clock, from_iso, iso
from glassfolio.errors import NotFound
from glassfolio.model.holdings import Portfolio
from glassfolio.model.market import FloatArray
from glassfolio.model.results import Reason, reason_of, warnings_of
from glassfolio.model.run import Run, RunState
from glassfolio.progress import fold
from glassfolio.store import blocks, portfolios, results, rows

OWN_AT_ONCE = RUNS.partition_concurrency or 1
WIRE_IDS: Mapping[str, str] = {name.key: name.wire_id for name in NAMES}
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """An encoded status document and the version it is of.

    tag: names run, attempt and sequence number; None when the portfolio was never onboarded.
    poll_after: seconds before it is worth asking again; None when it has ended.
    """

    body: bytes
    tag: str | None
    poll_after: int | None

    @property
    def seq(self) -> int:
        """The version's number; rises over all runs of a portfolio, 0 before the first."""
        return int(self.tag.rpartition(".")[2]) if self.tag else 0

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more by itself."""
        return self.poll_after is None


@dataclass(frozen=True)
class Reading:
    """The owner's questions. lease: seconds without a beat after which a worker counts as dead."""

    setup: Setup
    clock: Clock
    lease: float

    def status(self, owner_id: str, portfolio_id: str) -> StatusAnswer:
        """The status of a portfolio's newest run. Raises NotFound."""
        with self.setup.database.reading() as connection:
            shown = rows.shown(connection, portfolio_id, owner_id)
            if shown is None:
                raise NotFound
            return self.answer(connection, shown, owner_id, portfolio_id)

    def run(self, owner_id: str, run_id: str, attempt: int | None = None) -> StatusAnswer:
        """The status of one run, in its present attempt or an earlier one. Raises NotFound."""
        with self.setup.database.reading() as connection:
            shown = rows.document_of(connection, run_id, owner_id, attempt)
            if shown is None:
                raise NotFound
            if attempt is not None and attempt != shown.attempt:
                return _earlier(shown, attempt)
            return self.answer(connection, shown, owner_id, "")

    def progress(self, owner_id: str, portfolio_id: str) -> str:
        """Where a portfolio's run stands, in words: 120 of 254 dates. Raises NotFound."""
        at = json.loads(self.status(owner_id, portfolio_id).body)["current_phase_progress"]
        return f"{at['current']} of {at['total']} {at['unit']}"

    def answer(
        self, connection: sa.Connection, shown: rows.Shown, owner_id: str, portfolio_id: str
    ) -> StatusAnswer:
        """The document of a run as it is sent now."""
        if shown.body is None or shown.started_at is None:
            never = fold.never_onboarded(portfolio_id, NAMES)
            body = fold.splice(fold.encode(never), elapsed_seconds=0, heartbeat_at=None, queue=None)
            return StatusAnswer(body, None, None)
        queue = self._queue(connection, shown, owner_id) if shown.state is RunState.QUEUED else None
        body = fold.splice(
            shown.body,
            elapsed_seconds=fold.elapsed_seconds(shown.started_at, shown.ended_at, self.clock.now()),
            heartbeat_at=datetime.fromtimestamp(shown.beat, UTC) if shown.beat else None,
            queue=queue,
        )
        wait = None
        if shown.state is not None and shown.updated_at is not None:
            wait = fold.poll_after_ms(shown.state, shown.updated_at, shown.waiting_until)
        return StatusAnswer(
            body, f"{shown.run_id}.{shown.attempt}.{shown.seq}", math.ceil(wait / 1000) if wait else None
        )

    def _queue(self, connection: sa.Connection, shown: rows.Shown, owner_id: str) -> Record:
        assert shown.started_at is not None
        epoch = self.setup.database.dialect.epoch
        alive = rows.workers_alive(connection, self.lease, epoch)
        return rows.place(connection, owner_id, shown.started_at).told(
            bool(alive), OWN_AT_ONCE, self.clock.now()
        )

    def log(
        self, owner_id: str, run_id: str, after: int = 0, limit: int = 500, attempt: int | None = None
    ) -> list[Record]:
        """Entries of a run's log numbered above `after`; attempt: None for all. Raises NotFound."""
        with self.setup.database.reading() as connection:
            if rows.owned(connection, run_id, owner_id) is None:
                raise NotFound
            entries = rows.log(connection, run_id, attempt, after, limit)
        return [fold.activity(entry, WIRE_IDS.get(entry.phase or "")) for entry in entries]

    def shown_run(self, owner_id: str, portfolio_id: str) -> str | None:
        """The run whose status a portfolio shows; None when it was never onboarded. Raises NotFound."""
        return self.portfolio(owner_id, portfolio_id).shown_run

    def runs(self, owner_id: str, portfolio_id: str) -> list[Run]:
        """All runs of a portfolio, newest first. Raises NotFound."""
        with self.setup.database.reading() as connection:
            self._owned(connection, portfolio_id, owner_id)
            return rows.of_portfolio(connection, portfolio_id)

    def portfolio(self, owner_id: str, portfolio_id: str) -> Portfolio:
        """One portfolio. Raises NotFound."""
        with self.setup.database.reading() as connection:
            return self._owned(connection, portfolio_id, owner_id)

    def portfolios(self, owner_id: str) -> list[Portfolio]:
        """The owner's portfolios, newest first."""
        with self.setup.database.reading() as connection:
            return portfolios.all_of(connection, owner_id)

    @staticmethod
    def _owned(connection: sa.Connection, portfolio_id: str, owner_id: str) -> Portfolio:
        found = portfolios.owned(connection, portfolio_id, owner_id)
        if found is None:
            raise NotFound
        return found

    def snapshots(
        self, owner_id: str, portfolio_id: str, start: date | None, end: date | None
    ) -> list[Record]:
        """A portfolio's daily snapshots, each with the reasons of its missing numbers. Raises NotFound."""
        with self.setup.database.reading() as connection:
            self._owned(connection, portfolio_id, owner_id)
            found = results.snapshots(connection, portfolio_id, start, end)
        return [_snapshot(row) for row in found]

    def positions(self, owner_id: str, portfolio_id: str) -> list[Record]:
        """What is held at the newest snapshot, lots of one symbol together. Raises NotFound."""
        task, session = self._newest(owner_id, portfolio_id)
        if task is None or session is None:
            return []
        return _positions(task, session)

    def factors(self, owner_id: str, portfolio_id: str) -> Record:
        """The portfolio's and its symbols' betas at the newest snapshot. Raises NotFound."""
        task, session = self._newest(owner_id, portfolio_id)
        if task is None or session is None:
            return {"as_of": None, "factor_set": self.setup.factor_set.name, "portfolio": [], "symbols": []}
        at = self.setup.sessions.ordinal(session)
        first = blocks.first_of_block(at)
        with self.setup.database.reading() as connection:
            whole = results.portfolio_factors(connection, portfolio_id, session)
            stored = {
                key: results.betas(
                    connection, self.setup.factor_set.name, key, task.listed_symbols, first, at
                )
                for key in MODELS
            }
        return {
            "as_of": session.isoformat(),
            "factor_set": self.setup.factor_set.name,
            "portfolio": [_portfolio_factor(row) for row in whole],
            "symbols": [
                record
                for key, series in stored.items()
                for one in series.values()
                for record in _symbol_factors(key, one, at - first, session)
            ],
        }

    def metrics(self, owner_id: str, portfolio_id: str) -> list[Record]:
        """The metrics of the portfolio's symbols at the newest snapshot. Raises NotFound."""
        task, session = self._newest(owner_id, portfolio_id)
        if task is None or session is None:
            return []
        at = self.setup.sessions.ordinal(session)
        first = blocks.first_of_block(at)
        with self.setup.database.reading() as connection:
            stored = results.metrics(connection, task.listed_symbols, first, at)
        return [
            {
                "symbol": symbol,
                "metric": key,
                "as_of": session.isoformat(),
                "value": _number(series.value[at - first]),
                "n": int(series.n[at - first]),
                "window": METRICS[key].window,
                "unit": METRICS[key].unit,
                "category": _category(METRICS[key], series.value[at - first]),
                "details": self._details(METRICS[key], series.details[at - first]),
                "reason": _word(reason_of(int(series.reason[at - first]))),
                "warnings": [word.value for word in warnings_of(int(series.warnings[at - first]))],
            }
            for (symbol, key), series in sorted(stored.items())
            if key in METRICS
        ]

    def _details(self, metric: Metric, numbers: FloatArray) -> Record:
        """The further numbers of a metric by name, sessions as dates."""
        shown: Record = {name: _number(value) for name, value in zip(metric.details, numbers, strict=False)}
        for name in SESSION_DETAILS:
            ordinal = shown.get(name)
            if ordinal is not None:
                shown[name] = self.setup.sessions.day(int(ordinal)).isoformat()
        return shown

    @property
    def risk_free(self) -> Record:
        """What ratios are measured against, and where it comes from."""
        return {"rate": self.setup.risk_free, "source": "RISK_FREE_RATE"}

    def _newest(self, owner_id: str, portfolio_id: str) -> tuple[Task | None, date | None]:
        with self.setup.database.reading() as connection:
            portfolio = self._owned(connection, portfolio_id, owner_id)
            newest = results.newest_snapshot(connection, portfolio_id)
            if newest is None or portfolio.shown_run is None:
                return None, None
            # A workplace of its own: what is read here must not outlive this request.
            return Workplace(self.setup).task_in(connection, portfolio.shown_run), newest["session"]


def _earlier(shown: rows.Shown, attempt: int) -> StatusAnswer:
    """An attempt that another one has followed: its times stand in its own document."""
    assert shown.body is not None
    known = json.loads(shown.body + b"}")
    ended = from_iso(known["finished_at"])
    elapsed = fold.elapsed_seconds(from_iso(known["started_at"]), ended, ended)
    body = fold.splice(shown.body, elapsed_seconds=elapsed, heartbeat_at=None, queue=None)
    return StatusAnswer(body, f"{shown.run_id}.{attempt}.{shown.seq}", None)


# Why a number of a snapshot is missing; one reason each, see analytics.
_REASONS: Mapping[str, Reason] = {
    "leverage": Reason.NONPOSITIVE_NAV,
    "net_leverage": Reason.NONPOSITIVE_NAV,
    "daily_return": Reason.NONPOSITIVE_NAV,
    "twr_cum": Reason.NONPOSITIVE_NAV,
    "drawdown": Reason.NONPOSITIVE_NAV,
    "hhi": Reason.NO_POSITIONS,
    "effective_n": Reason.NO_POSITIONS,
    "top_3": Reason.NO_POSITIONS,
    "top_10": Reason.NO_POSITIONS,
    "value_coverage": Reason.NO_PRICE,
}


def _snapshot(row: Record) -> Record:
    hidden = ("portfolio_id", "inputs", "session")
    numbers = {key: value for key, value in row.items() if key not in hidden}
    reasons = {key: _REASONS[key].value for key in _REASONS if numbers.get(key) is None}
    if numbers["daily_return"] is None and numbers["twr_cum"] is not None:
        reasons["daily_return"] = Reason.INSUFFICIENT_HISTORY.value
    return {"session": row["session"].isoformat(), **numbers, "reasons": reasons}


def _positions(task: Task, session: date) -> list[Record]:
    whole = account.compute(task)
    at = int(np.searchsorted(task.window, np.datetime64(session, "D")))
    lots, nav = whole.state_lots(at), whole.numbers["nav"][at]
    held: dict[str, list[int]] = {}
    for index in np.flatnonzero(lots.lots).tolist():
        held.setdefault(task.lots[index].symbol, []).append(index)
    return [
        _position(task, symbol, places, lots, float(nav), session, whole)
        for symbol, places in sorted(held.items())
    ]


def _position(
    task: Task,
    symbol: str,
    places: Sequence[int],
    lots: Statement,
    nav: float,
    session: date,
    whole: account.Account,
) -> Record:
    value = _number(float(lots.value[places].sum()))
    cost = _number(float(lots.cost[places].sum()))
    reason = None
    if value is None:
        reason = whole.not_valued.get(symbol, (Reason.NO_PRICE.value, None))[0]
    return {
        "symbol": symbol,
        "as_of": session.isoformat(),
        "investment_class": task.lots[places[0]].investment_class.value,
        "quantity": str(sum(task.lots[i].quantity for i in places)),
        "lots": len(places),
        "market_value": value,
        "weight": _number(value / nav) if value is not None and nav > 0 else None,
        "cost": cost,
        "unrealised": _number(value - cost) if value is not None and cost is not None else None,
        "reason": reason,
    }


def _portfolio_factor(row: Record) -> Record:
    return {
        "factor": row["factor"],
        "beta": row["beta"],
        "dollars": row["dollars"],
        "coverage": row["coverage"],
        "age": row["age"],
        "reason": row["reason"],
    }


def _symbol_factors(model: str, series: results.BetaSeries, at: int, session: date) -> list[Record]:
    biased = MODELS[model].penalty > 0
    p = p_values(series.value[at], series.stderr[at], series.n[at], series.dof[at])
    return [
        {
            "symbol": series.symbol,
            "model": model,
            "factor": key,
            "as_of": session.isoformat(),
            "value": _number(series.value[at, k]),
            "stderr": _number(series.stderr[at, k]),
            "stderr_reason": Reason.NOT_APPLICABLE.value if biased else None,
            "p_value": _number(p[k]),
            "r2": _number(series.r2[at]),
            "dof": _number(series.dof[at]),
            "sum_of_betas": _number(np.nansum(series.value[at])) if biased and series.n[at] else None,
            "n": int(series.n[at]),
            "window": MODELS[model].window,
            "reason": _word(reason_of(int(series.reason[at, k]))),
            "warnings": [warning.value for warning in warnings_of(int(series.warnings[at, k]))],
        }
        for k, key in enumerate(series.keys)
    ]


def _category(metric: Metric, value: float) -> str | None:
    """The word for a number of a category; None for other metrics and missing numbers."""
    return metric.words.get(float(value)) if metric.words else None


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _word(reason: Reason | None) -> str | None:
    return reason.value if reason else None


def run_record(run: Run) -> Record:
    """A run as it is listed."""
    took = (run.ended_at - run.started_at).total_seconds() if run.ended_at else None
    return {
        "run_id": run.id,
        "kind": run.kind,
        "attempt": run.attempt,
        "resumes": run.resumes,
        "trigger": run.trigger.value,
        "state": run.state.value,
        "status": fold.wire_status(run.state, run.conclusion),
        "conclusion": run.conclusion.value if run.conclusion else None,
        "started_at": iso(run.started_at),
        "finished_at": iso(run.ended_at) if run.ended_at else None,
        "duration_seconds": round(took, 3) if took is not None else None,
        "first_session": run.first_session.isoformat() if run.first_session else None,
        "last_session": run.last_session.isoformat() if run.last_session else None,
        "failure_code": run.failure_code.value if run.failure_code else None,
        "honesty": dict(run.honesty) if run.honesty else None,
        "links": {"run": f"/api/v1/runs/{run.id}", "log": f"/api/v1/runs/{run.id}/log"},
    }
