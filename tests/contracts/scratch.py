"""A new, empty database for a test, of either kind. PostgreSQL is the one that GLASSFOLIO_TEST_POSTGRES names."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

SERVER = os.environ.get("GLASSFOLIO_TEST_POSTGRES", "")
KINDS = (
    pytest.param("sqlite", id="sqlite"),
    pytest.param(
        "postgresql",
        id="postgresql",
        marks=pytest.mark.skipif(not SERVER, reason="GLASSFOLIO_TEST_POSTGRES names no server"),
    ),
)


@contextmanager
def scratch(kind: str, folder: Path) -> Iterator[str]:
    """The address of an empty database that is gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'glassfolio.db'}"
        return
    name = f"glassfolio_{uuid4().hex[:12]}"
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    try:
        yield SERVER.rsplit("/", 1)[0] + f"/{name}"
    finally:
        with psycopg.connect(SERVER, autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
