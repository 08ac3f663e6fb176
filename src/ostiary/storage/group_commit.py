"""Many transactions, one flush: how an SQLite file keeps up.

SQLite has one writer, and a commit that survives a power cut waits for the disk. So one thread takes whatever
waits, does it in one transaction, and commits once for all. Nobody hears of success before the commit is on
the disk.

A piece that fails is undone alone. Mostly it has changed nothing by then, and there is nothing to undo. Only
when it has, all of its group are undone, and done again, each behind a savepoint of its own: SQLite copies
every page that changes behind one.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from ostiary.storage.prepared import sqlite_of

T = TypeVar("T")
Work = Callable[[Connection], T]
"""Statements that belong together. It runs in a thread, inside a transaction, and changes nothing else, as it
may be undone and run again."""

MOST_AT_ONCE = 256
"""Pieces in one transaction: a bound on how long the first waits for the last."""


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    patience: asyncio.TimerHandle
    outcome: Any = None
    error: Exception | None = None


class GroupCommit:
    """One thread with one connection."""

    begin = "BEGIN IMMEDIATE"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._asked: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
        """What each event loop was asked in this turn. Handed over one by one, each would wake the thread,
        and be a group of its own."""
        self._thread: threading.Thread | None = None

    def run(self, work: Work[T], *, within: float) -> asyncio.Future[T]:
        """Do it in turn. The future is done when it is committed; it raises what `work` or SQLite raises.

        within: seconds, after which it raises TimeoutError; what has not begun by then does not happen.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        asked = self._asked.get(loop)
        if asked is None:
            asked = self._asked[loop] = []
            loop.call_soon(self._hand_over, loop)
        asked.append(_Job(work, loop, future, loop.call_later(within, _give_up, future)))
        return future

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs = [job for job in self._asked.pop(loop) if not job.future.done()]
        for job in jobs:
            self._jobs.put(job)
        if jobs and self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="ostiary-storage", daemon=True)
            self._thread.start()

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
        try:
            self._commit(connection, jobs, _apart if len(jobs) == 1 else _plainly)
        except _Entangled:
            self._commit(connection, jobs, _apart)

    def _commit(
        self, connection: Connection, jobs: list[_Job], do: Callable[[Connection, _Job], None]
    ) -> None:
        driver = sqlite_of(connection)
        driver.execute(self.begin)
        try:
            for job in jobs:
                if not job.future.done():  # whoever asked has given up: it must not happen any more
                    do(connection, job)
        except BaseException:
            if driver.in_transaction:
                driver.execute("ROLLBACK")
            raise
        driver.execute("COMMIT")


class GroupRead(GroupCommit):
    """The same for what changes nothing: all of a group see one state, and there is nothing to undo."""

    begin = "BEGIN"

    def _together(self, connection: Connection, jobs: list[_Job]) -> None:
        self._commit(connection, jobs, _do)


class _Entangled(Exception):
    """A piece has failed after it changed something: all that the group did has to be undone to undo it.

    Or SQLite has undone all of it by itself, as it does when the disk is full.
    """


def _plainly(connection: Connection, job: _Job) -> None:
    driver = sqlite_of(connection)
    before = driver.total_changes
    _do(connection, job)
    if job.error is not None and (driver.total_changes != before or not driver.in_transaction):
        raise _Entangled


def _apart(connection: Connection, job: _Job) -> None:
    driver = sqlite_of(connection)
    driver.execute("SAVEPOINT piece")
    _do(connection, job)
    if job.error is not None:
        driver.execute("ROLLBACK TO piece")
    driver.execute("RELEASE piece")


def _do(connection: Connection, job: _Job) -> None:
    job.outcome = job.error = None
    try:
        job.outcome = job.work(connection)
    except Exception as error:  # noqa: BLE001 - handed on to whoever waits
        job.error = error


def _give_up(future: asyncio.Future[Any]) -> None:
    if not future.done():
        _fail(future, TimeoutError())


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    future.set_exception(error)
    future.exception()  # whoever asked may have left: then nobody has to hear of it


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
        job.patience.cancel()
        if job.future.done():
            continue
        if job.error is not None:
            _fail(job.future, job.error)
        else:
            job.future.set_result(job.outcome)
