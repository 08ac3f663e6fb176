"""A statement that is made once and executed often.

What SQLAlchemy adds to an execution costs several times what an SQLite file does for it, and half of what a
token costs. So there the statement is compiled once and given to the driver itself, in the same transaction.
To PostgreSQL it goes the usual way, where the network's share is larger.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

Values = Mapping[str, Any]


class Prepared:
    """One statement of Core, whose parameters are bound by name: `bindparam`s, or an insert's columns."""

    def __init__(self, statement: Any) -> None:
        self._statement: Callable[[str], Any] = lambda _: statement
        self._compiled: dict[tuple[str, ...], _Compiled] = {}

    @classmethod
    def by_dialect(cls, make: Callable[[str], Any]) -> Prepared:
        """One that each dialect has in its own words. make: it, from the dialect's name."""
        made = cls(None)
        made._statement = cache(make)
        return made

    def first(self, connection: Connection, values: Values) -> Any:
        """The first row, whose columns are attributes; None when there is none."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement(connection.dialect.name), values).first()
        compiled = self._for(connection, values)
        row = compiled.execute(connection, values).fetchone()
        return None if row is None else compiled.row(row)

    def all(self, connection: Connection, values: Values) -> Sequence[Any]:
        """All rows."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._statement(connection.dialect.name), values).all()
        compiled = self._for(connection, values)
        return [compiled.row(row) for row in compiled.execute(connection, values).fetchall()]

    def run(self, connection: Connection, values: Values) -> None:
        """Without an answer."""
        if connection.dialect.name == "sqlite":
            self._for(connection, values).execute(connection, values)
        else:
            connection.execute(self._statement(connection.dialect.name), values)

    def changed(self, connection: Connection, values: Values) -> int:
        """How many rows it added, changed or took away. `RETURNING` costs an SQLite file twice as much."""
        if connection.dialect.name == "sqlite":
            return self._for(connection, values).execute(connection, values).rowcount
        return connection.execute(self._statement(connection.dialect.name), values).rowcount

    def _for(self, connection: Connection, values: Values) -> _Compiled:
        names = tuple(values)
        found = self._compiled.get(names)
        if found is None:
            found = self._compiled[names] = _Compiled(
                self._statement(connection.dialect.name), connection, names
            )
        return found


class _Compiled:
    """For an SQLite file."""

    def __init__(self, statement: ClauseElement, connection: Connection, names: tuple[str, ...]) -> None:
        compiled = statement.compile(dialect=connection.dialect, column_keys=list(names))
        assert isinstance(compiled, SQLCompiler)  # noqa: S101 - for the type checker
        if compiled.post_compile_params:
            raise TypeError("a list of values has no fixed place in a prepared statement")
        self._sql = str(compiled)
        constants = compiled.construct_params(_check=False)
        self._bound = _binding(compiled.positiontup or [], constants, names)
        self._make: Callable[[Sequence[Any]], Any] | None = None

    def execute(self, connection: Connection, values: Values) -> sqlite3.Cursor:
        try:
            cursor = sqlite_of(connection).execute(self._sql, self._bound(values))
        except sqlite3.Error as error:
            raise OperationalError(self._sql, None, error) from error
        if self._make is None and cursor.description is not None:
            names = [column[0] for column in cursor.description]
            self._make = namedtuple("Row", names)._make  # type: ignore[attr-defined]  # noqa: PYI024 - known only now
        return cursor

    def row(self, values: Sequence[Any]) -> Any:
        return values if self._make is None else self._make(values)


def sqlite_of(connection: Connection) -> sqlite3.Connection:
    """The connection of an SQLite file, as its driver has it."""
    driver: Any = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - for the type checker
    return driver


def _binding(
    places: Sequence[str], constants: Values, names: Sequence[str]
) -> Callable[[Values], Sequence[Any]]:
    """What puts values by name into a statement's places; constants: what stands in a place otherwise."""
    if len(places) > 1 and set(places) <= set(names):
        return itemgetter(*places)
    pairs = [(place, constants.get(place)) for place in places]
    return lambda values: [values.get(place, constant) for place, constant in pairs]
