"""The audit file: one line of JSON an event, appended and never changed.

Each event is a member of an enumeration, documented where it is declared; `docs/reference/audit.md` lists
them all. Values go through the same net as those of logs. Events that strangers can cause at will are counted
beyond so many a minute (`floods`), and the count is a line.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from ostiary.event_log import event_log
from ostiary.operator_error import OperatorError
from ostiary.telemetry.floods import SECONDS, Floods, Untold
from ostiary.telemetry.redaction import is_harmless, redacted

log = event_log("ostiary.audit")

Listener = Callable[[StrEnum, Mapping[str, Any]], None]
"""Is told an event and its particulars, each one, whether it is written or counted."""
LONGEST_WORDS = 400
"""Characters of one particular of an event that is counted: what strangers say is as long as they like."""


class AuditUnusable(OperatorError):
    """The audit's file cannot be opened. Nothing that is to be audited starts without it."""


class Audit:
    """Appends to a file; without one, events are log lines. clock: seconds since the epoch.

    A file that cannot be written any more, such as on a full disk, stops nobody: events are log lines then,
    and `failing` says why. Raises AuditUnusable.

    counted: events that are lines as long as they are few; source: an address as it is counted.
    """

    def __init__(
        self,
        file: Path | None,
        clock: Callable[[], float],
        *,
        counted: Collection[StrEnum] = (),
        source: Callable[[str], str] = str,
    ) -> None:
        self._clock = clock
        self._counted = frozenset(counted)
        self._source = source
        self._floods = Floods[str]()
        self._descriptor = None if file is None else _opened(file)
        self._listeners: list[Listener] = []
        self.failing: str | None = None

    def hear(self, listener: Listener) -> None:
        """Have every event told to `listener` as well, so that what it counts is what happened."""
        self._listeners.append(listener)

    def write(self, event: StrEnum, **particulars: Any) -> None:
        """What happened. A particular that is None is left out. Replicas may share a file."""
        said = {name: value for name, value in particulars.items() if value is not None}
        for listener in self._listeners:
            listener(event, said)
        if event in self._counted:
            self.tell_counted()
            if not self._floods.tells(event.value, self._source_of(said), self._clock()):
                return
            said = {name: _cut(value) for name, value in said.items()}
        self._put(event.value, said)

    def tell_counted(self) -> None:
        """Write how many events were only counted in the minutes that have ended. Called now and then."""
        self._tell(self._floods.ended(self._clock()))

    def close(self) -> None:
        """Let go of the file, once all that was counted stands in it."""
        self._tell(self._floods.all())
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _source_of(self, said: Mapping[str, Any]) -> str | None:
        address = said.get("address")
        return None if address is None else self._source(str(address))

    def _tell(self, untold: Iterator[Untold[str]]) -> None:
        for those in untold:
            where = {} if those.source is None else {"address": those.source}
            self._put(those.kind, {**where, "more": those.count, "seconds": int(SECONDS)})

    def _put(self, event: str, said: Mapping[str, Any]) -> None:
        if self._descriptor is None or not self._appended(self._descriptor, event, said):
            log.info(event, **said)

    def _appended(self, descriptor: int, event: str, said: Mapping[str, Any]) -> bool:
        line = audit_line(self._clock(), event, said)
        try:
            whole = os.write(descriptor, line) == len(line)
        except OSError as error:
            self.failing = f"the audit file cannot be written: {error.strerror}"
        else:
            self.failing = None if whole else "the audit file cannot be written: there was no room for a line"
        return self.failing is None


def _opened(file: Path) -> int:
    try:
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise AuditUnusable(f"the audit file {file} cannot be opened: {error.strerror}") from None


def in_words(now: float) -> str:
    """RFC 3339, to the millisecond."""
    return f"{_second(int(now))}.{int(now % 1 * 1000):03d}+00:00"


@lru_cache(maxsize=1)
def _second(now: int) -> str:
    return dt.datetime.fromtimestamp(now, dt.UTC).isoformat(timespec="seconds").removesuffix("+00:00")


def audit_line(now: float, event: str, particulars: Mapping[str, Any]) -> bytes:
    """One line, in which nothing is secret."""
    said = {"time": in_words(now), "event": event}
    said.update((name, value) for name, value in particulars.items() if value is not None)
    try:
        line = msgspec.json.encode(said)
    except TypeError:  # such as a Secret, which `redacted` knows
        line = b""
    if not line or not is_harmless(line.decode(), said):
        line = msgspec.json.encode(redacted(said))
    return line + b"\n"


def _cut(value: Any) -> Any:
    is_long = isinstance(value, str) and len(value) > LONGEST_WORDS
    return f"{value[:LONGEST_WORDS]}…" if is_long else value
