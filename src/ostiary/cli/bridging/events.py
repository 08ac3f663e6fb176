"""A server's event stream, and the ids in it, by which the rest of one that broke off is found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import cast

import httpx2

from ostiary.mcp.events import EventReader, EventTooLong
from ostiary.transport.road import MOST_BYTES


class ToldEvents(httpx2.AsyncByteStream):
    """The stream as it is. told: of every id, before what came under it is handed on."""

    def __init__(self, response: httpx2.Response, told: Callable[[str], None]) -> None:
        self._source = cast("httpx2.AsyncByteStream", response.stream)
        self._told = told

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """One piece for each that comes."""
        reader, last_id = EventReader(MOST_BYTES), b""
        try:
            async for chunk in self._source:
                reader.feed(chunk)
                if reader.last_event_id != last_id:
                    last_id = reader.last_event_id
                    self._told(last_id.decode("utf-8", "replace"))
                yield chunk
        except EventTooLong:
            return

    async def aclose(self) -> None:
        """Leave the server."""
        await self._source.aclose()
