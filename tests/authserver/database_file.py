"""The database as a file: kept from being written, and looked into from outside."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Nobody else writes meanwhile, which is how a store looks that is away."""
    with contextlib.closing(sqlite3.connect(directory / "ostiary.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def rows(directory: Path, table: str) -> int:
    """How many a table has."""
    with contextlib.closing(sqlite3.connect(directory / "ostiary.db")) as connection:
        count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return count


def raw_bytes(directory: Path) -> bytes:
    """All that is in the file and in what is written ahead of it."""
    return b"".join(path.read_bytes() for path in sorted(directory.glob("ostiary.db*")))
