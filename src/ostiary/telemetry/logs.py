"""Logs: one line an event, to standard error; readable on a terminal, JSON elsewhere.

set_up_logs()       once, when a process of ours starts; a library import never configures anything

Our events and the lines of the libraries below are held to the same: no secret, no token and no forged line
leaves in any value or key. What strangers cause at will is counted beyond so many lines a minute: see
`counting_handler`.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from ostiary.event_log import Event
from ostiary.telemetry.counting_handler import SAID, CountingHandler
from ostiary.telemetry.redaction import cut, one_line, redacted, without_tokens

TRACEBACK = "exception"
"""The key under which a formatted traceback stands: the one value that may have several lines."""
_NEEDS_QUOTES = frozenset(" \t=\r\n\"'")
_PLAIN, _BOLD, _DIM, _CYAN, _GREEN, _YELLOW, _RED = (f"\x1b[{code}m" for code in (0, 1, 2, 36, 32, 33, 31))


def set_up_logs(
    stream: TextIO | None = None,
    *,
    level: int = logging.INFO,
    readable: bool | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Send our events, and warnings of the libraries below, to `stream` (default: standard error).

    readable: lines for people instead of JSON. Default: when the stream is a terminal. clock: seconds.
    """
    stream = stream or sys.stderr
    terminal = stream.isatty()
    for_people = terminal if readable is None else readable
    handler = CountingHandler(stream, clock)
    handler.setFormatter(_Lines(_Readable(colours=terminal) if for_people else json.dumps))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("ostiary").setLevel(level)


class _Lines(logging.Formatter):
    """A record → what it says, with nothing that must not be seen → a line."""

    def __init__(self, render: Callable[[Mapping[str, Any]], str]) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        said = dict(record.msg) if isinstance(record.msg, Event) else _of_a_library(record)
        traceback = said.pop(TRACEBACK, None)
        if traceback is None and record.exc_info:
            traceback = self.formatException(record.exc_info)
        at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="microseconds")
        said |= {"logger": record.name, "level": record.levelname.lower()}
        said["timestamp"] = f"{at.removesuffix('+00:00')}Z"
        line: dict[str, Any] = redacted(said)
        if traceback is not None:
            line[TRACEBACK] = _safe_traceback(str(traceback))
        return self._render(line)


class _Readable:
    """A line for people."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    def __call__(self, line: Mapping[str, Any]) -> str:
        rest = dict(line)
        at, level, event, logger = (rest.pop(name) for name in ("timestamp", "level", "event", "logger"))
        traceback = rest.pop(TRACEBACK, None)
        colour = _GREEN if level in {"debug", "info"} else _YELLOW if level == "warning" else _RED
        words = [
            self._in(_DIM, at),
            f"[{self._in(colour, level.ljust(9))}]",
            self._in(_BOLD, event),
            f"[{self._in(_BOLD, logger)}]",
            *(f"{self._in(_CYAN, name)}={_quoted(value)}" for name, value in rest.items()),
        ]
        return "\n".join([" ".join(words), *([] if traceback is None else [traceback])])

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{_PLAIN}" if self._colours else text


def _of_a_library(record: logging.LogRecord) -> dict[str, Any]:
    counted = {name: record.__dict__[name] for name in SAID if name in record.__dict__}
    return {"event": record.getMessage(), **counted}


def _safe_traceback(text: str) -> str:
    lines = without_tokens("\n".join(map(cut, text.splitlines()))).splitlines()
    return "\n".join(f"  | {one_line(line)}" for line in lines)  # so that none looks like an event


def _quoted(value: Any) -> str:
    return value if isinstance(value, str) and not _NEEDS_QUOTES & set(value) else repr(value)
