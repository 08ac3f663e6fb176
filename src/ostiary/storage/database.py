"""SQLite or PostgreSQL, brought up to date before its first use, by one process at a time.

    transaction    statements that belong together: all of them happen, or none; done when it is on the disk
    read           statements that change nothing

All are bounded in time: who waits can go on without.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from ostiary.inline_coroutines import hopping, next_turn
from ostiary.storage.config import StorageSettings
from ostiary.storage.errors import StorageUnavailable
from ostiary.storage.group_commit import GroupCommit, GroupRead, Work
from ostiary.storage.migrations.upgrade import upgrade

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")

STATEMENT_TIMEOUT = 2.0
"""Seconds for a connection and one statement. A token is fetched in less than a second without a store."""
PREPARE_TIMEOUT = 30.0
"""Seconds for migrations; another process may be at them."""
LOCK_TIMEOUT = 1.5
"""Seconds until SQLite says itself that somebody else keeps a file locked."""
LOCKED_PAUSE = 0.05
_ADVISORY_LOCK = 7_309_452_111
"""What replicas agree on to take turns in PostgreSQL. Any number."""


class Database:
    """A store's connections. Nothing is opened before its first use; a store that is away is tried again."""

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings
        self._file = settings.file
        self._server: AsyncEngine | None = None
        self._writer: GroupCommit | None = None
        self._reader: GroupRead | None = None
        self._prepared = False
        self._turn = asyncio.Lock()

    @property
    def place(self) -> str:
        """The URL, in which there is no password."""
        return self._settings.url

    async def transaction(self, work: Work[T]) -> T:
        """Do all of `work` or nothing of it. Raises StorageUnavailable, and what `work` raises.

        In PostgreSQL it sees what others have committed (READ COMMITTED): whatever may happen once is one
        statement that changes and returns.
        """
        if self._file is None:
            return await self._on_server(work)
        return await self._in_file(work, writing=True)

    async def read(self, work: Work[T]) -> T:
        """What `work` finds. Raises StorageUnavailable, and what `work` raises."""
        if self._file is None:
            return await self._on_server(work)
        return await self._in_file(work, writing=False)

    @hopping
    async def prepare(self, *, within: float = PREPARE_TIMEOUT) -> None:
        """Make or migrate the tables, once. within: seconds. Raises StorageUnavailable."""
        if self._prepared:
            return
        try:
            async with asyncio.timeout(within), self._turn:
                await self._migrate(within)
        except Exception as error:  # noqa: BLE001 - what drivers raise while they connect has no common root
            raise self._failure(error, within) from None

    async def alone(self, work: Work[T], *, within: float = PREPARE_TIMEOUT) -> T:
        """Do all of `work` or nothing of it, while whoever else prepares the store waits. within: seconds.

        Raises StorageUnavailable, and what `work` raises.
        """
        await self.prepare()
        try:
            async with asyncio.timeout(within):
                return await self._alone(_marking(work), within)
        except Exception as error:  # noqa: BLE001 - likewise
            raise self._failure(error, within) from None

    async def close(self) -> None:
        """Let go of every connection, once all that was asked is done."""
        await next_turn()  # what was asked in this one is handed over by then
        for thread in (self._writer, self._reader):
            if thread is not None:
                await asyncio.to_thread(thread.close)
        self._writer = self._reader = None
        if self._server is not None:
            await self._server.dispose()

    @hopping
    async def _on_server(self, work: Work[T]) -> T:
        await self.prepare(within=STATEMENT_TIMEOUT)
        try:
            async with asyncio.timeout(STATEMENT_TIMEOUT), self._opened().begin() as connection:
                return await connection.run_sync(_marking(work))
        except Exception as error:  # noqa: BLE001 - likewise
            raise self._failure(error, STATEMENT_TIMEOUT) from None

    async def _in_file(self, work: Work[T], *, writing: bool) -> T:
        if not self._prepared:
            await self.prepare(within=STATEMENT_TIMEOUT)
        if self._writer is None or self._reader is None:
            assert self._file is not None  # noqa: S101 - for the type checker
            engine = _file_engine(self._file)
            self._writer = GroupCommit(engine)
            self._reader = GroupRead(engine)
        thread = self._writer if writing else self._reader
        try:
            return await thread.run(_marking(work), within=STATEMENT_TIMEOUT)
        except Exception as error:  # noqa: BLE001 - likewise
            raise self._failure(error, STATEMENT_TIMEOUT) from None

    def _failure(self, error: Exception, seconds: float) -> Exception:
        """What the work raised, or why there was no answer."""
        match error:
            case _OfTheWork():
                return error.error
            case TimeoutError():
                reason = f"it did not answer within {seconds:g} seconds"
            case ImportError():
                reason = "its driver is missing: pip install 'ostiary[postgresql]'"
            case _:
                reason = _in_short(error)
        return StorageUnavailable(f"store {self.place}: {reason}")

    def _opened(self) -> AsyncEngine:
        if self._server is None:
            self._server = _server_engine(self._settings)
        return self._server

    async def _migrate(self, within: float) -> None:
        if not self._prepared:
            await self._alone(upgrade, within)
            self._prepared = True

    async def _alone(self, work: Work[T], within: float) -> T:
        if self._file is not None:
            return await _alone_in_file(self._file, work, within)
        async with self._opened().begin() as connection:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            return await connection.run_sync(work)


