"""The migrations lead to the tables that the code describes, on both databases."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from glassfolio.db import migrate
from glassfolio.db.engine import Database
from glassfolio.db.tables import exposure, metadata
from tests.databases import open_database


def is_ours(_object: object, name: str | None, kind: str, _reflected: bool, _to: object) -> bool:
    """The durable engine keeps its own tables in the same file."""
    engines = ("dbos", "workflow", "operation", "notifications", "event", "streams", "queues", "application")
    return not (kind == "table" and name is not None and name.startswith(engines))


def test_the_schema_after_all_migrations_is_the_described_one(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": is_ours}
        )
        ours = [
            change
            for change in compare_metadata(context, metadata)
            if not (change[0] == "remove_table" and change[1].name not in metadata.tables)
        ]
    assert ours == []
    assert {"portfolio", "sign_in"} <= set(metadata.tables)


def test_the_comparison_above_would_notice_a_difference(database: Database) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE quarantine ADD COLUMN surplus INTEGER")
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_ours})
        changes = compare_metadata(context, metadata)
    assert "surplus" in str(changes)


def test_there_is_one_head() -> None:
    """Pitfall: several migration heads."""
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1


def test_migrating_again_changes_nothing(database: Database) -> None:
    assert migrate.is_current(database)
    before = sa.inspect(database.engine).get_table_names()
    migrate.upgrade(database)
    assert migrate.is_current(database)
    assert sa.inspect(database.engine).get_table_names() == before


def test_betas_from_before_degrees_of_freedom_were_kept_are_computed_anew(database: Database) -> None:
    """A schema change on a database with rows: what cannot be completed goes, and is made again."""
    config = Config()
    config.set_main_option("script_location", str(migrate.SCRIPTS))
    before = ScriptDirectory.from_config(config).get_revision("0004").down_revision
    kept = [column for column in exposure.columns if column.name != "dof"]
    row = {column.name: {str: "x", bytes: b"", int: 0}[column.type.python_type] for column in kept}
    with database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE exposure DROP COLUMN dof")
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :before"), {"before": before})
        old = sa.table("exposure", *(sa.column(column.name, column.type) for column in kept))
        connection.execute(sa.insert(old).values(row))
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        assert connection.execute(sa.select(exposure)).all() == []


@pytest.fixture
def empty(tmp_path: Path) -> Database:
    return open_database(f"sqlite:///{tmp_path / 'empty.db'}")


def test_an_empty_database_is_not_current_until_it_is_migrated(empty: Database) -> None:
    assert not migrate.is_current(empty)
    migrate.upgrade(empty)
    assert migrate.is_current(empty)
    empty.close()
