"""Prices as arrays, what was asked of providers, and their shared allowance of requests.

Knows nothing of runs or of how a provider is spoken to.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from glassfolio.db import bulk
from glassfolio.db.tables import allowance, coverage, price, quarantine, symbol
from glassfolio.model.market import Bars, DateArray, IntArray, Interval, Panel

OK = "ok"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question put to a provider, with its outcome: `ok` or the kind of failure."""

    symbol: str
    interval: Interval
    outcome: str
    asked_at: datetime


def revisions(connection: sa.Connection, symbols: Sequence[str]) -> dict[str, int]:
    """The revision of each symbol's prices; 0 for symbols never stored."""
    known = {
        row.symbol: row.revision
        for row in connection.execute(sa.select(symbol).where(symbol.c.symbol.in_(symbols)))
    }
    return {name: known.get(name, 0) for name in symbols}


def asked(connection: sa.Connection, symbols: Sequence[str], provider: str) -> dict[str, list[Asked]]:
    """What was asked of `provider` about each symbol, in order of time."""
    found: dict[str, list[Asked]] = {name: [] for name in symbols}
    rows = connection.execute(
        sa.select(coverage)
        .where(coverage.c.symbol.in_(symbols), coverage.c.provider == provider)
        .order_by(coverage.c.symbol, coverage.c.start)
    )
    for row in rows:
        found[row.symbol].append(Asked(row.symbol, Interval(row.start, row.end), row.outcome, row.asked_at))
    return found


def record_asked(
    connection: sa.Connection, provider: str, answers: Iterable[Asked], merge: Mapping[str, list[Asked]]
) -> None:
    """Keep what was asked now, merged with the answers of before into as few rows as possible.

    merge: the earlier answers of the same symbols, read in the same transaction.
    """
    for answer in answers:
        kept = _merged([*merge.get(answer.symbol, []), answer])
        connection.execute(
            sa.delete(coverage).where(coverage.c.symbol == answer.symbol, coverage.c.provider == provider)
        )
        connection.execute(
            sa.insert(coverage),
            [
                {
                    "symbol": item.symbol,
                    "provider": provider,
                    "start": item.interval.start,
                    "end": item.interval.end,
                    "outcome": item.outcome,
                    "asked_at": item.asked_at,
                }
                for item in kept
            ],
        )


def _merged(answers: list[Asked]) -> list[Asked]:
    """Overlapping or touching answers of one outcome become one; a newer answer wins over an older."""
    newest = answers[-1]
    kept: list[Asked] = []
    for old in answers[:-1]:
        if old.outcome == newest.outcome and _touch(old.interval, newest.interval):
            joined = Interval(
                min(old.interval.start, newest.interval.start), max(old.interval.end, newest.interval.end)
            )
            newest = Asked(newest.symbol, joined, newest.outcome, newest.asked_at)
        elif not (newest.interval.start <= old.interval.start <= newest.interval.end):
            kept.append(old)
    return [*kept, newest]


def _touch(one: Interval, other: Interval) -> bool:
    return (one.start - other.end).days <= 1 and (other.start - one.end).days <= 1


def write_bars(connection: sa.Connection, provider: str, bars: Iterable[Bars]) -> None:
    """Store bars and raise the revision of their symbols."""
    for bar in bars:
        _raise_revision(connection, bar.symbol)
        # One symbol, one provider: another's bars may stand on another share basis.
        for table in (price, coverage):
            connection.execute(
                sa.delete(table).where(table.c.symbol == bar.symbol, table.c.provider != provider)
            )
        days = bulk.dates(bar.sessions)
        rows = zip(
            [bar.symbol] * len(days),
            days,
            bar.close.tolist(),
            bar.split.tolist(),
            bar.dividend.tolist(),
            bulk.nullable(bar.adj_close),
            [None if v < 0 else v for v in bar.volume.tolist()],
            [bar.basis.value] * len(days),
            [provider] * len(days),
            strict=True,
        )
        columns = (
            "symbol",
            "session",
            "close",
            "split",
            "dividend",
            "adj_close",
            "volume",
            "basis",
            "provider",
        )
        bulk.upsert(connection, price, columns, rows)


