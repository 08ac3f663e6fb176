"""The answer of one MCP server to one request: whole, or in pieces as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from time import perf_counter
from typing import Protocol

from ostiary.transport.upstream.errors import UpstreamFailed
from ostiary.transport.upstream.held import Room
from ostiary.transport.upstream.loop_share import SHARE_SECONDS, LoopShare

STREAM_HIGH_WATER = 256 * 1024
PIECE = 2 * 1024
"""How much of a stream is read at once. Two kilobytes of what takes longest take about a millisecond."""


@lru_cache(maxsize=64)
def media_type(value: bytes) -> bytes:
    """A Content-Type without its parameters, lower case."""
    return value.partition(b";")[0].strip().lower()


def by_name(fields: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Header fields by their names, the values of a repeated one joined by commas (RFC 9110 section 5.3)."""
    headers = dict(fields)
    if len(headers) == len(fields):
        return headers
    values: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    return {name: b", ".join(found) for name, found in values.items()}


class Source(Protocol):
    """The connection that a stream comes from."""

    loop_share: LoopShare

    def pause(self) -> None:
        """Whoever reads the stream is behind."""

    def resume(self) -> None:
        """Whoever reads the stream has caught up."""

    def drop(self) -> None:
        """Nobody reads the stream any more."""


class UpstreamAnswer:
    """The answer to one request: whole in `body`, or in pieces from `stream`.

    Header names are lower case; the values of a repeated header are joined by commas.
    """

    __slots__ = ("body", "content_type", "headers", "room", "status", "stream")

    def __init__(self, status: int, headers: dict[bytes, bytes]) -> None:
        self.status = status
        self.headers = headers
        self.content_type = media_type(headers.get(b"content-type", b""))
        self.body = b""
        self.room: Room | None = None
        self.stream: Stream | None = None

    def close(self) -> None:
        """Read no more of it."""
        if self.stream is not None:
            self.stream.close()


class Stream:
    """The body of an event stream, as it comes. Read to its end it frees the connection; `close` drops it.

    However much of it there is, whoever reads it gives way to others when its share of the turn is over.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._held = bytearray()
        self._turn_ends = 0.0
        self._ended = False
        self._error: UpstreamFailed | None = None
        self._wake: asyncio.Event = asyncio.Event()
        self.is_patient = False
        self.is_given_up = False
        """Whether it ends because nobody wants it any more."""

    def feed(self, data: bytes) -> None:
        """A piece arrived."""
        self._held += data
        if len(self._held) > STREAM_HIGH_WATER:
            self._source.pause()
        self._wake.set()

    def end(self, error: UpstreamFailed | None = None) -> None:
        """Nothing more will come."""
        self._ended, self._error = True, error
        self._wake.set()

    def pause(self) -> None:
        """Read no more for a while, in which it is not overdue, however long that is."""
        if not self._ended:
            self._source.pause()

    def resume(self) -> None:
        """Read on."""
        if not self._ended:
            self._source.resume()

    def close(self) -> None:
        """Stop reading. A stream that has not ended is cancelled at the server by closing its connection."""
        if not self._ended:
            self._source.drop()

    def give_up(self) -> None:
        """Nobody wants it any more: whoever reads it finds it at its end."""
        if not self._ended:
            self.is_given_up = True
            self._source.drop()
            self.end()

    def may_be_silent(self) -> None:
        """Let it say nothing for as long as it likes: else its server has failed that does not go on."""
        self.is_patient = True

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        if not self._held:
            await self._wait()
        elif perf_counter() > self._turn_ends:
            await self._source.loop_share.come()
            self._turn_ends = perf_counter() + SHARE_SECONDS
        piece = bytes(self._held[:PIECE])
        del self._held[:PIECE]
        if not self._ended and len(self._held) <= STREAM_HIGH_WATER // 2:
            self._source.resume()  # after its end it may be another's already
        return piece

    async def _wait(self) -> None:
        while not self._held:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
