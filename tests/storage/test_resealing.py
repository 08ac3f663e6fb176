"""All is sealed anew under the newest key, while servers go on."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert, select, update
from tests.storage.test_first_seals import NEW, NOW, OLD, row_before, rows, sealed_before

from ostiary.storage.config import StorageSettings
from ostiary.storage.covered_columns import covered_columns
from ostiary.storage.database import Database
from ostiary.storage.errors import KeyMissing, StillSealedUnder
from ostiary.storage.first_seals import SEALED_TABLES
from ostiary.storage.keys_in_use import noted
from ostiary.storage.resealing import (
    MOST_PASSES,
    MOST_TOLD,
    PAGE,
    TABLES,
    Page,
    read_page,
    reseal,
    survey,
    write_page,
)
from ostiary.storage.schema import codes, encryption_keys, metadata, shared_tokens, token_sessions, users
from ostiary.storage.sealing import KeyRing, key_id
from ostiary.storage.shared_tokens import Lease, SharedKey, SharedTokenTable
from ostiary.storage.store import Store

STRANGE = bytes([3] * 32)
"""A key that no key file has."""
LEFT_IN_THE_MIDDLE = """
import asyncio, json, sys, time
from ostiary.storage.config import StorageSettings
from ostiary.storage.database import Database
from ostiary.storage.resealing import reseal
from ostiary.storage.sealing import KeyRing
from ostiary.storage.store import Store

def tell(rows, total):
    print(rows, total, flush=True)
    if rows >= 1000:
        time.sleep(60)

