"""Answers that come compressed, as if they had not: whole ones and streams.

However little came, it may be a great deal. So each turn of the event loop unpacks a piece, no more comes of
an answer than it may be long, and of codings that hold megabytes only so many streams are read at once.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from ostiary.transport.unpacking import NotUnpacked, Unpacker
from ostiary.transport.upstream.answer import Source, Stream
from ostiary.transport.upstream.errors import CallStep
from ostiary.transport.upstream.loop_share import SHARE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.transport.upstream.errors import UpstreamFailed

PIECE = 32 * 1024
"""How much is unpacked at once. What takes longest takes about a millisecond."""
WIDE_STREAMS = 16
"""How many streams of one server may be compressed with what holds megabytes for each."""


class UnpackedTooLong(Exception):
    """More comes out than an answer may have."""


class UnpackedStream(Stream):
    """A stream whose bytes come compressed. ended: called once, when the unpacker holds nothing any more."""

    def __init__(
        self,
        source: Source,
        unpacker: Unpacker,
        failed: Callable[[CallStep, str], UpstreamFailed],
        ended: Callable[[], None],
    ) -> None:
        super().__init__(source)
        self._unpacker = unpacker
        self._failed = failed
        self._let_go: Callable[[], None] | None = ended
        self._gives_way_at = 0.0

    def close(self) -> None:
        """As of every stream."""
        self._drop_unpacker()
        super().close()

    async def __anext__(self) -> bytes:
        try:
            while not (piece := await self._piece()):
                pass
        except NotUnpacked as error:
            self.close()
            raise self._failed(CallStep.ANSWER, str(error)) from None
        except BaseException:
            self._drop_unpacker()
            raise
        return piece

    async def _piece(self) -> bytes:
        if self._unpacker.is_finished or self._unpacker.needs_input:
            try:
                packed = await super().__anext__()
            except StopAsyncIteration:
                if not self._unpacker.is_finished:
                    raise NotUnpacked("its compressed answer ends before its end") from None
                raise
            return b"" if self._unpacker.is_finished else self._unpacker.feed(packed, PIECE)
        if perf_counter() > self._gives_way_at:
            await self._source.loop_share.come()
            self._gives_way_at = perf_counter() + SHARE_SECONDS
        return self._unpacker.feed(b"", PIECE)

    def _drop_unpacker(self) -> None:
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go()


class Unpacking:
    """The content of one whole answer, made in pieces."""

    def __init__(self, unpacker: Unpacker, packed: bytes, most_bytes: int) -> None:
        self.content = bytearray()
        self._unpacker = unpacker
        self._packed = packed
        self._at = 0
        self._most_bytes = most_bytes

    def goes_on(self) -> bool:
        """Make one more piece: whether there is more. Raises NotUnpacked, UnpackedTooLong."""
        piece = b""
        if self._unpacker.needs_input:
            piece = self._packed[self._at : self._at + PIECE]
            self._at += PIECE
        self.content += self._unpacker.feed(piece, PIECE)
        if len(self.content) > self._most_bytes:
            raise UnpackedTooLong
        if self._unpacker.is_finished:
            return False
        if self._unpacker.needs_input and self._at >= len(self._packed):
            raise NotUnpacked("its compressed answer ends before its end")
        return True
