"""Inserts that may meet a row that is there: SQLite and PostgreSQL have the same words, each by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ostiary.storage.prepared import Prepared

Insert = sqlite.Insert | postgresql.Insert


def insert_into(connection: Connection | AsyncConnection, table: Table) -> Insert:
    """An insert that can say what becomes of a row that is there."""
    kind = postgresql.Insert if connection.dialect.name == "postgresql" else sqlite.Insert
    return kind(table)


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """One that does nothing when the row is there; with `returning`, it says whether it did."""
    return insert_into(connection, table).on_conflict_do_nothing()


def prepared_insert(table: Table, finish: Callable[[Insert], Any]) -> Prepared:
    """A statement for both, made once. finish: the whole of it."""
    return Prepared(finish(sqlite.Insert(table)), postgresql=finish(postgresql.Insert(table)))
