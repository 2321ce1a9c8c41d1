"""Writing many rows at once: executemany upserts on SQLite, COPY on PostgreSQL.

Rows are tuples in the order of `columns`; dates are ISO text, absent numbers are None.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.dialects import postgresql, sqlite

Row = tuple[Any, ...]


def upsert(connection: sa.Connection, table: sa.Table, columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Insert rows, replacing those whose primary key exists; returns how many were given.

    Rows go in key order, so that two writers of overlapping sets cannot wait for each other in a ring.
    """
    keys = [column.name for column in table.primary_key.columns]
    places = [columns.index(key) for key in keys]
    ordered = sorted(rows, key=lambda row: tuple(row[place] for place in places))
    if not ordered:
        return 0
    names = ", ".join(f'"{name}"' for name in columns)
    updates = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in keys)
    conflict = f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {updates}"
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}) {conflict}'  # noqa: S608
        connection.exec_driver_sql(statement, ordered)
    else:
        _copy(connection, table.name, names, conflict, ordered)
    return len(ordered)


def _copy(connection: sa.Connection, table: str, names: str, conflict: str, rows: list[Row]) -> None:
    staging = f"staging_{table}"
    connection.exec_driver_sql(
        f'CREATE TEMP TABLE IF NOT EXISTS "{staging}" (LIKE "{table}") ON COMMIT DELETE ROWS'
    )
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor, cursor.copy(f'COPY "{staging}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)
    connection.exec_driver_sql(
        f'INSERT INTO "{table}" ({names}) SELECT {names} FROM "{staging}" {conflict}'  # noqa: S608
    )
    connection.exec_driver_sql(f'DELETE FROM "{staging}"')  # noqa: S608


def insert_missing(connection: sa.Connection, table: sa.Table, **values: Any) -> None:
    """Insert one row unless a row with its unique key exists."""
    connection.execute(_insert(connection, table).values(**values).on_conflict_do_nothing())


def insert_or_change(
    connection: sa.Connection, table: sa.Table, values: Mapping[str, Any], changes: Mapping[str, Any]
) -> Any:
    """Insert one row, or change the row with its primary key; returns the row as it is then.

    Done as one statement: whoever else does the same waits, and finds what this one has left.
    """
    keys = list(table.primary_key.columns)
    statement = _insert(connection, table).values(**values)
    changing = statement.on_conflict_do_update(index_elements=keys, set_=changes)
    return connection.execute(changing.returning(table)).one()


def _insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def nullable(values: NDArray[np.float64]) -> list[float | None]:
    """The numbers of a vector as Python floats, None where NaN."""
    return [
        None if missing else value for value, missing in zip(values.tolist(), np.isnan(values), strict=True)
    ]


def dates(values: NDArray[np.datetime64]) -> list[str]:
    """Session dates as ISO text."""
    return [str(day) for day in values.astype("datetime64[D]")]
