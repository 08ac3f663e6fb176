"""The audit file: one line of JSON an event, appended and never changed.

Each event is a member of an enumeration, documented where it is declared; `docs/reference/audit.md` lists
them all. Values go through the same net as those of logs.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import structlog

from ostiary.telemetry.redaction import is_harmless, redacted

log = structlog.get_logger("ostiary.audit")


class Audit:
    """Appends to a file; without one, events are log lines. clock: seconds since the epoch."""

    def __init__(self, file: Path | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._descriptor: int | None = None
        if file is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._descriptor = os.open(file, flags, 0o600)

    def write(self, event: StrEnum, **particulars: Any) -> None:
        """What happened. A particular that is None is left out. Replicas may share a file."""
        said = {name: value for name, value in particulars.items() if value is not None}
        if self._descriptor is None:
            log.info(str(event), **said)
            return
        at = dt.datetime.fromtimestamp(self._clock(), dt.UTC).isoformat(timespec="milliseconds")
        os.write(self._descriptor, _line({"time": at, "event": event.value, **said}))

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _line(said: dict[str, Any]) -> bytes:
    try:
        line = msgspec.json.encode(said)
    except TypeError:  # such as a Secret, which `redacted` knows
        line = b""
    if not line or not is_harmless(line.decode(), said):
        line = msgspec.json.encode(redacted(said))
    return line + b"\n"
