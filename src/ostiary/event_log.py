"""What happened, said to Python's logging: a few fixed words, with the particulars as keys.

    log = event_log("ostiary.gateway")
    log.warning("server_failed", server=name, problem=sentence)

Whoever sets up logging says what becomes of it, as our processes do in `telemetry.logs`. Where nobody did,
warnings are lines on standard error: what is said here is said nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any


class Event(dict[str, Any]):
    """A record's `msg`: the particulars, and the event. Its text is for handlers that know nothing of it."""

    def __str__(self) -> str:
        return " ".join([self["event"], *(f"{name}={self[name]}" for name in self if name != "event")])


class EventLog:
    """Where one part tells its events."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def info(self, event: str, **particulars: Any) -> None:
        """Something happened."""
        self._tell(logging.INFO, event, particulars)

    def warning(self, event: str, **particulars: Any) -> None:
        """Something happened at which somebody may have to look."""
        self._tell(logging.WARNING, event, particulars)

    def error(self, event: str, **particulars: Any) -> None:
        """Something happened that must not."""
        self._tell(logging.ERROR, event, particulars)

    def _tell(self, level: int, event: str, particulars: Mapping[str, Any]) -> None:
        logger = self._logger
        if not logger.isEnabledFor(level):
            return
        record = logger.makeRecord(logger.name, level, __file__, 0, Event(particulars, event=event), (), None)
        logger.handle(record)
        if level >= logging.WARNING and logging.lastResort is not None and _nobody_hears(logger):
            logging.lastResort.handle(record)


def event_log(name: str) -> EventLog:
    """That of a part: `ostiary.` and its name."""
    return EventLog(logging.getLogger(name))


def _nobody_hears(logger: logging.Logger | None) -> bool:
    """Whether there is no handler but those that do nothing."""
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return False
        logger = logger.parent if logger.propagate else None
    return True
