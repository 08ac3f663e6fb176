"""The events of a stream (WHATWG HTML, server-sent events), cut where they end.

Only `data` matters to MCP over HTTP; comments keep a connection alive and are passed on.
"""

from __future__ import annotations

import re

_END_OF_EVENT = re.compile(rb"\r\n\r\n|\n\n|\r\r|\r\n\n|\n\r\n")
_LINES = re.compile(rb"\r\n|\n|\r")


class EventTooLong(Exception):
    """An event is longer than is held."""


class EventReader:
    """Cuts a byte stream into events."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that this chunk completes, each with its final blank line. Raises EventTooLong."""
        text = self._held + chunk
        events = []
        start = 0
        search_from = max(0, len(self._held) - 3)
        while (match := _END_OF_EVENT.search(text, search_from)) is not None:
            events.append(text[start : match.end()])
            start = search_from = match.end()
        self._held = text[start:]
        if len(self._held) > self._max_bytes:
            raise EventTooLong
        return events


def event_data(event: bytes) -> bytes | None:
    """The data of one event; None when it has none, such as a comment."""
    lines = [line for line in _LINES.split(event) if line.startswith(b"data:") or line == b"data"]
    if not lines:
        return None
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


def write_event(data: bytes) -> bytes:
    """A message event with this one-line data."""
    return b"event: message\ndata: %s\n\n" % data
