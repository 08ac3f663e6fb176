"""A statement that is made once gives the same in an SQLite file and in PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, insert, select, update

from ostiary.storage.config import StorageSettings
from ostiary.storage.database import Database
from ostiary.storage.errors import StorageUnavailable
from ostiary.storage.inserts import prepared_insert
from ostiary.storage.prepared import Prepared
from ostiary.storage.schema import codes

_row = codes.c
ADD = Prepared(insert(codes))
ADD_ONCE = prepared_insert(codes, lambda add: add.on_conflict_do_nothing().returning(_row.code_hash))
FIND = Prepared(
    select(_row.sealed, _row.expires_at, _row.redeemed_at).where(_row.code_hash == bindparam("which"))
)
ALL = Prepared(select(_row.code_hash, _row.client_id).where(_row.expires_at > bindparam("at")).limit(2))
SPEND = Prepared(
    update(codes)
    .where(_row.code_hash == bindparam("which"), _row.redeemed_at.is_(None))
    .values(redeemed_at=bindparam("at"), tsid_hash="of the test")
    .returning(_row.tsid_hash)
)
ADD_ONLY = prepared_insert(codes, lambda add: add.on_conflict_do_nothing())
SPEND_ONLY = Prepared(
    update(codes)
    .where(_row.code_hash == bindparam("which"), _row.redeemed_at.is_(None))
    .values(redeemed_at=bindparam("at"))
)
CHANGE = Prepared(update(codes).where(_row.code_hash == bindparam("which")))


def a_code(name: str, **more: Any) -> dict[str, Any]:
    row = {"code_hash": name, "client_id": "app", "sealed": b"\x00\xff", "expires_at": 60.5, "kept_until": 61}
    return row | more


async def test_rows_have_their_columns_by_name(database: Database) -> None:
    def work(connection: Connection) -> Any:
        ADD.run(connection, a_code("one"))
        return FIND.first(connection, {"which": "one"}), FIND.first(connection, {"which": "two"})

    found, nothing = await database.transaction(work)
    assert (found.sealed, found.expires_at, found.redeemed_at) == (b"\x00\xff", 60.5, None)
    assert nothing is None


async def test_what_stands_in_the_statement_itself_is_bound_too(database: Database) -> None:
    def work(connection: Connection) -> Any:
        for name in ("one", "two", "three"):
            ADD.run(connection, a_code(name))
        spent = SPEND.first(connection, {"which": "one", "at": 5.0})
        again = SPEND.first(connection, {"which": "one", "at": 6.0})
        return spent, again, ALL.all(connection, {"at": 1.0}), ALL.all(connection, {"at": 60.5})

    spent, again, two, none = await database.transaction(work)
    assert spent.tsid_hash == "of the test"
    assert again is None
    assert [row.client_id for row in two] == ["app", "app"]
    assert list(none) == []


async def test_it_says_how_many_rows_it_changed(database: Database) -> None:
    def work(connection: Connection) -> Any:
        added = [ADD_ONLY.changed(connection, a_code(name)) for name in ("one", "one", "two")]
        spent = [SPEND_ONLY.changed(connection, {"which": "one", "at": at}) for at in (5.0, 6.0)]
        return added, spent, SPEND_ONLY.changed(connection, {"which": "three", "at": 5.0})

    assert await database.transaction(work) == ([1, 0, 1], [1, 0], 0)


async def test_the_columns_that_are_written_may_differ_from_time_to_time(database: Database) -> None:
    def work(connection: Connection) -> Any:
        ADD.run(connection, a_code("one"))
        CHANGE.run(connection, {"which": "one", "expires_at": 70.0})
        CHANGE.run(connection, {"which": "one", "redeemed_at": 3.0})
        return FIND.first(connection, {"which": "one"})

    found = await database.transaction(work)
    assert (found.expires_at, found.redeemed_at) == (70.0, 3.0)


async def test_it_is_part_of_the_transaction(database: Database) -> None:
    class Changed(Exception):
        pass

    def half(connection: Connection) -> None:
        ADD.run(connection, a_code("one"))
        raise Changed

    with pytest.raises(Changed):
        await database.transaction(half)
    assert await database.read(lambda connection: FIND.first(connection, {"which": "one"})) is None


async def test_what_the_driver_refuses_is_said_as_ever(database: Database) -> None:
    await database.transaction(lambda connection: ADD.run(connection, a_code("one")))
    added = await database.transaction(lambda connection: ADD_ONCE.first(connection, a_code("one")))
    assert added is None
    with pytest.raises(StorageUnavailable) as refused:
        await database.transaction(lambda connection: ADD.run(connection, a_code("one")))
    assert "code_hash" in str(refused.value) or "codes_pkey" in str(refused.value)


async def test_a_list_of_values_is_refused(tmp_path: Path) -> None:
    database = Database(StorageSettings.model_validate({"url": f"sqlite:///{tmp_path}/ostiary.db"}))
    statement = Prepared(select(_row.code_hash).where(_row.code_hash.in_(bindparam("names", expanding=True))))
    with pytest.raises(TypeError, match="a list of values has no fixed place in a prepared statement"):
        await database.read(lambda connection: statement.first(connection, {"names": ["one"]}))
    await database.close()
