"""Statements that belong together happen all or not at all, and are on the disk when they are done."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, Insert, delete, func, insert, inspect, select

from ostiary.inline_coroutines import as_future
from ostiary.storage.config import StorageSettings
from ostiary.storage.database import Database
from ostiary.storage.errors import StorageUnavailable
from ostiary.storage.inserts import insert_or_ignore
from ostiary.storage.prepared import sqlite_of
from ostiary.storage.schema import used_once
from ostiary.storage.store import digest


class Changed(Exception):
    """What somebody's own rule raises in the middle."""


def add(name: str) -> Insert:
    return insert(used_once).values(value_hash=digest(name), expires_at=1.0)


async def count(database: Database) -> int:
    return await database.read(
        lambda connection: connection.execute(select(func.count()).select_from(used_once)).scalar_one()
    )


async def test_all_of_it_happens(database: Database) -> None:
    def both(connection: Connection) -> str:
        connection.execute(add("one"))
        connection.execute(add("two"))
        return "done"

    assert await database.transaction(both) == "done"
    assert await count(database) == 2


async def test_it_happens_inline_too_also_when_whoever_asked_leaves(database: Database) -> None:
    await database.prepare()

    async def inline() -> int:
        await database.transaction(lambda connection: connection.execute(add("one")) and None)
        return await count(database)

    assert await as_future(inline()) == 1
    before = asyncio.all_tasks()
    leaving = as_future(database.transaction(lambda connection: connection.execute(add("two")) and None))
    begun = asyncio.all_tasks() - before
    assert leaving.cancel()
    await asyncio.gather(*begun)
    await database.transaction(lambda _: None)  # an SQLite file does one after the other
    assert await count(database) == 2


async def test_nobody_has_to_hear_of_a_failure_when_whoever_asked_has_left(database: Database) -> None:
    await database.prepare()
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def refused(_: Connection) -> None:
        raise Changed

    for asked in (database.transaction, database.read):
        before = asyncio.all_tasks()
        leaving = as_future(asked(refused))
        begun = asyncio.all_tasks() - before
        assert leaving.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        await database.transaction(lambda _: None)
        await database.read(lambda _: None)
    del leaving, begun
    gc.collect()
    assert complaints == []


async def test_nothing_of_it_happens_when_a_rule_raises(database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.execute(add("one"))
        raise Changed

    with pytest.raises(Changed):
        await database.transaction(half)
    assert await count(database) == 0


async def test_one_that_fails_takes_none_of_its_neighbours_with_it(database: Database) -> None:
    def one(number: int) -> asyncio.Future[None]:
        def work(connection: Connection) -> None:
            connection.execute(add(str(number)))
            if number % 3 == 0:
                raise Changed

        return asyncio.ensure_future(database.transaction(work))

    outcomes = await asyncio.gather(*(one(number) for number in range(30)), return_exceptions=True)
    assert sum(isinstance(outcome, Changed) for outcome in outcomes) == 10
    assert await count(database) == 20


async def test_a_rule_that_refuses_before_anything_changed_lets_nobody_do_their_work_again(
    database: Database,
) -> None:
    begun = []

    def one(number: int) -> asyncio.Future[None]:
        def work(connection: Connection) -> None:
            begun.append(number)
            if number % 3 == 0:
                raise Changed
            connection.execute(add(str(number)))

        return asyncio.ensure_future(database.transaction(work))

    await asyncio.gather(*(one(number) for number in range(30)), return_exceptions=True)
    assert sorted(begun) == list(range(30))
    assert await count(database) == 20


async def test_after_the_disk_was_full_half_a_piece_is_not_there(tmp_path: Path) -> None:
    """SQLite undoes all by itself then, and would commit at once whatever follows."""
    database = Database(StorageSettings.model_validate({"url": f"sqlite:///{tmp_path}/ostiary.db"}))
    await database.prepare()
    queued = threading.Event()

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.execute(insert(used_once).values(value_hash="x" * 100_000, expires_at=1.0))

    def both(connection: Connection) -> None:
        connection.execute(add("one"))
        connection.execute(add("two"))

    before = asyncio.ensure_future(database.transaction(lambda _: queued.wait()))
    await asyncio.sleep(0.05)  # it has begun, and those that follow are one group
    pieces = [asyncio.ensure_future(database.transaction(work)) for work in (fill, both)]
    await asyncio.sleep(0.05)
    queued.set()
    assert await before
    outcomes = await asyncio.gather(*pieces, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable, StorageUnavailable]
    assert await count(database) == 0
    await database.transaction(lambda connection: connection.execute(add("one")) and None)
    assert await count(database) == 1
    await database.close()


async def test_nothing_of_a_table_is_made_when_a_rule_raises(database: Database) -> None:
    def half(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half_made (name TEXT)")
        raise Changed

    with pytest.raises(Changed):
        await database.transaction(half)
    assert not await database.read(lambda connection: inspect(connection).has_table("half_made"))


async def test_what_the_store_itself_refuses_is_its_failure(database: Database) -> None:
    await database.transaction(lambda connection: connection.execute(add("one")) and None)
    with pytest.raises(StorageUnavailable):
        await database.transaction(lambda connection: connection.execute(add("one")) and None)
    assert await count(database) == 1


async def test_what_may_happen_once_happens_once(database: Database) -> None:
    def take(connection: Connection) -> bool:
        statement = insert_or_ignore(connection, used_once).values(value_hash=digest("jti"), expires_at=1.0)
        return connection.execute(statement.returning(used_once.c.value_hash)).first() is not None

    taken = await asyncio.gather(*(database.transaction(take) for _ in range(20)))
    assert taken.count(True) == 1


async def test_what_is_deleted_is_given_once(database: Database) -> None:
    await database.transaction(lambda connection: connection.execute(add("code")) and None)

    def take(connection: Connection) -> bool:
        statement = delete(used_once).where(used_once.c.value_hash == digest("code"))
        return connection.execute(statement.returning(used_once.c.value_hash)).first() is not None

    taken = await asyncio.gather(*(database.transaction(take) for _ in range(20)))
    assert taken.count(True) == 1


async def test_what_is_asked_in_one_turn_is_one_group(tmp_path: Path) -> None:
    database = Database(StorageSettings.model_validate({"url": f"sqlite:///{tmp_path}/ostiary.db"}))
    await database.prepare()
    began: list[str] = []

    def work(connection: Connection) -> None:
        sqlite_of(connection).set_trace_callback(began.append)

    await database.transaction(work)
    began.clear()
    await asyncio.gather(*(database.transaction(lambda _: None) for _ in range(50)))
    assert began.count("BEGIN IMMEDIATE") == began.count("COMMIT") == 1
    await database.close()


async def test_what_was_asked_before_it_closes_is_done(tmp_path: Path) -> None:
    others = set(threading.enumerate())
    database = Database(StorageSettings.model_validate({"url": f"sqlite:///{tmp_path}/ostiary.db"}))
    await database.prepare()
    asked = as_future(database.transaction(lambda connection: connection.execute(add("one")) and "done"))
    await database.close()
    assert await asked == "done"
    assert "ostiary-storage" not in {thread.name for thread in set(threading.enumerate()) - others}