said = json.loads(sys.argv[1])
storage = StorageSettings.model_validate({name: value for name, value in said.items() if value})
asyncio.run(reseal(Store(Database(storage), KeyRing([bytes([1] * 32), bytes(32)])), tell=tell))
"""


def nobody(_rows: int, _total: int) -> None:
    """Hears how far it is."""


def code(name: str, key: bytes = OLD, **said: Any) -> dict[str, Any]:
    """A row of codes, sealed under a key."""
    row = row_before(codes, code_hash=name) | said
    return row | {"sealed": KeyRing([key]).seal(name.encode(), covered=covered_columns(codes).of(row))}


async def put(store: Store, table: Table, *values: dict[str, Any]) -> None:
    await store.transaction(lambda connection: connection.execute(insert(table), list(values)))


async def find(store: Store, name: str) -> Any:
    wanted = select(codes).where(codes.c.code_hash == name)
    return await store.read(lambda connection: connection.execute(wanted).one())


async def a_page(store: Store, after: tuple[Any, ...] | None = None) -> Page | None:
    """Of codes."""
    return await store.read(lambda connection: read_page(connection, codes, store.keys.header, after=after))


async def write_anew(store: Store, page: Page | None) -> int:
    """As a page is written whose rows were opened before."""
    assert page is not None
    changes = [(row, store.keys.seal(b"anew", covered=covered_columns(codes).of(row))) for row in page.others]
    return await store.transaction(lambda connection: write_page(connection, codes, changes))


def kill_after(line: str, said: str) -> None:
    """Seal anew in another process, and end it without a word once it has told this."""
    words = [sys.executable, "-c", LEFT_IN_THE_MIDDLE, said]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert line in iter(process.stdout.readline, "")
        process.kill()


@pytest.fixture
async def store(storage: StorageSettings) -> AsyncIterator[Store]:
    """In use under the old key, and now with a newer one before it."""
    before = Store(Database(storage), KeyRing([OLD]))
    await before.prepare(now=NOW)
    await before.close()
    store = Store(Database(storage), KeyRing([NEW, OLD]))
    await store.prepare(now=NOW)
    yield store
    await store.close()


async def test_all_of_every_table_opens_with_the_new_key_alone(store: Store) -> None:
    old = KeyRing([OLD])
    for table in SEALED_TABLES:
        row = row_before(table)
        row.pop("successor", None)
        sealed = old.seal(f"of {table.name}".encode(), covered=covered_columns(table).of(row))
        await put(store, table, row | {"sealed": sealed})
    told: list[tuple[int, int]] = []
    outcome = await reseal(store, tell=lambda rows, of: told.append((rows, of)))
    assert (outcome.rows, outcome.retired, outcome.unopened.total()) == (len(SEALED_TABLES), [key_id(OLD)], 0)
    assert told == [(done, len(SEALED_TABLES)) for done in range(len(SEALED_TABLES) + 1)]
    only_new = Store(store.database, KeyRing([NEW]))
    await only_new.prepare(now=NOW)
    for table in SEALED_TABLES:
        [row] = await rows(store, table)
        plain = only_new.keys.open(row.sealed, covered=covered_columns(table).of(row))
        assert plain == f"of {table.name}".encode()
    assert await survey(only_new) == {key_id(NEW): len(SEALED_TABLES)}


def test_every_table_with_a_seal_is_sealed_anew() -> None:
    sealed = {table.name for table in metadata.tables.values() if "sealed" in table.c}
    assert {table.name for table in TABLES} == sealed - {encryption_keys.name}


async def test_what_holds_nothing_sealed_any_more_stays_empty(store: Store) -> None:
    user = row_before(users)
    user["sealed"] = store.keys.seal(b"{}", covered=covered_columns(users).of(user))
    await put(store, users, user)
    await put(store, token_sessions, row_before(token_sessions, sealed=b"", ended_at=NOW))
    outcome = await reseal(store, tell=nobody)
    assert (outcome.rows, outcome.unopened.total()) == (0, 0)
    assert [row.sealed for row in await rows(store, token_sessions)] == [b""]


async def test_rows_that_have_expired_and_are_not_deleted_yet_hold_no_key_back(store: Store) -> None:
    await put(store, codes, code("expired", expires_at=1.0, kept_until=1.0))
    assert (await reseal(store, tell=nobody)).retired == [key_id(OLD)]
    assert store.keys.key_ids[0] == (await find(store, "expired")).sealed[1:9].hex()


async def test_a_table_is_read_by_pages_and_every_row_is_in_one(store: Store) -> None:
    names = [f"{number:05}" for number in range(2 * PAGE + 1)]
    await put(store, codes, *(code(name) for name in names))
    sizes, seen, page = [], [], await a_page(store)
    while page is not None:
        sizes.append(len(page.others))
        seen += [row.code_hash for row in page.others]
        page = await a_page(store, after=page.last)
    assert (sizes, seen) == ([PAGE, PAGE, 1], names)
    told: list[int] = []
    await reseal(store, tell=lambda done, _: told.append(done))
    assert told == [0, PAGE, 2 * PAGE, 2 * PAGE + 1]


async def test_killed_in_the_middle_it_goes_on_from_there(store: Store, storage: StorageSettings) -> None:
    await put(store, codes, *(code(f"{number:05}") for number in range(3 * PAGE)))
    password = {"env": "STORE_PASSWORD"} if storage.password else None
    said = json.dumps({"url": storage.url, "password": password})
    await asyncio.to_thread(kill_after, f"1000 {3 * PAGE}\n", said)
    assert await survey(store) == {key_id(NEW): 1000, key_id(OLD): 3 * PAGE - 1000}
    assert key_id(OLD) in await store.read(noted)
    for row in await rows(store, codes):
        assert store.keys.open(row.sealed, covered=covered_columns(codes).of(row)) == row.code_hash.encode()
    outcome = await reseal(store, tell=nobody)
    assert (outcome.rows, outcome.retired) == (3 * PAGE - 1000, [key_id(OLD)])


async def test_two_at_once_do_each_row_once_between_them(store: Store, storage: StorageSettings) -> None:
    await put(store, codes, *(code(f"{number:05}") for number in range(3 * PAGE)))
    other = Store(Database(storage), KeyRing([NEW, OLD]))
    one, two = await asyncio.gather(reseal(store, tell=nobody), reseal(other, tell=nobody))
    await other.close()
    assert one.rows + two.rows == 3 * PAGE
    assert await survey(store) == {key_id(NEW): 3 * PAGE}
    assert {*one.retired, *two.retired} == {key_id(OLD)}


async def test_what_a_server_wrote_between_read_and_write_stays(store: Store) -> None:
    await put(store, codes, code("written"), code("deleted"), code("neither"))
    page = await a_page(store)
    now = code("written", redeemed_at=NOW, tsid_hash="a session")
    change = update(codes).where(codes.c.code_hash == "written").values(now)
    gone = delete(codes).where(codes.c.code_hash == "deleted")
    await store.transaction(lambda connection: (connection.execute(change), connection.execute(gone)))
    assert await write_anew(store, page) == 1
    assert (await find(store, "written")).sealed == now["sealed"]
    await reseal(store, tell=nobody)
    row = await find(store, "written")
    assert KeyRing([NEW]).open(row.sealed, covered=covered_columns(codes).of(row)) == b"written"
    assert {row.code_hash for row in await rows(store, codes)} == {"neither", "written"}


async def test_a_hand_between_read_and_write_is_found_out_all_the_same(store: Store) -> None:
    await put(store, codes, code("mallory's"))
    page = await a_page(store)
    by_hand = update(codes).values(client_id="mallory")
    await store.transaction(lambda connection: connection.execute(by_hand))
    await write_anew(store, page)
    outcome = await reseal(store, tell=nobody)
    assert outcome.told == []
    row = await find(store, "mallory's")
    with pytest.raises(Exception, match="does not fit its seal"):
        store.check_row(row.sealed, table=codes, row=row)


async def test_a_row_changed_by_hand_is_told_and_not_given_a_seal(
    store: Store, storage: StorageSettings
) -> None:
    changed = code("changed") | {"client_id": "mallory"}
    await put(store, codes, changed, code("good"))
    outcome = await reseal(store, tell=nobody)
    assert (outcome.rows, outcome.retired, outcome.unopened) == (1, [], Counter({key_id(OLD): 1}))
    [told] = outcome.told
    place = "the row of codes whose code_hash is changed"
    assert told == f"{place} does not fit its seal: it was changed past Ostiary, or is damaged"
    assert (await find(store, "changed")).sealed == changed["sealed"]
    without_the_old = Store(Database(storage), KeyRing([NEW]))
    with pytest.raises(KeyMissing, match=key_id(OLD)):
        await without_the_old.prepare(now=NOW)
    await without_the_old.close()
    await store.transaction(lambda connection: connection.execute(delete(codes)))
    assert (await reseal(store, tell=nobody)).retired == [key_id(OLD)]


async def test_rows_of_a_key_that_nobody_has_are_told_and_left(store: Store) -> None:
    strange = code("strange", STRANGE)
    await put(store, codes, strange)
    outcome = await reseal(store, tell=nobody)
    assert (outcome.rows, outcome.retired) == (0, [key_id(OLD)])
    [told] = outcome.told
    place, needed = "the row of codes whose code_hash is strange", f"encryption key {key_id(STRANGE)}"
    assert told == f"{place} is sealed under {needed}, which the key file does not have"
    assert (await find(store, "strange")).sealed == strange["sealed"]
    assert (await survey(store))[key_id(STRANGE)] == 1


async def test_what_is_no_seal_is_told_and_believed_no_more_than_before(store: Store) -> None:
    """Garbage, a seal cut short, and one of an earlier version: those are believed once in a store's life."""
    forged = {
        "garbage": b"garbage",
        "cut": store.keys.seal(b"", covered=b"")[:12],
        "earlier": sealed_before(b"{}", "codes", "earlier"),
    }
    await put(store, codes, *(code(name) | {"sealed": sealed} for name, sealed in forged.items()))
    outcome = await reseal(store, tell=nobody)
    assert outcome.rows == 0
    assert outcome.unopened == Counter({"": 2})
    for name, sealed in forged.items():
        assert (await find(store, name)).sealed == sealed


