"""What our parts told, before anything in it was hidden, whether or not anybody set up logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ostiary.event_log import Event


class _Collector(logging.Handler):
    def __init__(self, found: list[dict[str, Any]]) -> None:
        super().__init__()
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, Event):
            self._found.append({**record.msg, "log_level": record.levelname.lower()})


@contextmanager
def captured_events() -> Iterator[list[dict[str, Any]]]:
    """Each event with its particulars, and its `log_level`."""
    found: list[dict[str, Any]] = []
    ours, collector = logging.getLogger("ostiary"), _Collector(found)
    level = ours.level
    ours.addHandler(collector)
    ours.setLevel(logging.INFO)
    try:
        yield found
    finally:
        ours.setLevel(level)
        ours.removeHandler(collector)
