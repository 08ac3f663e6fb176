"""What is stored is sealed anew under the key that seals now, while servers go on, and from where it stood.

Rows are read a page at a time, sealed anew outside of any transaction, and written where the seal is still
the one that was read: what a server wrote in between stays. No row is waited for; what a server holds just
now is the next pass's. It is done when a whole pass finds nothing to do, and only then does the store ask for
an old key no more. Killed, it loses nothing: every row opens under the one key or the other.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, LargeBinary, Table, bindparam, func, select, tuple_, update

from ostiary.storage import keys_in_use
from ostiary.storage.covered_columns import covered_columns
from ostiary.storage.errors import StillSealedUnder
from ostiary.storage.first_seals import SEALED_TABLES
from ostiary.storage.schema import shared_tokens
from ostiary.storage.sealing import FORMAT, HEADER_BYTES, DoesNotFit, KeyRing, UnknownKey
from ostiary.storage.store import Store

PAGE = 500
"""Rows that are looked at, and at most sealed anew, at once."""
MOST_PASSES = 5
"""Over all tables. The second finds nothing, unless a server still seals with an old key."""
MOST_TOLD = 20
"""Rows that do not open, by name. The others are counted."""
TABLES = (*SEALED_TABLES, shared_tokens)

Told = Callable[[int, int], None]
"""Hears how many rows were sealed anew, and of how many."""


@dataclass(slots=True)
class Resealed:
    """What came of it."""

    rows: int = 0
    """Sealed anew here."""
    retired: list[str] = field(default_factory=list)
    """Keys that nothing needs any more, by their ids."""
    unopened: Counter[str] = field(default_factory=Counter)
    """Rows that were left as they are, by the id of the key that they name; empty where they name none."""
    told: list[str] = field(default_factory=list)
    """Which, in a sentence each: the first of them."""


class Page(NamedTuple):
    """Rows that follow one another by their keys."""

    last: tuple[Any, ...]
    headers: Counter[bytes]
    """How their seals begin. What holds nothing sealed is not counted."""
    others: Sequence[Any]
    """Those under another key than the one that seals, whole."""


async def survey(store: Store) -> Counter[str]:
    """How many rows are sealed under which key, by its id; empty for what is no seal. Changes nothing.

    Tokens that are shared are not counted: each can be fetched again. Raises StorageUnavailable.
    """
    found: Counter[str] = Counter()
    for table in SEALED_TABLES:
        after: tuple[Any, ...] | None = None
        while (page := await _page(store, table, after)) is not None:
            for header, rows in page.headers.items():
                found[_key_id(header)] += rows
            after = page.last
    return found


async def reseal(store: Store, *, tell: Told) -> Resealed:
    """Seal all under the key that seals, and strike off those that nothing needs any more.

    Raises StorageUnavailable; StillSealedUnder, when a server goes on sealing with an old key.
    """
    found = await survey(store)
    total = found.total() - found[store.keys.key_ids[0]]
    outcome = Resealed()
    tell(0, total)
    for _ in range(MOST_PASSES):
        outcome.unopened.clear()
        outcome.told.clear()
        under = await _pass(store, outcome, lambda rows: tell(rows, max(rows, total)))
        if not under:
            outcome.retired = await _strike_off(store, outcome.unopened)
            return outcome
    raise StillSealedUnder(sorted(under), store.keys.key_ids[0])


async def _pass(store: Store, outcome: Resealed, tell: Callable[[int], None]) -> set[str]:
    """Under which old keys it found rows that open."""
    clock = asyncio.get_running_loop().time
    under: set[str] = set()
    for table in TABLES:
        after: tuple[Any, ...] | None = None
        while True:
            began = clock()
            page = await _page(store, table, after)
            if page is None:
                break
            if changes := _changes(page.others, store.keys, table, outcome):
                under |= {_key_id(row.sealed) for row, _ in changes}
                written = await _written(store, table, changes)
                if table is not shared_tokens:
                    outcome.rows += written
                    tell(outcome.rows)
                await asyncio.sleep(clock() - began)  # servers have the store for as long
            after = page.last
    return under


async def _page(store: Store, table: Table, after: tuple[Any, ...] | None) -> Page | None:
    header = store.keys.header
    return await store.read(lambda connection: read_page(connection, table, header, after=after))


async def _written(store: Store, table: Table, changes: Sequence[tuple[Any, bytes | None]]) -> int:
    return await store.transaction(lambda connection: write_page(connection, table, changes))


def read_page(
    connection: Connection, table: Table, header: bytes, *, after: tuple[Any, ...] | None
) -> Page | None:
    """The rows that follow; None after the last. header: how begins what is sealed under the right key."""
    key = list(table.primary_key)
    begins = func.substr(table.c.sealed, 1, HEADER_BYTES, type_=LargeBinary).label("begins")
    wanted = select(*key, begins).order_by(*key).limit(PAGE)
    if after is not None:
        wanted = wanted.where(tuple_(*key) > tuple_(*after))
    looked = [(tuple(row[:-1]), bytes(row[-1] or b"")) for row in connection.execute(wanted)]
    if not looked:
        return None
    headers = Counter(begin for _, begin in looked if begin)
    others = [named for named, begin in looked if begin not in {b"", header}]
    rows = connection.execute(select(table).where(tuple_(*key).in_(others))).all() if others else []
    still = [row for row in rows if row.sealed and not row.sealed.startswith(header)]  # somebody was quicker
    return Page(looked[-1][0], headers, still)


def write_page(connection: Connection, table: Table, changes: Sequence[tuple[Any, bytes | None]]) -> int:
    """How many seals were still as they were read, and are the new ones now.

    In PostgreSQL what somebody else is changing is passed over: whoever never waits, nobody dies of.
    """
    key = list(table.primary_key)
    named = [_named(row, table) for row, _ in changes]
    free = select(*key, table.c.sealed).where(tuple_(*key).in_(named))
    free = free.with_for_update(key_share=True, skip_locked=True)
    standing = {tuple(row[:-1]): row[-1] for row in connection.execute(free)}
    written = [
        {f"key_{number}": value for number, value in enumerate(names)} | {"anew": anew}
        for names, (row, anew) in zip(named, changes, strict=True)
        if standing.get(names) == row.sealed
    ]
    if written:
        that = [column == bindparam(f"key_{number}") for number, column in enumerate(key)]
        connection.execute(update(table).where(*that).values(sealed=bindparam("anew")), written)
    return len(written)


def _changes(
    rows: Sequence[Any], keys: KeyRing, table: Table, outcome: Resealed
) -> list[tuple[Any, bytes | None]]:
    """Rows and their new seals; a shared token has none, and is fetched again by whoever needs it."""
    if table is shared_tokens:
        mine = set(keys.key_ids)
        return [(row, None) for row in rows if row.sealed and _key_id(row.sealed) in mine]
    columns = covered_columns(table)
    changes: list[tuple[Any, bytes | None]] = []
    for row in rows:
        covered = columns.of(row)
        try:
            plain = keys.open(row.sealed, covered=covered)
        except UnknownKey as unknown:
            why = f"is sealed under encryption key {unknown.key_id}, which the key file does not have"
        except DoesNotFit:
            why = "does not fit its seal: it was changed past Ostiary, or is damaged"
        else:
            changes.append((row, keys.seal(plain, covered=covered)))
            continue
        outcome.unopened[_key_id(row.sealed)] += 1
        if len(outcome.told) < MOST_TOLD:
            outcome.told.append(f"{columns.place(row)} {why}")
    return changes


async def _strike_off(store: Store, unopened: Counter[str]) -> list[str]:
    """All but the key that seals, and those named by rows that do not open now: a person has to look."""

    def strike(connection: Connection) -> list[str]:
        return keys_in_use.strike_off(connection, store.keys, still_named=set(unopened))

    return await store.transaction(strike)


def _named(row: Any, table: Table) -> tuple[Any, ...]:
    return tuple(getattr(row, column.name) for column in table.primary_key)


def _key_id(sealed: bytes) -> str:
    """Of what is sealed, or its header; empty when it names none."""
    is_ours = sealed[:1] == FORMAT and len(sealed) >= HEADER_BYTES
    return sealed[1:HEADER_BYTES].hex() if is_ours else ""