async def test_a_flood_of_rows_that_do_not_open_is_counted_and_the_first_told(store: Store) -> None:
    await put(store, codes, *(code(f"{number:05}", STRANGE) for number in range(PAGE + 1)))
    outcome = await reseal(store, tell=nobody)
    assert (outcome.unopened.total(), len(outcome.told)) == (PAGE + 1, MOST_TOLD)


async def test_a_server_that_goes_on_sealing_with_the_old_key_is_told(
    store: Store, storage: StorageSettings
) -> None:
    async def seal(number: int) -> None:
        server = Store(Database(storage), KeyRing([OLD, NEW]))
        await put(server, codes, code(f"{number:05}"))
        await server.close()

    backwards = itertools.count(MOST_PASSES, -1)  # each is before the last that was found: the next pass's

    def while_others_serve(_rows: int, _total: int) -> None:
        with ThreadPoolExecutor() as beside:
            beside.submit(asyncio.run, seal(next(backwards))).result()

    with pytest.raises(StillSealedUnder) as refused:
        await reseal(store, tell=while_others_serve)
    assert str(refused.value) == (
        f"rows are still being sealed under encryption key {key_id(OLD)}: put the line of {key_id(NEW)} "
        "first in the key file of every replica, restart those that began before, and run this again"
    )
    assert key_id(OLD) in await store.read(noted)


async def test_a_key_struck_off_too_early_is_needed_again_while_a_server_seals_with_it(
    store: Store, storage: StorageSettings
) -> None:
    server = Store(Database(storage), KeyRing([OLD, NEW]))
    await server.prepare(now=NOW)
    assert (await reseal(store, tell=nobody)).retired == [key_id(OLD)]
    await server.keep_key_noted(now=NOW + 30)
    await server.close()
    without_the_old = Store(Database(storage), KeyRing([NEW]))
    with pytest.raises(KeyMissing, match=key_id(OLD)):
        await without_the_old.prepare(now=NOW + 60)
    await without_the_old.close()


async def test_a_server_without_the_key_that_others_seal_with_says_so_while_it_runs(
    store: Store, storage: StorageSettings
) -> None:
    await reseal(store, tell=nobody)
    server = Store(Database(storage), KeyRing([OLD]))
    with pytest.raises(KeyMissing, match=key_id(NEW)):
        await server.keep_key_noted(now=NOW)
    await server.close()
    assert {*await store.read(noted)} == {key_id(OLD), key_id(NEW)}


async def test_a_shared_token_under_an_old_key_is_fetched_again(store: Store) -> None:
    key, strange_key = SharedKey("k" * 64, b"a secret"), SharedKey("s" * 64, b"a secret")
    for which, ring in ((key, OLD), (strange_key, STRANGE)):
        table = SharedTokenTable(store.database, KeyRing([ring]))
        lease = Lease(which, "me", NOW + 60)
        assert await table.take(lease, seen=None, now=NOW)
        await table.put(lease, b"the token", expires_at=NOW + 3600, renew_at=NOW + 3000)
    assert (await reseal(store, tell=nobody)).rows == 0
    found = {row.key_hash: row.sealed is None for row in await rows(store, shared_tokens)}
    assert found == {key.hash: True, strange_key.hash: False}
    only_new = SharedTokenTable(store.database, KeyRing([NEW]))
    assert await only_new.get(key) is None
    assert await only_new.take(Lease(key, "you", NOW + 90), seen=None, now=NOW + 30)
