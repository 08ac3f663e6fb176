"""Several messages in one body (MCP 2025-03-26 alone), answered on one stream in their order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from ostiary.gateway.catalog.translate import STREAM_HEADERS
from ostiary.inline_coroutines import InlineCoroutine, taken
from ostiary.mcp.errors import InvalidRequest, ParseError
from ostiary.mcp.events import write_event
from ostiary.mcp.raw_object import read_items
from ostiary.transport.inline_http import Answer, StreamedAnswer, close_stream

VERSION = "2025-03-26"
MOST_MESSAGES = 100

Take = Callable[[bytes], InlineCoroutine[Answer | StreamedAnswer]]
"""What answers one message. It raises nothing."""


def read_batch(body: bytes, version: str) -> list[bytes]:
    """The messages. Raises ParseError or InvalidRequest."""
    if version != VERSION:
        raise InvalidRequest(f"a batch is not taken in a session of {version}: send one message")
    try:
        messages = read_items(body, MOST_MESSAGES + 1)
    except InvalidRequest:
        raise ParseError("the body is not well-formed JSON") from None
    if not 0 < len(messages) <= MOST_MESSAGES:
        raise InvalidRequest(f"a batch has 1 to {MOST_MESSAGES} messages: send fewer at once")
    return [bytes(message) for message in messages]


class Batch:
    """Answers messages one after the other."""

    def __init__(self, messages: Sequence[bytes], take: Take) -> None:
        self._messages = messages
        self._take = take
        self._streaming: StreamedAnswer | None = None

    def answer(self) -> StreamedAnswer:
        """One stream with all their answers."""
        return StreamedAnswer(200, self._events(), STREAM_HEADERS, self._close)

    async def _events(self) -> AsyncIterator[bytes]:
        for message in self._messages:
            answer = await taken(self._take(message), close_stream)
            if isinstance(answer, Answer):
                if answer.body:
                    yield write_event(answer.body)
                continue
            self._streaming = answer
            async for chunk in answer.chunks:
                yield chunk
            self._close()

    def _close(self) -> None:
        streaming, self._streaming = self._streaming, None
        if streaming is not None:
            streaming.close()
