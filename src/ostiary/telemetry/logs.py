"""Logs: one line an event, to standard error; readable on a terminal, JSON elsewhere.

set_up_logs()       once, when a process of ours starts; a library import never configures anything
redact              the last processor of every chain, ours and foreign loggers' alike

What strangers cause at will is counted beyond so many lines a minute: see `counting_handler`.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

from ostiary.telemetry.counting_handler import SAID, CountingHandler
from ostiary.telemetry.redaction import cut, one_line, redacted, without_tokens

TRACEBACK = "exception"
"""The key under which a formatted traceback stands: the one value that may have several lines."""


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
    render = _readable(colours=terminal) if for_people else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_chain(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = CountingHandler(stream, clock)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(allow=SAID), *_chain()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("ostiary").setLevel(level)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: no secret, no token and no forged line leaves in any value or key."""
    traceback = event.pop(TRACEBACK, None)
    bookkeeping = {key: event.pop(key) for key in ("_record", "_from_structlog") if key in event}
    clean: dict[str, Any] = redacted(event)
    if traceback is not None:
        lines = without_tokens("\n".join(map(cut, str(traceback).splitlines()))).splitlines()
        clean[TRACEBACK] = "\n".join(f"  | {one_line(line)}" for line in lines)  # so none looks like an event
    return clean | bookkeeping


def _chain() -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]


def _readable(*, colours: bool) -> structlog.typing.Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colours, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )
