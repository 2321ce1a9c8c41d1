"""The watch that tells of dead workers stands in nobody's way (B2)."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from glassfolio import settings
from glassfolio.db.tables import run
from glassfolio.model.run import Trigger
from glassfolio.onboarding import Caller, Upload
from glassfolio.store import portfolios
from glassfolio.wiring import Parts, assemble, observer
from tests.databases import Postgres
from tests.engine.flows import wait_until

HOLDINGS = (
    b"Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class,Investment Subtype,"
    b"Underlying Symbol,Strike Price,Expiration Date,Option Type,Exit Date,Exit Price Per Share\n"
    b"AAPL,100,36.64,2019-01-15,PUBLIC,STOCK,,,,,,\n"
)


def left_behind(parts: Parts, count: int) -> list[str]:
    """Runs at work whose worker is gone."""
    with parts.database.transaction() as connection:
        caller = Caller(portfolios.user_id(connection, "owner", parts.clock.now()), Trigger.USER)
    made = []
    for number in range(count):
        name = f"Portfolio {number}"
        fields = {"name": name, "account_name": name, "account_type": "taxable", "equity": "1000"}
        made.append(str(parts.onboarding.open(caller, Upload("lots.csv", HOLDINGS), fields).run_id))
    with parts.database.transaction() as connection:
        connection.execute(sa.update(run).values(state="running", worker="gone"))
    return made


def states(parts: Parts) -> dict[str, str]:
    with parts.database.reading() as connection:
        return {row.id: row.state for row in connection.execute(sa.select(run.c.id, run.c.state))}


@pytest.mark.parametrize("held", [0, 1, 2])
def test_a_run_whose_row_somebody_holds_does_not_keep_the_others_from_being_told(
    postgres: Postgres, tmp_path: Path, held: int
) -> None:
    """A host that hangs inside a transaction keeps the row of one run locked, for as long as it hangs.

    SQLite has one write lock for all: who holds it is waited for.
    """
    database_url = postgres.make()
    parts = assemble(
        settings.load(data_dir=tmp_path, database_url=database_url, lease=1.0, provider="bundled")
    )
    runs = left_behind(parts, 3)
    watching = observer(parts)
    let_go, holding = threading.Event(), threading.Event()

    def hold() -> None:
        with parts.database.transaction() as connection:
            connection.execute(sa.update(run).where(run.c.id == runs[held]).values(seq=run.c.seq))
            holding.set()
            let_go.wait(30)

    hanging = threading.Thread(target=hold)
    hanging.start()
    try:
        assert holding.wait(10)
        watching.start()
        others = [name for i, name in enumerate(runs) if i != held]
        wait_until(lambda: all(states(parts)[name] == "interrupted" for name in others))
        assert states(parts)[runs[held]] == "running"
    finally:
        let_go.set()
        hanging.join()
    wait_until(lambda: states(parts)[runs[held]] == "interrupted")
    watching.stop()
    parts.close()
    postgres.drop(database_url)
