"""What an earlier version left is sealed as this one seals: once in a store's life, and all of it or nothing.

Before, a seal covered a row's key alone (format 1), and clients, refresh tokens, permissions and browser
sessions had none: such rows are believed here, and nowhere else. So it happens only where nothing has a seal
of today, for whoever writes in the database could otherwise have it happen again, with rows of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    Connection,
    LargeBinary,
    Table,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    tuple_,
    union_all,
    update,
)

from ostiary.storage.covered_columns import CoveredColumns, covered_columns
from ostiary.storage.errors import SealedOtherwise
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import (
    away_permissions,
    browser_sessions,
    clients,
    encryption_keys,
    metadata,
    refresh_tokens,
    shared_tokens,
    token_sessions,
    users,
)
from ostiary.storage.sealing import FORMAT, DoesNotFit, KeyRing

PAGE = 1_000
"""Rows that are held at once."""

SEALED_TABLES = tuple(
    table
    for table in metadata.sorted_tables
    if "sealed" in table.c and table not in {encryption_keys, shared_tokens}
)
"""Those whose rows are to be opened as long as they are there. A shared token is fetched again instead: the
key ring alone does not open it."""
_HAD_NONE = frozenset({away_permissions, browser_sessions, clients, refresh_tokens})

_FILLED = Prepared(
    union_all(
        *(
            select(literal_column(f"'{table.name}'").label("name")).where(exists().select_from(table))
            for table in SEALED_TABLES
        )
    )
)
"""The names of those that have a row at all: most often of none, for the store was made just now."""


def seal_for_the_first_time(connection: Connection, keys: KeyRing, *, place: str) -> None:
    """place: of the store. Raises SealedOtherwise, and changes nothing then."""
    filled = {row.name for row in _FILLED.all(connection, {})}
    tables = [table for table in SEALED_TABLES if table.name in filled]
    for table in tables:
        sealed_now = func.substr(table.c.sealed, 1, 1, type_=LargeBinary) == FORMAT
        if connection.execute(select(table.c.sealed).where(sealed_now).limit(1)).first() is not None:
            raise SealedOtherwise(
                f"store {place} does not say any more under which encryption keys it is sealed: the rows of "
                f"{encryption_keys.name} were deleted; restore them, as nothing here is believed without them"
            )
    unopened: Counter[str] = Counter()
    for table in tables:
        unopened[table.name] += _seal(connection, keys, table)
    if unopened.total():
        told = ", ".join(f"{number} of {name}" for name, number in unopened.items() if number)
        raise SealedOtherwise(
            f"store {place} has rows that no key of the key file opens ({told}): put the line of the key "
            "back under which they were sealed, or delete them"
        )


def _seal(connection: Connection, keys: KeyRing, table: Table) -> int:
    """How many could not be opened."""
    columns, key = covered_columns(table), list(table.primary_key)
    named = [column == bindparam(f"key_{column.name}") for column in key]
    change = update(table).where(*named).values(sealed=bindparam("anew"))
    unopened = 0
    for rows in _pages(connection, table):
        changes = []
        for row in rows:
            try:
                anew = _sealed_anew(row, keys, table, columns)
            except DoesNotFit:
                unopened += 1
                continue
            changes.append({f"key_{c.name}": getattr(row, c.name) for c in key} | {"anew": anew})
        if changes:
            connection.execute(change, changes)
    return unopened


def _pages(connection: Connection, table: Table) -> Iterator[list[Any]]:
    key = list(table.primary_key)
    page = select(table).order_by(*key).limit(PAGE)
    rows = list(connection.execute(page).all())
    while rows:
        yield rows
        last = [getattr(rows[-1], column.name) for column in key]
        rows = list(connection.execute(page.where(tuple_(*key) > tuple_(*last))).all())


def _sealed_anew(row: Any, keys: KeyRing, table: Table, columns: CoveredColumns) -> bytes:
    """Empty where there is nothing to be opened any more. Raises DoesNotFit."""
    if table is token_sessions and row.ended_at is not None:
        return b""
    if not row.sealed:
        return keys.seal(b"", covered=columns.of(row)) if table in _HAD_NONE else b""
    first = next(iter(table.primary_key)).name
    named = f"{row.issuer} {row.subject}" if table is users else getattr(row, first)
    plain = keys.open_first_format(row.sealed, table=table.name, key=named)
    return keys.seal(plain, covered=columns.of(row))
