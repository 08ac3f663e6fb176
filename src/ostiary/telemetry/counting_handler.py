"""Where log lines go: the first of each event in a minute, and then how many more there were.

Events of the audit are left to it: what was granted is never counted instead of told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

from ostiary.event_log import Event
from ostiary.telemetry.floods import SECONDS, Floods, Untold

AUDIT = "ostiary.audit"
SAID = ("of", "more", "seconds")
"""What a line says that stands for many: of which server, or for which reason."""
LONGEST_SOURCE = 80

_Kind = tuple[str, int, str]
"""The logger, the level, the event."""


class CountingHandler(logging.StreamHandler[TextIO]):
    """Writes to a stream. clock: seconds."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        super().__init__(stream)
        self._clock = clock
        self._floods = Floods[_Kind]()
        self._is_waiting = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it."""
        now = self._clock()
        self._tell(self._floods.ended(now))
        if record.name == AUDIT or self._floods.tells(*_kind_and_source(record), now):
            super().emit(record)
        else:
            self._wait()

    def close(self) -> None:
        """Write what was counted, and no more."""
        with self._locked():
            self._tell(self._floods.all())
        super().close()

    def _tell(self, untold: Iterator[Untold[_Kind]]) -> None:
        for those in untold:
            name, level, event = those.kind
            record = logging.LogRecord(name, level, __file__, 0, event, None, None)
            record.__dict__ |= {"more": those.count, "seconds": int(SECONDS)}
            if those.source is not None:
                record.__dict__["of"] = those.source
            super().emit(record)

    def _wait(self) -> None:
        """The flood may end, and no line come after it."""
        if not self._is_waiting:
            with contextlib.suppress(RuntimeError):  # no event loop: the next line tells, or the end
                asyncio.get_running_loop().call_later(SECONDS, self._waited)
                self._is_waiting = True

    def _waited(self) -> None:
        with self._locked():
            self._is_waiting = False
            self._tell(self._floods.ended(self._clock()))
            if self._floods.are_counted:
                self._wait()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def _kind_and_source(record: logging.LogRecord) -> tuple[_Kind, str | None]:
    """Our events are fixed words, with a reason; others' messages are free text, so their logger counts."""
    said = record.msg
    if not isinstance(said, Event):
        return (record.name, record.levelno, "more lines of this logger"), None
    return (record.name, record.levelno, str(said.get("event"))), _source(said)


def _source(said: Mapping[str, Any]) -> str | None:
    source = said.get("server", said.get("reason"))
    return None if source is None else str(source)[:LONGEST_SOURCE]
