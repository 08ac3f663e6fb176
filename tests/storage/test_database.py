"""A store is brought up to date at start, by one process at a time."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from ostiary.storage.config import StorageSettings
from ostiary.storage.database import Database
from ostiary.storage.errors import StorageUnavailable
from ostiary.storage.migrations import NEWEST
from ostiary.storage.migrations.upgrade import take_steps
from ostiary.storage.schema import metadata


def settings(tmp_path: Path) -> StorageSettings:
    return StorageSettings.model_validate({"url": f"sqlite:///{tmp_path}/ostiary.db"})


def start_alone(store: StorageSettings) -> None:
    """In an event loop of its own."""

    async def start() -> None:
        database = Database(store)
        await database.prepare()
        await database.close()

    asyncio.run(start())


def what_is_there(connection: Connection) -> dict[str, Any]:
    """Each table of a store, whatever order things came in."""
    found, tables = inspect(connection), {}
    for name in found.get_table_names():
        columns = {
            column["name"]: column | {"type": str(column["type"])} for column in found.get_columns(name)
        }
        indexes = {index["name"]: index for index in found.get_indexes(name)}
        keys = (
            found.get_pk_constraint(name),
            found.get_foreign_keys(name),
            found.get_unique_constraints(name),
        )
        tables[name] = {"columns": columns, "indexes": indexes, "keys": keys}
    return tables


def steps_lead_to_what_a_new_store_is(connection: Connection) -> None:
    new = what_is_there(connection)
    new_version = connection.execute(text("SELECT version_num FROM alembic_version")).all()
    metadata.drop_all(connection)
    connection.execute(text("DROP TABLE alembic_version"))
    take_steps(connection, NEWEST)
    assert len(new) > 20
    assert what_is_there(connection) == new
    assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert connection.execute(text("SELECT version_num FROM alembic_version")).all() == new_version


async def test_the_steps_lead_to_what_a_new_store_is(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostiary.storage.database.STATEMENT_TIMEOUT", 30.0)  # they are many
    await database.transaction(steps_lead_to_what_a_new_store_is)


def test_the_last_step_is_the_newest() -> None:
    config = Config()
    config.set_main_option("script_location", "ostiary.storage:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST


async def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        await asyncio.to_thread(start_alone, settings(tmp_path))
    store = sqlite3.connect(tmp_path / "ostiary.db")
    assert store.execute("SELECT version_num FROM alembic_version").fetchall() == [(NEWEST,)]
    assert store.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    store.close()


async def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "ostiary.db").write_text("a shopping list" * 100)
    database = Database(settings(tmp_path))
    with pytest.raises(StorageUnavailable) as refused:
        await database.prepare()
    await database.close()
    assert str(refused.value) == f"store sqlite:///{tmp_path}/ostiary.db: file is not a database"