class _OfTheWork(Exception):
    """Raised by the work, not by the store: it undoes the transaction, and goes on to the caller."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _marking(work: Work[T]) -> Work[T]:
    def marked(connection: Connection) -> T:
        try:
            return work(connection)
        except SQLAlchemyError:
            raise
        except Exception as error:
            raise _OfTheWork(error) from error

    return marked


def _file_engine(file: Path) -> Engine:
    """Its commits are on the disk when they return: what is spent must stay spent after a power cut."""
    engine = _bare_file_engine(file)

    @event.listens_for(engine, "connect")
    def flush_on_commit(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")  # what undoes a savepoint needs no file
        # Rows are known by hashes, so the pages that change come by chance: 16 MiB of them are kept at hand,
        # and those that change often are moved from the log to the file less often.
        connection.execute("PRAGMA cache_size = -16384")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")

    return engine


def _bare_file_engine(file: Path) -> Engine:
    url = make_url("sqlite://").set(database=str(file))
    return create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,  # each is for one thread, which keeps its connection
        connect_args={"timeout": LOCK_TIMEOUT, "check_same_thread": False},
    )


async def _alone_in_file(file: Path, work: Work[T], within: float) -> T:
    """Without foreign keys: a step may have to make a table anew. within: seconds."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL, 0o600))
    engine = _bare_file_engine(file)

    @event.listens_for(engine, "connect")
    def write_ahead(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")

    writer = GroupCommit(engine)
    try:
        while True:
            try:
                return await writer.run(work, within=within)
            except OperationalError as error:
                # SQLite refuses the change to WAL at once, not after its time-out, while another makes it.
                if "locked" not in str(error.orig):
                    raise
            await asyncio.sleep(LOCKED_PAUSE)
    finally:
        writer.end()


def _server_engine(settings: StorageSettings) -> AsyncEngine:
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - it brings SQLAlchemy's ORM

    url = make_url(settings.url).set(drivername="postgresql+asyncpg")
    tls = ssl.create_default_context(cafile=settings.ca_file) if settings.wants_tls else False
    options: dict[str, Any] = {"ssl": tls, "timeout": STATEMENT_TIMEOUT}
    if settings.password is not None:
        options["password"] = settings.password.reveal  # asyncpg calls it for each connection
    return create_async_engine(
        url, isolation_level="READ COMMITTED", pool_pre_ping=True, connect_args=options
    )


def _in_short(error: Exception) -> str:
    """The driver's own words, without the statement and its values."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(getattr(error, "orig", None) or error).partition("\n")[0]
    return said.rpartition(">: ")[2] or type(error).__name__
