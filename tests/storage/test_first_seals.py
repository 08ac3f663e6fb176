"""A store of an earlier version is sealed as rows are now, once; whoever writes there has it done no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, Connection, Double, Integer, LargeBinary, Table, delete, insert, select, text
from tests.storage.test_migrations import at_revision

from ostiary.storage.config import StorageSettings
from ostiary.storage.covered_columns import covered_columns
from ostiary.storage.database import Database
from ostiary.storage.errors import KeyMissing, SealedOtherwise
from ostiary.storage.first_seals import SEALED_TABLES
from ostiary.storage.schema import (
    clients,
    device_codes,
    encryption_keys,
    refresh_tokens,
    shared_tokens,
    token_sessions,
    users,
)
from ostiary.storage.sealing import FORMAT, KeyRing, key_id
from ostiary.storage.store import Store

OLD, NEW = bytes(32), bytes([1] * 32)
NOW = 1_800_000_000.0
HAD_NO_SEAL = {"away_permissions", "browser_sessions", "clients", "refresh_tokens"}
NAMES = {"user_id": "ada", "grant_id": "a grant"}
KEYS = {"users": "ada", "upstream_grants": "a grant"}


def sealed_before(plain: bytes, table: str, name: str, key: bytes = OLD) -> bytes:
    """As the version before sealed."""
    nonce = b"n" * 12
    return b"\x01" + nonce + AESGCM(key).encrypt(nonce, plain, f"{table}\0{name}".encode())


def value(column: Column[Any]) -> object:
    if isinstance(column.type, Double | Integer):
        return 7
    return b"a digest" if isinstance(column.type, LargeBinary) else str(column.name)[:8]


def row_before(table: Table, **said: Any) -> dict[str, Any]:
    """A row as the version before wrote it."""
    columns = [column for column in table.c if column.name != "sealed"]
    row: dict[str, Any] = {column.name: NAMES.get(column.name, value(column)) for column in columns}
    key = next(iter(table.primary_key)).name
    row[key] = KEYS.get(table.name, row[key])
    name = f"{row['issuer']} {row['subject']}" if table is users else row[key]
    sealed = sealed_before(f"of {table.name}".encode(), table.name, name)
    if table is refresh_tokens:
        row["successor"] = sealed
    elif table.name not in HAD_NO_SEAL:
        row["sealed"] = sealed
    if table is token_sessions:
        row["ended_at"] = None
    return row | said


def put(connection: Connection, table: str, row: dict[str, Any]) -> None:
    places = ", ".join(f":{name}" for name in row)
    connection.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})"), row)


def as_the_version_before_left_it(connection: Connection) -> None:
    for table in SEALED_TABLES:
        put(connection, table.name, row_before(table))
    unspent = row_before(refresh_tokens, token_hash="unspent", successor=None, spent_at=None)
    put(connection, "refresh_tokens", unspent | {"successor_hash": None})
    put(connection, "token_sessions", row_before(token_sessions, tsid_hash="ended", ended_at=NOW))
    put(connection, "device_codes", row_before(device_codes, device_hash="s", user_code_hash="s", sealed=b""))
    put(connection, "shared_tokens", row_before(shared_tokens, sealed=b"\x01 whatever"))


async def left(storage: StorageSettings, work: Callable[[Connection], None]) -> None:
    async with at_revision(storage, "0003") as before:
        await before.transaction(work)


async def rows(store: Store, table: Table) -> list[Any]:
    return await store.read(lambda connection: list(connection.execute(select(table)).all()))


@pytest.fixture
async def store(storage: StorageSettings) -> Any:
    """Of this version, with a newer key before the old one."""
    store = Store(Database(storage), KeyRing([NEW, OLD]))
    yield store
    await store.close()


async def test_all_that_an_earlier_version_left_opens_and_is_covered(
    storage: StorageSettings, store: Store
) -> None:
    await left(storage, as_the_version_before_left_it)
    await store.prepare(now=NOW)
    only_new = KeyRing([NEW])
    for table in SEALED_TABLES:
        [first] = [row for row in await rows(store, table) if row[0] not in {"unspent", "ended", "s"}]
        plain = only_new.open(first.sealed, covered=covered_columns(table).of(first))
        holds = table.name not in HAD_NO_SEAL - {"refresh_tokens"}
        assert plain == (f"of {table.name}".encode() if holds else b"")
    spent, unspent = sorted(await rows(store, refresh_tokens), key=lambda row: row.spent_at is None)
    assert only_new.open(spent.sealed, covered=covered_columns(refresh_tokens).of(spent)) != b""
    assert only_new.open(unspent.sealed, covered=covered_columns(refresh_tokens).of(unspent)) == b""
    empty = {"ended": token_sessions, "s": device_codes}
    for name, table in empty.items():
        assert [row.sealed for row in await rows(store, table) if row[0] == name] == [b""]
    assert await rows(store, shared_tokens) == []
    assert [row.key_id for row in await rows(store, encryption_keys)] == [key_id(NEW)]


async def test_two_servers_that_start_together_do_it_once(storage: StorageSettings, store: Store) -> None:
    await left(storage, as_the_version_before_left_it)
    other = Store(Database(storage), KeyRing([NEW, OLD]))
    await store.prepare(now=NOW)
    before = await rows(store, users)
    await other.prepare(now=NOW)
    await other.close()
    assert await rows(store, users) == before


async def test_a_row_that_no_key_opens_is_told_and_nothing_is_changed(storage: StorageSettings) -> None:
    await left(storage, as_the_version_before_left_it)
    without_the_old = Store(Database(storage), KeyRing([NEW]))
    with pytest.raises(SealedOtherwise) as refused:
        await without_the_old.prepare(now=NOW)
    assert "has rows that no key of the key file opens (" in str(refused.value)
    assert "1 of users" in str(refused.value)
    assert "put the line of the key back" in str(refused.value)
    assert {row.sealed[:1] for row in await rows(without_the_old, users)} == {b"\x01"}
    assert await rows(without_the_old, encryption_keys) == []
    await without_the_old.close()


async def test_old_rows_that_a_writer_put_in_are_not_sealed_for_them(store: Store) -> None:
    await store.prepare(now=NOW)
    await store.transaction(lambda connection: put(connection, "users", row_before(users)))
    made_up = row_before(clients, sealed=b"")
    await store.transaction(lambda connection: put(connection, "clients", made_up))
    await store.prepare(now=NOW)
    assert [row.sealed[:1] for row in await rows(store, users)] == [b"\x01"]
    [client] = await rows(store, clients)
    with pytest.raises(SealedOtherwise):
        store.check_row(client.sealed, table=clients, row=client)


async def test_a_store_whose_mark_was_deleted_does_not_take_rows_for_old_ones(store: Store) -> None:
    await store.prepare(now=NOW)
    mine = row_before(users)
    mine["sealed"] = store.keys.seal(b"{}", covered=covered_columns(users).of(mine))

    def by_hand(connection: Connection) -> None:
        connection.execute(insert(users), mine)
        connection.execute(delete(encryption_keys))
        put(connection, "clients", row_before(clients, sealed=b""))

    await store.transaction(by_hand)
    with pytest.raises(SealedOtherwise) as refused:
        await store.prepare(now=NOW)
    assert str(refused.value) == (
        f"store {store.database.place} does not say any more under which encryption keys it is sealed: the "
        "rows of encryption_keys were deleted; restore them, as nothing here is believed without them"
    )
    assert [row.sealed for row in await rows(store, clients)] == [b""]


async def test_a_start_without_a_key_that_rows_need_is_refused(storage: StorageSettings) -> None:
    for keys in ([OLD], [NEW, OLD], [OLD, NEW]):
        good = Store(Database(storage), KeyRing(keys))
        await good.prepare(now=NOW)
        await good.close()
    for keys, missing in (([NEW], OLD), ([OLD], NEW), ([bytes([2] * 32), NEW], OLD)):
        bad = Store(Database(storage), KeyRing(keys))
        with pytest.raises(KeyMissing) as refused:
            await bad.prepare(now=NOW)
        await bad.close()
        assert str(refused.value) == (
            f"what store {bad.database.place} holds is sealed under encryption key {key_id(missing)}, which "
            "the key file does not have: put its line back, in every replica"
        )


async def test_a_new_store_is_marked_before_anything_is_in_it(store: Store) -> None:
    await store.prepare(now=NOW)
    [noted] = await rows(store, encryption_keys)
    assert (noted.key_id, noted.since, noted.sealed[:1]) == (key_id(NEW), NOW, FORMAT)
