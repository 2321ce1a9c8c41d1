"""Brings the schema up to date with Alembic, one process at a time.

Knows nothing of what the tables mean.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from glassfolio.db.engine import SQLITE, Database, translated

SCRIPTS = Path(__file__).parent / "migrations"
# Any constant: whoever holds it migrates, the others wait and then find nothing to do.
LOCK = 5_190_251


def upgrade(database: Database) -> None:
    """Apply what is missing; harmless when nothing is."""
    with translated(), database.engine.begin() as connection:
        if database.dialect is SQLITE:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """Whether the database has every migration of this program."""
    with translated(), database.engine.connect() as connection:
        there = MigrationContext.configure(connection).get_current_heads()
    return set(there) == set(ScriptDirectory.from_config(_config()).get_heads())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config
