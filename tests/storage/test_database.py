"""A store is brought up to date at start, by one process at a time."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from ostiary.storage.config import StorageSettings
from ostiary.storage.database import Database
from ostiary.storage.errors import StorageUnavailable
from ostiary.storage.migrations import NEWEST
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


async def test_the_steps_lead_to_the_tables_as_they_are_now(tmp_path: Path) -> None:
    await asyncio.to_thread(start_alone, settings(tmp_path))
    engine = create_engine(f"sqlite:///{tmp_path}/ostiary.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


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
