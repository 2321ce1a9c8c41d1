"""What an operator can set going: migrations, and the question whether everything is in order.

Knows nothing of HTTP or terminals.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from glassfolio.db import migrate
from glassfolio.db.engine import SQLITE, Database
from glassfolio.engine import app
from glassfolio.errors import GlassfolioError, MigrationNeeded
from glassfolio.store import rows

LEAST_FREE_BYTES = 100 * 1024 * 1024
NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. advice: what to do when it is not in order."""

    subject: str
    fine: bool
    detail: str
    advice: str = ""


def migrate_all(database: Database) -> None:
    """Bring our tables and the engine's up to date."""
    with database.writing():
        migrate.upgrade(database)
        app.migrate(database)


def require_migrated(database: Database) -> None:
    """Migrate SQLite by itself; on PostgreSQL raise MigrationNeeded when that is still to be done."""
    if database.dialect is SQLITE:
        migrate_all(database)
    elif not migrate.is_current(database):
        raise MigrationNeeded


def examine(database: Database, data_dir: Path, lease: float) -> Iterator[Finding]:
    """Look at everything that must be in order, one finding after the other."""
    yield _folder(data_dir)
    yield _space(data_dir)
    if database.dialect is SQLITE:
        yield _file_system(data_dir)
        yield Finding(
            "sqlite", sqlite3.sqlite_version_info >= (3, 35), sqlite3.sqlite_version, "Use 3.35 or newer."
        )
    try:
        current = migrate.is_current(database)
    except (GlassfolioError, sa.exc.SQLAlchemyError) as error:
        yield Finding("database", False, str(error).splitlines()[0], "Check GLASSFOLIO_DATABASE_URL.")
        return
    yield Finding("database", True, database.dialect.name)
    if not current and database.dialect is SQLITE:
        yield Finding("migrations", True, "will be made by the next start")
    else:
        yield Finding("migrations", current, "up to date" if current else "behind", "Run: glassfolio migrate")
    if current:
        yield _workers(database, lease)


def _folder(data_dir: Path) -> Finding:
    writable = os.access(data_dir if data_dir.exists() else data_dir.absolute().parent, os.W_OK)
    return Finding(
        "data folder", writable, str(data_dir.absolute()), "Make it writable, or set GLASSFOLIO_DATA_DIR."
    )


def _space(data_dir: Path) -> Finding:
    free = shutil.disk_usage(data_dir if data_dir.exists() else data_dir.absolute().parent).free
    return Finding("disk", free >= LEAST_FREE_BYTES, f"{free // 2**20:,} MiB free", "Free some space.")


def _file_system(data_dir: Path) -> Finding:
    kind = file_system(data_dir.absolute())
    return Finding(
        "file system",
        kind not in NETWORK_FILE_SYSTEMS,
        kind or "local",
        "SQLite loses data on network file systems: use a local disk, or PostgreSQL.",
    )


def file_system(path: Path) -> str:
    """The kind of file system a path lies on; empty where the system does not tell."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return ""
    best, kind = "", ""
    for line in mounts.read_text("utf-8", "replace").splitlines():
        _device, where, name, *_rest = line.split(" ")
        if (str(path) + "/").startswith(where.rstrip("/") + "/") and len(where) >= len(best):
            best, kind = where, name
    return kind


def _workers(database: Database, lease: float) -> Finding:
    with database.reading() as connection:
        alive = rows.workers_alive(connection, lease, database.dialect.epoch)
    return Finding("workers", True, f"{alive} alive")
