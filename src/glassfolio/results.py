"""What an owner can look at of what was computed: snapshots, positions, factors, metrics, risk.

Every read takes the owner in its query. Nothing here changes anything. Knows nothing of HTTP.
"""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa

from glassfolio.analytics.factors import MODELS
from glassfolio.analytics.metrics import METRICS, SESSION_DETAILS, Metric
from glassfolio.analytics.significance import p_values
from glassfolio.batch import account, analyses
from glassfolio.batch.task import Setup, Task, Workplace
from glassfolio.errors import NotFound, or_not_found
from glassfolio.model.holdings import Portfolio
from glassfolio.model.market import FloatArray
from glassfolio.model.results import Reason, finite, reason_word, warning_words
from glassfolio.store import batches, blocks, portfolios, results, snapshots

Record = dict[str, Any]
EMPTY: Record = {
    "positions": [],
    "risk": {"as_of": None, "figures": {}},
    "correlations": {"as_of": None, "pairs": [], "clusters": []},
    "stress": {"as_of": None, "scenarios": []},
}


@dataclass(frozen=True)
class Results:
    """The owner's questions about numbers."""

    setup: Setup

    def snapshots(
        self, owner_id: str, portfolio_id: str, start: date | None, end: date | None
    ) -> list[Record]:
        """A portfolio's daily snapshots, each with the reasons of its missing numbers. Raises NotFound."""
        with self.setup.database.reading() as connection:
            or_not_found(portfolios.owned(connection, portfolio_id, owner_id))
            rows = snapshots.between(connection, portfolio_id, start, end)
        return [_snapshot(row) for row in rows]

    def analysis(self, owner_id: str, portfolio_id: str, kind: str, session: date | None = None) -> Any:
        """Positions, risk, correlations or stress: as stored with the newest snapshot, or computed for an
        earlier session. Raises NotFound, also for a session without a snapshot.
        """
        with self.setup.database.reading() as connection:
            portfolio = or_not_found(portfolios.owned(connection, portfolio_id, owner_id))
            newest = snapshots.newest(connection, portfolio_id)
            if session is None or (newest is not None and newest["session"] == session):
                body = snapshots.newest_analysis(connection, portfolio_id, kind)
                return json.loads(body) if body is not None else EMPTY[kind]
            if not snapshots.between(connection, portfolio_id, session, session):
                raise NotFound
            task = self._task(connection, portfolio)
        if task is None:
            raise NotFound
        at = int(np.searchsorted(task.window, np.datetime64(session, "D")))
        if at >= len(task.window) or task.window[at] != np.datetime64(session, "D"):
            raise NotFound
        return analyses.of_session(task, account.compute(task), at, (kind,))[kind]

    def factors(self, owner_id: str, portfolio_id: str) -> Record:
        """The portfolio's and its symbols' betas at the newest snapshot. Raises NotFound."""
        with self.setup.database.reading() as connection:
            task, newest = self._newest(connection, owner_id, portfolio_id)
            if task is None or newest is None:
                return {
                    "as_of": None,
                    "factor_set": self.setup.factor_set.name,
                    "portfolio": [],
                    "symbols": [],
                }
            session = newest["session"]
            at = self.setup.sessions.ordinal(session)
            first = blocks.first_of_block(at)
            stored = {
                key: results.betas(
                    connection, self.setup.factor_set.name, key, task.listed_symbols, first, at
                )
                for key in MODELS
            }
        return {
            "as_of": session.isoformat(),
            "factor_set": self.setup.factor_set.name,
            "portfolio": snapshots.factors(newest),
            "symbols": [
                record
                for key, series in stored.items()
                for one in series.values()
                for record in _symbol_factors(key, one, at - first, session)
            ],
        }

    def metrics(self, owner_id: str, portfolio_id: str) -> list[Record]:
        """The metrics of the portfolio's symbols at the newest snapshot. Raises NotFound."""
        with self.setup.database.reading() as connection:
            task, newest = self._newest(connection, owner_id, portfolio_id)
            if task is None or newest is None:
                return []
            session = newest["session"]
            at = self.setup.sessions.ordinal(session)
            first = blocks.first_of_block(at)
            stored = results.metrics(connection, task.listed_symbols, first, at)
        return [
            {
                "symbol": symbol,
                "metric": key,
                "as_of": session.isoformat(),
                "value": finite(series.value[at - first]),
                "n": int(series.n[at - first]),
                "window": METRICS[key].window,
                "unit": METRICS[key].unit,
                "category": _category(METRICS[key], series.value[at - first]),
                "details": self._details(METRICS[key], series.details[at - first]),
                "reason": reason_word(series.reason[at - first]),
                "warnings": warning_words(series.warnings[at - first]),
            }
            for (symbol, key), series in sorted(stored.items())
            if key in METRICS
        ]

    def _details(self, metric: Metric, numbers: FloatArray) -> Record:
        """The further numbers of a metric by name, sessions as dates."""
        shown: Record = {name: finite(value) for name, value in zip(metric.details, numbers, strict=False)}
        for name in SESSION_DETAILS:
            ordinal = shown.get(name)
            if ordinal is not None:
                shown[name] = self.setup.sessions.day(int(ordinal)).isoformat()
        return shown

    @property
    def risk_free(self) -> Record:
        """What ratios are measured against, and where it comes from."""
        return analyses.risk_free(self.setup)

    def _newest(
        self, connection: sa.Connection, owner_id: str, portfolio_id: str
    ) -> tuple[Task | None, Record | None]:
        portfolio = or_not_found(portfolios.owned(connection, portfolio_id, owner_id))
        newest = snapshots.newest(connection, portfolio_id)
        return (self._task(connection, portfolio), newest) if newest is not None else (None, None)

    def _task(self, connection: sa.Connection, portfolio: Portfolio) -> Task | None:
        """The portfolio over all its snapshots, whichever runs made them."""
        first = batches.history_begins(connection, portfolio.id)
        newest = snapshots.newest_session(connection, portfolio.id)
        if first is None or newest is None:
            return None
        # A workplace of its own: what is read here must not outlive this request.
        return Workplace(self.setup).over(connection, portfolio, first, newest)


def _snapshot(row: Record) -> Record:
    hidden = ("portfolio_id", "inputs", "session", "notes", "factor_keys", "factors")
    notes = json.loads(row["notes"])
    return {
        "session": row["session"].isoformat(),
        **{key: value for key, value in row.items() if key not in hidden},
        "reasons": notes.get("reasons", {}),
        "warnings": notes.get("warnings", {}),
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
            "value": finite(series.value[at, k]),
            "stderr": finite(series.stderr[at, k]),
            "stderr_reason": Reason.NOT_APPLICABLE.value if biased else None,
            "p_value": finite(p[k]),
            "r2": finite(series.r2[at]),
            "dof": finite(series.dof[at]),
            "sum_of_betas": finite(np.nansum(series.value[at])) if biased and series.n[at] else None,
            "n": int(series.n[at]),
            "window": MODELS[model].window,
            "reason": reason_word(series.reason[at, k]),
            "warnings": warning_words(series.warnings[at, k]),
        }
        for k, key in enumerate(series.keys)
    ]


def _category(metric: Metric, value: float) -> str | None:
    """The word for a number of a category; None for other metrics and missing numbers."""
    return metric.words.get(float(value)) if metric.words else None
