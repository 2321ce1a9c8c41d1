"""The durable engine on both databases: orders, steps, hand-over, cancelling, SQLite traps (B1)."""

from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from glassfolio.db.engine import SQLITE, Database, connect
from glassfolio.engine.app import VERSION, Dispatcher
from glassfolio.operations import migrate_all
from tests.engine.flows import STEPS, alter, counted, enqueue, order, running, statuses, wait_until

STARTED_AT = 1_700_000_000.123


def test_an_order_in_a_transaction_that_is_rolled_back_starts_nothing(
    database: Database, dispatcher: Dispatcher
) -> None:
    def open_and_fail() -> None:
        with database.transaction() as connection:
            dispatcher.enqueue(connection, order("undone"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        open_and_fail()
    with running(database):
        enqueue(database, dispatcher, order("kept"))
        wait_until(lambda: statuses(database).get("kept") == "SUCCESS")
        assert statuses(database) == {"kept": "SUCCESS"}
        assert counted(database) == {"kept": STEPS}


def test_a_step_is_neither_lost_nor_done_again_when_its_process_goes_and_another_takes_over(
    database: Database, dispatcher: Dispatcher
) -> None:
    """The first step's row and checkpoint are there together: the second engine goes on behind it."""
    with running(database, open_wall=False) as (first, before):
        enqueue(database, dispatcher, order("moved"))
        assert before.reached.wait(20)
        assert counted(database) == {"moved": 1}
        gone = first.executor_id
    assert statuses(database) == {"moved": "PENDING"}
    with running(database) as (second, after):
        second.take_over([gone])
        wait_until(lambda: statuses(database)["moved"] == "SUCCESS")
        assert len(after.calls) == STEPS - 1
    assert counted(database) == {"moved": STEPS}


def test_a_step_that_raises_leaves_no_row_and_its_error_reaches_the_flow(
    database: Database, dispatcher: Dispatcher
) -> None:
    with running(database) as (_engine, counting):
        enqueue(database, dispatcher, order("spoilt", flow="fail"))
        wait_until(lambda: statuses(database).get("spoilt") == "SUCCESS")
        assert counting.calls == ["spoilt"]
        assert counted(database) == {}
        assert counting.caught == [("spoilt",)]


def test_a_cancelled_flow_stops_at_its_next_step(database: Database, dispatcher: Dispatcher) -> None:
    with running(database, open_wall=False) as (_engine, counting):
        enqueue(database, dispatcher, order("cancelled"))
        assert counting.reached.wait(20)
        dispatcher.cancel("cancelled")
        counting.wall.set()
        wait_until(lambda: not _engine.is_under_way("cancelled"))
        assert statuses(database) == {"cancelled": "CANCELLED"}
        assert counted(database) == {"cancelled": 1}


def test_take_over_puts_back_what_the_named_executors_had_pending_and_nothing_else(
    database: Database, dispatcher: Dispatcher
) -> None:
    """The engine library's recovery call is private: this is what we rely on."""
    enqueue(database, dispatcher, *(order(name) for name in ("dead", "alive", "ended", "other", "waiting")))
    for name, executor, status, version in (
        ("dead", "gone", "PENDING", VERSION),
        ("alive", "peer", "PENDING", VERSION),
        ("ended", "gone", "SUCCESS", VERSION),
        ("other", "gone", "PENDING", "flow-0"),
    ):
        alter(database, name, status=status, executor_id=executor, application_version=version, owner_xid="x")
    alter(database, "waiting", queue_name="elsewhere")
    alter(database, "dead", queue_name="elsewhere")
    with running(database) as (engine, _counting):
        engine.take_over(["gone"])
        engine.take_over(["gone"])
        assert statuses(database) == {
            "dead": "ENQUEUED",
            "alive": "PENDING",
            "ended": "SUCCESS",
            "other": "PENDING",
            "waiting": "ENQUEUED",
        }
    with database.reading() as connection:
        owner = f"SELECT owner_xid FROM {database.dialect.schema}workflow_status WHERE workflow_uuid = 'dead'"
        assert connection.execute(sa.text(owner)).scalar_one() is None


def test_steps_run_at_the_isolation_level_that_the_fence_is_made_for(
    database: Database, dispatcher: Dispatcher
) -> None:
    with running(database) as (engine, _counting):
        levels: list[str] = []

        def look(connection: sa.Connection) -> int:
            levels.append(connection.get_isolation_level())
            return 1

        engine.atomic(look)()
    assert levels == ["SERIALIZABLE" if database.dialect is SQLITE else "READ COMMITTED"]


def test_every_pooled_sqlite_connection_is_safe_also_after_the_engine_has_used_it(
    database: Database, dispatcher: Dispatcher
) -> None:
    """The engine library leaves SQLite in rollback-journal mode, and sets nothing on engines it is given."""
    if database.dialect is not SQLITE:
        pytest.skip("about SQLite alone")
    with running(database):
        enqueue(database, dispatcher, *(order(f"used {i}") for i in range(4)))
        wait_until(lambda: sorted(statuses(database).values()) == ["SUCCESS"] * 4)
        with ExitStack() as held:
            pooled = [held.enter_context(database.engine.connect()) for _ in range(12)]
            for connection in pooled:
                pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
                found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in pragmas]
                assert found == ["wal", 2, 1, 30_000]


def test_the_engines_clock_on_sqlite_is_ours_and_finer_than_a_second(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'clock.db'}", lambda: STARTED_AT)
    migrate_all(database)
    dispatcher = Dispatcher(database)
    enqueue(database, dispatcher, order("timed"))
    with database.reading() as connection:
        now = connection.exec_driver_sql("SELECT unixepoch('subsec'), strftime('%s', 'now')").one()
        created = connection.exec_driver_sql("SELECT created_at FROM workflow_status").scalar_one()
    dispatcher.close()
    database.close()
    assert tuple(now) == (STARTED_AT, STARTED_AT)
    assert created == STARTED_AT * 1000
