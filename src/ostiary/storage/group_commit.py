"""Many transactions, one flush: how an SQLite file keeps up.

SQLite has one writer, and a commit that survives a power cut waits for the disk. So one thread takes whatever
waits, does it in one transaction, each piece behind a savepoint of its own, and commits once for all. A piece
that fails is undone alone. Nobody hears of success before the commit is on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")
Work = Callable[[Connection], T]
"""Statements that belong together. It runs in a thread, inside a transaction, and may be undone."""

MOST_AT_ONCE = 256
"""Pieces in one transaction: a bound on how long the first waits for the last."""


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    outcome: Any = None
    error: Exception | None = None


class GroupCommit:
    """One thread with one connection."""

    begin = "BEGIN IMMEDIATE"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def run(self, work: Work[T]) -> asyncio.Future[T]:
        """Do it in turn. The future is done when it is committed; it raises what `work` or SQLite raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(work, loop, future))
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="ostiary-storage", daemon=True)
            self._thread.start()
        return future

    def close(self) -> None:
        """Finish what waits, and end the thread."""
        if (thread := self.end()) is not None:
            thread.join()

    def end(self) -> threading.Thread | None:
        """Ask for the same; the thread that ends soon."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
        return thread

    def _serve(self) -> None:
        connection: Connection | None = None
        while (job := self._jobs.get()) is not None:
            jobs = [job, *self._waiting()]
            try:
                connection = connection or self._engine.connect()
                self._together(connection, jobs)
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
                for failed in jobs:
                    failed.error = error
                _drop(connection)
                connection = None
            _tell(jobs)
        _drop(connection)

    def _waiting(self) -> Iterator[_Job]:
        for _ in range(MOST_AT_ONCE - 1):
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is None:
                self._jobs.put(None)  # for the loop outside, which ends by it
                return
            yield job

    def _together(self, connection: Connection, jobs: list[_Job]) -> None:
        _say(connection, self.begin)
        try:
            for job in jobs:
                if not job.future.cancelled():  # whoever asked has given up: it must not happen any more
                    self._alone(connection, job)
        except BaseException:
            _say(connection, "ROLLBACK")
            raise
        _say(connection, "COMMIT")

    def _alone(self, connection: Connection, job: _Job) -> None:
        _say(connection, "SAVEPOINT piece")
        try:
            job.outcome = job.work(connection)
        except Exception as error:  # noqa: BLE001 - handed on to whoever waits
            _say(connection, "ROLLBACK TO piece")
            job.error = error
        _say(connection, "RELEASE piece")


class GroupRead(GroupCommit):
    """The same for what changes nothing: all of a group see one state, and there is nothing to undo."""

    begin = "BEGIN"

    def _alone(self, connection: Connection, job: _Job) -> None:
        try:
            job.outcome = job.work(connection)
        except Exception as error:  # noqa: BLE001 - handed on to whoever waits
            job.error = error


def _say(connection: Connection, statement: str) -> None:
    """To the driver itself: what SQLAlchemy adds to an execution costs many times as much as these words."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - for the type checker
    driver.execute(statement)


def _drop(connection: Connection | None) -> None:
    if connection is not None:
        with contextlib.suppress(Exception):
            connection.close()


def _tell(jobs: list[_Job]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, done in by_loop.items():
        with contextlib.suppress(RuntimeError):  # its event loop is gone, and so is everybody who waited
            loop.call_soon_threadsafe(_settle, done)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.outcome)
