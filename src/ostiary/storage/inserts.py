"""Inserts that may meet a row that is there: SQLite and PostgreSQL have the same words, each by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table

from ostiary.storage.prepared import Prepared

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

    Insert = sqlite.Insert | postgresql.Insert


def insert_into(connection: Connection, table: Table) -> Insert:
    """An insert that can say what becomes of a row that is there."""
    return _insert(connection.dialect.name, table)


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """One that does nothing when the row is there; with `returning`, it says whether it did."""
    return insert_into(connection, table).on_conflict_do_nothing()


def prepared_insert(table: Table, finish: Callable[[Insert], Any]) -> Prepared:
    """A statement for both, made once. finish: the whole of it."""
    return Prepared.by_dialect(lambda dialect: finish(_insert(dialect, table)))


def _insert(dialect: str, table: Table) -> Insert:
    """Of the dialect that the process has loaded anyway."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415

        return postgresql.Insert(table)
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415

    return sqlite.Insert(table)
