"""A store of each kind: an SQLite file, and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.peers.postgresql import PostgreSql

from ostiary.storage.config import StorageSettings
from ostiary.storage.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> StorageSettings:
    if request.param == "sqlite":
        return StorageSettings.model_validate({"url": f"sqlite:///{tmp_path}/ostiary.db"})
    server: PostgreSql = request.getfixturevalue("postgresql")
    monkeypatch.setenv("STORE_PASSWORD", server.password)
    return StorageSettings.model_validate(
        {"url": server.new_database(), "password": {"env": "STORE_PASSWORD"}}
    )


@pytest.fixture
async def database(storage: StorageSettings) -> AsyncIterator[Database]:
    database = Database(storage)
    yield database
    await database.close()
