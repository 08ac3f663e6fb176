"""The access log: one line of JSON a request, in a file or on standard output.

Nobody waits for it. Lines are gathered for a moment and written by a thread; while the disk, or whoever reads
our output, is too slow, they are counted, and the count is a line. A file that was moved away is begun anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from ostiary.event_log import event_log
from ostiary.operator_error import OperatorError
from ostiary.telemetry.audit import in_words
from ostiary.telemetry.redaction import one_line, without_tokens

log = event_log("ostiary.access")

GATHERED_SECONDS = 0.1
MOST_WAITING = 20_000
"""Requests that wait to be written; more are only counted."""
LONGEST = 500
"""Characters of a path, or of a client's name, that are written."""
PATIENCE = 2.0
"""Seconds that the last lines have when the process ends."""


class AccessLogUnusable(OperatorError):
    """Its file cannot be opened."""


class Accessed(Protocol):
    """A request that was answered, as `transport` tells it."""

    @property
    def address(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def status(self) -> int | None: ...
    @property
    def bytes(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def client(self) -> str | None: ...


class AccessLog:
    """Use as an async context manager, in which it is written. file: None for standard output."""

    def __init__(self, file: Path | None, clock: Callable[[], float] = time.time) -> None:
        """clock: seconds since the epoch. Raises AccessLogUnusable."""
        self._clock = clock
        self._lines = _Lines(file)
        self._waiting: list[tuple[float, Accessed]] = []
        self._lost = 0
        self._timer: asyncio.TimerHandle | None = None
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._written = threading.Event()
        self._written.set()
        self._thread = threading.Thread(target=self._write, name="access log", daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._batches.put(self._batch())
        self._batches.put(None)
        with contextlib.suppress(RuntimeError):
            await asyncio.to_thread(self._thread.join, PATIENCE)

    def hear(self, record: Accessed) -> None:
        """One more request."""
        if len(self._waiting) >= MOST_WAITING:
            self._lost += 1
            return
        self._waiting.append((self._clock(), record))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHERED_SECONDS, self._hand_over)

    def _hand_over(self) -> None:
        """To the thread, if it has written what it was given before."""
        self._timer = None
        if self._written.is_set():
            self._written.clear()
            self._batches.put(self._batch())
        else:
            self._timer = asyncio.get_running_loop().call_later(GATHERED_SECONDS, self._hand_over)

    def _batch(self) -> _Batch:
        batch = _Batch(self._waiting, self._lost, self._clock())
        self._waiting, self._lost = [], 0
        return batch

    def _write(self) -> None:
        while (batch := self._batches.get()) is not None:
            self._lines.append(batch.text())
            self._written.set()


@dataclass(frozen=True, slots=True)
class _Batch:
    records: list[tuple[float, Accessed]]
    lost: int
    now: float

    def text(self) -> bytes:
        lines = [_line(when, record) for when, record in self.records]
        if self.lost:
            lines.append(msgspec.json.encode({"time": in_words(self.now), "lost": self.lost}))
        return b"".join(line + b"\n" for line in lines)


class _Lines:
    """Where they go."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._descriptor = sys.stdout.fileno() if file is None else _opened(file)
        self._is_failing = False

    def append(self, lines: bytes) -> None:
        """Raises nothing."""
        try:
            self._follow()
            while lines:
                lines = lines[os.write(self._descriptor, lines) :]
        except (OSError, AccessLogUnusable) as error:
            if not self._is_failing:
                log.error("access_log_failing", reason=str(error))  # noqa: TRY400 - its text says all
            self._is_failing = True
        else:
            self._is_failing = False

    def _follow(self) -> None:
        """Begin the file anew that somebody moved away."""
        if self._file is None:
            return
        with contextlib.suppress(FileNotFoundError):
            there, ours = self._file.stat(), os.fstat(self._descriptor)
            if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                return
        descriptor = _opened(self._file)
        os.close(self._descriptor)
        self._descriptor = descriptor


def _opened(file: Path) -> int:
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise AccessLogUnusable(f"the access log {file} cannot be opened: {error.strerror}") from None


def _line(when: float, record: Accessed) -> bytes:
    return msgspec.json.encode(
        {
            "time": in_words(when),
            "address": record.address,
            "method": record.method,
            "path": _harmless(record.path),
            "status": record.status,
            "bytes": record.bytes,
            "seconds": round(record.seconds, 6),
            "client": None if record.client is None else _harmless(record.client),
        }
    )


def _harmless(text: str) -> str:
    return one_line(without_tokens(text[:LONGEST]))
