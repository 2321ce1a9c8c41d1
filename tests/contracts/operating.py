"""A working service with an operator, what it has stored, and how it is damaged so that repairs show.

Knows nothing of what a batch should do.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa

from glassfolio.db.tables import audit, metadata, run, snapshot
from tests.contracts.running import (
    Json,
    Running,
    ShiftedClock,
    ended,
    make_settings,
    opened,
    running,
    wait_for,
)
from tests.fakes.tiingo import FakeTiingo

BOSS = "boss"
ADMIN = "/api/v1/admin/batch/runs"
# A Thursday before the exchange opens; the newest session is that of the 21st.
MORNING = datetime(2022, 12, 22, 12, 0, tzinfo=UTC)
NEWEST, NEXT, AFTER_NEXT = date(2022, 12, 21), date(2022, 12, 22), date(2022, 12, 23)
WRONG = -1.0
Rows = list[tuple[Any, ...]]


@dataclass
class Office:
    """A service that its operator runs. fake: where its prices come from."""

    service: Running
    fake: FakeTiingo
    clock: ShiftedClock

    @property
    def boss(self) -> httpx.Client:
        return self.service.client(BOSS)

    def move(self, days: int) -> None:
        """Let days go by; everybody signs in again."""
        self.clock.move(timedelta(days=days))
        for client in self.service.subjects.values():
            client.close()
        self.service.subjects.clear()

    def onboarded(self, owner: str, content: str) -> str:
        """A portfolio whose onboarding has completed."""
        portfolio_id = str(opened(self.service.client(owner), content)["portfolio_id"])
        assert ended(self.service.client(owner), portfolio_id)["status"] == "completed"
        return portfolio_id

    def ask(self, **body: Any) -> httpx.Response:
        return self.boss.post(ADMIN, json=body)

    def start(self, **body: Any) -> Json:
        """Start a batch; returns the answer."""
        reply = self.ask(**body)
        assert reply.status_code == 202, reply.text
        answer: Json = reply.json()
        return answer

    def finished(self, started: Json) -> Json:
        """The report of a batch, once all its runs have ended."""
        report: Json = {}

        def over() -> bool:
            report.update(self.boss.get(f"{ADMIN}/{started['batch_id']}").json())
            return all(item["state"] == "ended" for item in report["runs"])

        wait_for(over)
        return report

    def carried_out(self, **body: Any) -> Json:
        """Start a batch and wait for its end; returns the report."""
        return self.finished(self.start(**body))

    def snapshots(self, portfolio_id: str) -> Rows:
        """Every snapshot of a portfolio, whole, by session."""
        query = sa.select(snapshot).where(snapshot.c.portfolio_id == portfolio_id)
        return self._rows(query.order_by(snapshot.c.session))

    def runs(self, portfolio_id: str) -> Rows:
        """Every run of a portfolio, whole."""
        return self._rows(sa.select(run).where(run.c.portfolio_id == portfolio_id).order_by(run.c.id))

    def everything(self, *without: str) -> dict[str, Rows]:
        """All that is stored, by table, but for what a living service writes anyway."""
        moving = {"worker", "allowance", "app_user", *without}
        return {
            name: sorted(self._rows(sa.select(table)), key=repr)
            for name, table in metadata.tables.items()
            if name not in moving
        }

    def _rows(self, query: sa.Select[Any]) -> Rows:
        with self.service.parts.database.reading() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def acts(self) -> Rows:
        """What operators did and looked at: who, what, on what; in order of time."""
        query = sa.select(audit.c.who, audit.c.act, audit.c.thing).order_by(audit.c.at)
        return self._rows(query)

    def damage(self, portfolio_id: str) -> None:
        """Make the NAV of every snapshot wrong: only a session that is computed again gets a right one."""
        with self.service.parts.database.transaction() as connection:
            connection.execute(
                sa.update(snapshot).where(snapshot.c.portfolio_id == portfolio_id).values(nav=WRONG)
            )

    def lose(self, portfolio_id: str, days: Sequence[date]) -> None:
        """Delete the snapshots of some sessions."""
        with self.service.parts.database.transaction() as connection:
            connection.execute(
                sa.delete(snapshot).where(
                    snapshot.c.portfolio_id == portfolio_id, snapshot.c.session.in_(days)
                )
            )

    def healed(self, portfolio_id: str) -> list[date]:
        """The sessions whose NAV is not the wrong one."""
        query = sa.select(snapshot.c.session).where(
            snapshot.c.portfolio_id == portfolio_id, snapshot.c.nav != WRONG
        )
        return [row[0] for row in self._rows(query.order_by(snapshot.c.session))]

    def days(self, portfolio_id: str) -> list[date]:
        """The sessions that have a snapshot."""
        query = sa.select(snapshot.c.session).where(snapshot.c.portfolio_id == portfolio_id)
        return [row[0] for row in self._rows(query.order_by(snapshot.c.session))]


Hire = Callable[..., AbstractContextManager[Office]]


def hiring(fake: FakeTiingo, url: str, folder: Path) -> Hire:
    """A maker of offices on one database and one price server; all share a clock."""
    clock = ShiftedClock(MORNING)

    def open_office(*, worker: bool = True, **changes: Any) -> AbstractContextManager[Office]:
        settings = make_settings(
            folder,
            url,
            **{
                "provider": "tiingo",
                "provider_url": fake.url,
                "provider_key": "key",
                "provider_rate": 1000.0,
                "factor_set": "demo",
                "admins": BOSS,
                **changes,
            },
        )
        return _office(running(settings, worker=worker, clock=clock), fake, clock)

    return open_office


@contextmanager
def _office(
    serving: AbstractContextManager[Running], fake: FakeTiingo, clock: ShiftedClock
) -> Iterator[Office]:
    with serving as service:
        yield Office(service, fake, clock)
