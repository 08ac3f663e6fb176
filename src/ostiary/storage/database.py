"""SQLite or PostgreSQL, brought up to date before its first use, by one process at a time.

Every statement stands for itself (autocommit) and is bounded in time: who waits can go on without.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import alembic.command
from alembic.config import Config
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ostiary.storage.config import StorageSettings
from ostiary.storage.errors import StorageUnavailable

STATEMENT_TIMEOUT = 2.0
"""Seconds for a connection and one statement. A token is fetched in less than a second without a store."""
PREPARE_TIMEOUT = 30.0
"""Seconds for migrations; another process may be at them."""
LOCKED_PAUSE = 0.05
_ADVISORY_LOCK = 7_309_452_111
"""What replicas agree on to take turns in PostgreSQL. Any number."""


class Database:
    """A store's connections. Nothing is opened before its first use; a store that is away is tried again."""

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings
        self._engine: AsyncEngine | None = None
        self._prepared = False
        self._turn = asyncio.Lock()

    @property
    def place(self) -> str:
        """The URL, in which there is no password."""
        return self._settings.url

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """For one statement. Raises StorageUnavailable, also for what fails inside."""
        await self.prepare(within=STATEMENT_TIMEOUT)
        async with self._failing_alike(STATEMENT_TIMEOUT), self._opened().connect() as connection:
            yield connection

    async def prepare(self, *, within: float = PREPARE_TIMEOUT) -> None:
        """Make or migrate the tables, once. within: seconds. Raises StorageUnavailable."""
        if self._prepared:
            return
        async with self._failing_alike(within), self._turn:
            await self._migrate()

    async def close(self) -> None:
        """Let go of every connection."""
        if self._engine is not None:
            await self._engine.dispose()

    @contextlib.asynccontextmanager
    async def _failing_alike(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            reason = f"it did not answer within {seconds:g} seconds"
        except ImportError:
            reason = "its driver is missing: pip install 'ostiary[postgresql]'"
        except Exception as error:  # noqa: BLE001 - what drivers raise while they connect has no common root
            reason = _in_short(error)
        else:
            return
        raise StorageUnavailable(f"store {self.place}: {reason}")

    def _opened(self) -> AsyncEngine:
        if self._engine is None:
            file = self._settings.file
            self._engine = _file_engine(file) if file is not None else _server_engine(self._settings)
        return self._engine

    async def _migrate(self) -> None:
        if not self._prepared:
            await (self._migrate_server() if self._settings.file is None else self._migrate_file())
            self._prepared = True

    async def _migrate_file(self) -> None:
        async with self._opened().connect() as connection:
            await _exclusively(connection)
            await connection.run_sync(_upgrade)
            await connection.commit()

    async def _migrate_server(self) -> None:
        engine = self._opened().execution_options(isolation_level="READ COMMITTED")
        async with engine.begin() as connection:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            await connection.run_sync(_upgrade)


def _file_engine(file: Path) -> AsyncEngine:
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
    url = make_url("sqlite+aiosqlite://").set(database=str(file))
    return create_async_engine(url, isolation_level="AUTOCOMMIT", connect_args={"timeout": 1.0})


def _server_engine(settings: StorageSettings) -> AsyncEngine:
    url = make_url(settings.url).set(drivername="postgresql+asyncpg")
    tls = ssl.create_default_context(cafile=settings.ca_file) if settings.wants_tls else False
    options: dict[str, Any] = {"ssl": tls, "timeout": STATEMENT_TIMEOUT}
    if settings.password is not None:
        options["password"] = settings.password.reveal  # asyncpg calls it for each connection
    return create_async_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True, connect_args=options)


async def _exclusively(connection: AsyncConnection) -> None:
    """Begin to write alone. SQLite refuses the change to WAL at once, not after its time-out, while another
    process makes it."""
    while True:
        try:
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
        except OperationalError as error:
            if "locked" not in str(error.orig):
                raise
            await asyncio.sleep(LOCKED_PAUSE)
        else:
            return


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "ostiary.storage:migrations")
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")


def _in_short(error: Exception) -> str:
    """The driver's own words, without the statement and its values."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(getattr(error, "orig", None) or error).partition("\n")[0]
    return said.rpartition(">: ")[2] or type(error).__name__
