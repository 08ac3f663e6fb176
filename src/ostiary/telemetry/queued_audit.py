"""The audit of what happens many times a second: gathered for a moment, and written in its order by a thread.

While the file cannot be written, or the disk is too slow, `away` says so, and whoever asks it lets nothing
more happen. What has happened by then waits and is tried again each second; a line that was cut off is
written once more.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ostiary.event_log import event_log
from ostiary.telemetry.audit import Audit, audit_line

log = event_log("ostiary.audit")

GATHERED_SECONDS = 0.1
AGAIN_SECONDS = 1.0
MOST_WAITING = 10_000
"""Events that wait to be written; with more, nothing more may happen."""
PATIENCE = 5.0
"""Seconds that the last events have when the process ends."""

Happened = tuple[float, str, Mapping[str, Any]]
"""When, which event, and its particulars."""


class QueuedAudit(Audit):
    """Use as an async context manager, in which it is written. Arguments and errors: as of Audit."""

    def __init__(
        self,
        file: Path,
        clock: Callable[[], float],
        *,
        counted: Collection[StrEnum] = (),
        source: Callable[[str], str] = str,
    ) -> None:
        super().__init__(file, clock, counted=counted, source=source)
        self._file = file
        self._waiting: list[Happened] = []
        self._timer: asyncio.TimerHandle | None = None
        self._batches: queue.SimpleQueue[list[Happened] | None] = queue.SimpleQueue()
        self._is_written = True
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._write_batches, name="audit", daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._tell(self._floods.all())
        self._batches.put(self._waiting)
        self._batches.put(None)
        self._is_ending.set()
        await asyncio.to_thread(self._thread.join, PATIENCE)
        self.close()

    @property
    def away(self) -> str | None:
        """Why nothing more may happen that is to be audited; None while it may."""
        if self.failing is not None:
            return self.failing
        return "the audit file is written too slowly" if len(self._waiting) >= MOST_WAITING else None

    def note(self, event: StrEnum, said: Mapping[str, Any]) -> None:
        """What happened, which is never only counted. A particular that is None is left out."""
        self._put(event.value, said)

    def _put(self, event: str, said: Mapping[str, Any]) -> None:
        self._waiting.append((self._clock(), event, said))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHERED_SECONDS, self._hand_over)

    def _hand_over(self) -> None:
        """To the thread, if it has written what it was given before."""
        self._timer = None
        if self._is_written:
            self._is_written = False
            self._batches.put(self._waiting)
            self._waiting = []
        else:
            self._timer = asyncio.get_running_loop().call_later(GATHERED_SECONDS, self._hand_over)

    # in the thread

    def _write_batches(self) -> None:
        while (batch := self._batches.get()) is not None:
            self._write_batch(b"".join(audit_line(*happened) for happened in batch))
            self._is_written = True

    def _write_batch(self, lines: bytes) -> None:
        while True:
            lines, why = self._written(lines)
            if why is None:
                if self.failing is not None:
                    log.info("audit_written_again", file=str(self._file))
                self.failing = None
                return
            if self.failing is None:
                log.error("audit_failing", file=str(self._file), reason=why)
            self.failing = f"the audit file {self._file} cannot be written: {why}"
            if self._is_ending.wait(AGAIN_SECONDS):
                _, why = self._written(lines)
                if why is not None:
                    log.error("audit_lost", file=str(self._file), events=lines.strip().count(b"\n") + 1)
                return

    def _written(self, lines: bytes) -> tuple[bytes, str | None]:
        """What is still to be written, from the beginning of a line, and why it was not."""
        done = 0
        try:
            while done < len(lines):
                done += os.write(self._open(), lines[done:])
        except OSError as error:
            begun = lines.rfind(b"\n", 0, done) + 1
            torn = b"\n" if begun < done else b""
            return torn + lines[begun:], error.strerror or type(error).__name__
        return b"", None

    def _open(self) -> int:
        assert self._descriptor is not None  # noqa: S101 - for the type checker: it ends after the thread
        return self._descriptor
