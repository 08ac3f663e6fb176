"""A server's event stream as the SDK is to see it: read by our own reader, and written anew.

Ids and times to wait go on, since the SDK asks for the rest of a stream that broke off by them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx2

from ostiary.mcp.events import KEEP_ALIVE, EventReader, EventTooLong, write_event

MOST_BYTES = 16 * 1024 * 1024
"""The longest event, as at the gateway."""


class Events(httpx2.AsyncByteStream):
    """The stream. told: of every id that comes in it."""

    def __init__(self, response: httpx2.Response, told: Callable[[str], None]) -> None:
        self._source = cast("httpx2.AsyncByteStream", response.stream)
        self._told = told
        self._last_id = b""
        self._pause: int | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """One piece for each that comes. A stream that breaks off has ended."""
        reader = EventReader(MOST_BYTES)
        try:
            async for chunk in self._source:
                messages = [data for data in reader.feed(chunk) if data != KEEP_ALIVE]
                yield self._written(reader, messages)
        except (httpx2.TransportError, EventTooLong):
            return

    async def aclose(self) -> None:
        """Leave the server."""
        await self._source.aclose()

    def _written(self, reader: EventReader, messages: list[bytes]) -> bytes:
        *before, last = messages or [b""]
        mark = self._mark(reader)
        if not messages and not mark:
            return b""
        return b"".join(map(write_event, before)) + mark + write_event(last)

    def _mark(self, reader: EventReader) -> bytes:
        """What is new of ids and times; it stands before the last message that came with it."""
        mark = b""
        if reader.reconnection_time != self._pause and reader.reconnection_time is not None:
            mark += b"retry: %d\n" % reader.reconnection_time
        if reader.last_event_id != self._last_id:
            mark += b"id: %s\n" % reader.last_event_id
            self._told(reader.last_event_id.decode("utf-8", "replace"))
        self._pause, self._last_id = reader.reconnection_time, reader.last_event_id
        return mark