def _raise_revision(connection: sa.Connection, name: str) -> None:
    raised = connection.execute(
        sa.update(symbol).where(symbol.c.symbol == name).values(revision=symbol.c.revision + 1)
    )
    if raised.rowcount == 0:
        connection.execute(sa.insert(symbol).values(symbol=name, revision=1))


def write_quarantined(
    connection: sa.Connection, provider: str, rejected: Iterable[tuple[str, date, str]]
) -> None:
    """Name the bars that were kept apart: (symbol, session, reason)."""
    rows = [(name, day.isoformat(), provider, reason) for name, day, reason in rejected]
    bulk.upsert(connection, quarantine, ("symbol", "session", "provider", "reason"), rows)


def panel(
    connection: sa.Connection, symbols: Sequence[str], sessions: DateArray, ordinals: IntArray
) -> Panel:
    """Stored prices of `symbols` on the grid `sessions`, sorted by symbol.

    sessions: (T,) consecutive sessions; ordinals: (T,) their places in the calendar.
    """
    names = tuple(sorted(set(symbols)))
    shape = (len(sessions), len(names))
    close = np.full(shape, np.nan)
    split, dividend = np.ones(shape), np.zeros(shape)
    if names and len(sessions):
        first, last = sessions[0].item(), sessions[-1].item()
        rows = connection.execute(
            sa.select(
                price.c.symbol,
                sa.type_coerce(price.c.session, sa.Text) if _is_sqlite(connection) else price.c.session,
                price.c.close,
                price.c.split,
                price.c.dividend,
            ).where(price.c.symbol.in_(names), price.c.session.between(first, last))
        ).all()
        if rows:
            column_of = {name: j for j, name in enumerate(names)}
            texts, days, closes, splits, dividends = zip(*rows, strict=True)
            i = np.searchsorted(sessions, np.array(days, dtype="datetime64[D]"))
            j = np.array([column_of[name] for name in texts])
            close[i, j], split[i, j], dividend[i, j] = closes, splits, dividends
    return Panel(sessions, ordinals, names, close, split, dividend, revisions(connection, names))


def newest_close(connection: sa.Connection, symbols: Sequence[str], last: date) -> date | None:
    """The newest session up to `last` with a close of any of the symbols; None when there is none."""
    query = sa.select(sa.func.max(price.c.session)).where(
        price.c.symbol.in_(symbols), price.c.session <= last
    )
    found: date | None = connection.execute(query).scalar_one() if symbols else None
    return found


def _is_sqlite(connection: sa.Connection) -> bool:
    return connection.dialect.name == "sqlite"


class Allowance:
    """A provider's requests per second, shared by all workers through one row.

    epoch: SQL of the database's own clock, so that workers on different machines agree.
    """

    def __init__(self, provider: str, per_second: float, burst: float, epoch: str) -> None:
        self.provider, self.per_second, self.burst, self.epoch = provider, per_second, burst, epoch

    def take(self, connection: sa.Connection) -> float:
        """Take one request; returns 0 when granted, else the seconds until it is worth asking again."""
        row = self._refilled(connection)
        wait = row.paused_until - row.now
        if wait <= 0 and row.tokens >= 1:
            self._set(connection, tokens=row.tokens - 1)
            return 0.0
        return float(max(wait, (1 - row.tokens) / self.per_second if row.tokens < 1 else 0.0, 0.001))

    def pause(self, connection: sa.Connection, seconds: float) -> None:
        """Grant nothing for `seconds` to anybody; a longer pause in force stays."""
        row = self._refilled(connection)
        self._set(connection, paused_until=max(row.paused_until, row.now + seconds))

    def _refilled(self, connection: sa.Connection) -> Any:
        now: sa.ColumnElement[float] = sa.literal_column(self.epoch)
        bulk.insert_missing(
            connection, allowance, provider=self.provider, tokens=self.burst, refilled=now, paused_until=0.0
        )
        grown = allowance.c.tokens + (now - allowance.c.refilled) * self.per_second
        return connection.execute(
            sa.update(allowance)
            .where(allowance.c.provider == self.provider)
            .values(tokens=sa.case((grown > self.burst, self.burst), else_=grown), refilled=now)
            .returning(allowance.c.tokens, allowance.c.paused_until, now.label("now"))
        ).one()

    def _set(self, connection: sa.Connection, **values: float) -> None:
        connection.execute(sa.update(allowance).where(allowance.c.provider == self.provider).values(**values))
