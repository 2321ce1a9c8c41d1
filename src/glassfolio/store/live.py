"""What a live view asks, for many runs at once: which have changed, and their documents.

Knows nothing of who watches.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import sqlalchemy as sa

from glassfolio.db.tables import portfolio, run, status_document, worker
from glassfolio.model.run import RunKind, RunState
from glassfolio.store import rows

MOST_AT_ONCE = 1000


class Version(NamedTuple):
    """Which state of which run; seq rises over all runs of a portfolio."""

    run_id: str
    attempt: int
    seq: int


_ACTIVE = sa.select(run.c.portfolio_id, run.c.id, run.c.attempt, run.c.seq).where(
    run.c.state != RunState.ENDED.value, run.c.kind != RunKind.NIGHTLY.value
)
_SHOWN = (
    sa.select(portfolio.c.id, run.c.id, run.c.attempt, run.c.seq)
    .join(run, run.c.id == portfolio.c.shown_run)
    .where(portfolio.c.id.in_(sa.bindparam("ids", expanding=True)))
)
_RUNS = sa.select(run.c.id, run.c.id, run.c.attempt, run.c.seq).where(
    run.c.id.in_(sa.bindparam("ids", expanding=True))
)
_DOCUMENTS = (
    sa.select(run.c.owner_id, *rows.DOCUMENT)
    .join(
        status_document,
        sa.and_(status_document.c.run_id == run.c.id, status_document.c.attempt == run.c.attempt),
    )
    .outerjoin(worker, worker.c.id == run.c.worker)
    .where(run.c.id.in_(sa.bindparam("ids", expanding=True)))
)
_OWNED = sa.select(portfolio.c.id, portfolio.c.owner_id).where(
    portfolio.c.id.in_(sa.bindparam("ids", expanding=True)), portfolio.c.deleted_at.is_(None)
)


def active(connection: sa.Connection) -> list[tuple[str, Version]]:
    """The runs that have not ended, with their portfolios; nightly ones show on no status address."""
    found = connection.execute(_ACTIVE)
    return [(portfolio_id, Version(run_id, attempt, seq)) for portfolio_id, run_id, attempt, seq in found]


def shown_versions(connection: sa.Connection, portfolio_ids: Iterable[str]) -> dict[str, Version]:
    """What the status addresses of portfolios show now; those without a run are left out."""
    return _versions(connection, _SHOWN, portfolio_ids)


def run_versions(connection: sa.Connection, run_ids: Iterable[str]) -> dict[str, Version]:
    """Where runs stand now."""
    return _versions(connection, _RUNS, run_ids)


def _versions(
    connection: sa.Connection, query: sa.Select[str, str, int, int], ids: Iterable[str]
) -> dict[str, Version]:
    return {
        key: Version(run_id, attempt, seq)
        for part in _parts(ids)
        for key, run_id, attempt, seq in connection.execute(query, {"ids": part})
    }


def documents(connection: sa.Connection, run_ids: Iterable[str]) -> dict[str, tuple[str, rows.Shown]]:
    """The documents of runs in their present attempts, each with its owner."""
    return {
        row.id: (row.owner_id, rows.shown_of(row))
        for part in _parts(run_ids)
        for row in connection.execute(_DOCUMENTS, {"ids": part})
    }


def owners(connection: sa.Connection, portfolio_ids: Iterable[str]) -> dict[str, str]:
    """The owners of the portfolios that are not deleted."""
    return {
        row[0]: row[1] for part in _parts(portfolio_ids) for row in connection.execute(_OWNED, {"ids": part})
    }


def _parts(ids: Iterable[str]) -> Iterator[Sequence[str]]:
    rest = iter(ids)
    while part := list(islice(rest, MOST_AT_ONCE)):
        yield part
