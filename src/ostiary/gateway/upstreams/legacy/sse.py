"""A conversation over HTTP+SSE (MCP 2024-11-05, transports).

A GET opens the one stream on which all comes. Its first event says where messages are sent to; that must be
at the same origin, or a server could have our credential sent elsewhere.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from ostiary import __version__
from ostiary.gateway.upstreams.legacy.channel import ConversationLost
from ostiary.inline_coroutines import as_future, hopping, in_task
from ostiary.mcp.events import KEEP_ALIVE, EventReader, EventTooLong
from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url
from ostiary.transport.content_coding import compression, refusal
from ostiary.transport.upstream import LARGE, CallStep, Room, UpstreamFailed

if TYPE_CHECKING:
    from ostiary.gateway.upstreams.legacy.channel import Postage, Receiver, RequestId
    from ostiary.transport.upstream import Stream, Upstream, UpstreamAnswer

ENDPOINT = b"endpoint"
LONGEST_ENDPOINT = 4096
ERRORS = 400
GONE = frozenset({400, 404, 410})
"""With these, servers refuse what is sent to a session that they don't know."""


class SseChannel:
    """A Channel over two pools of connections: one for messages, one for streams that may long be silent."""

    has_own_streams = False
    has_session = True

    def __init__(self, calls: Upstream, listening: Upstream, receiver: Receiver) -> None:
        self._calls = calls
        self._listening = listening
        self._receiver = receiver
        self._endpoint: asyncio.Future[CanonicalUrl] = asyncio.get_running_loop().create_future()
        self._stream: Stream | None = None
        self._reading: asyncio.Task[None] | None = None
        self._version_line = b""
        self._is_closed = False

    async def send(
        self, message: bytes, request: RequestId | None, postage: Postage
    ) -> UpstreamAnswer | None:
        """As of every Channel."""
        if self._is_closed:
            raise ConversationLost
        if self._stream is None:
            refused = await self._open(postage)
            if refused is not None:
                return refused
        answer = await self._calls.exchange(
            self._post(await self._endpoint, message, postage), postage.account, postage.most_bytes
        )
        answer.close()
        if answer.status in GONE and self._version_line:
            self.close()
            raise ConversationLost
        return answer if answer.status >= ERRORS else None

    def agreed(self, version: str) -> None:
        """As of every Channel."""
        self._version_line = b"mcp-protocol-version: %s\r\n" % version.encode()

    async def listen(self, postage: Postage) -> None:
        """As of every Channel: it comes anyway."""

    def stop_listening(self) -> None:
        """As of every Channel."""

    def pause(self, request: RequestId) -> None:
        """As of every Channel: all comes on one stream."""

    def resume(self, request: RequestId) -> None:
        """As of every Channel."""

    def forget(self, request: RequestId) -> None:
        """As of every Channel."""

    def close(self, postage: Postage | None = None) -> None:
        """As of every Channel."""
        self._is_closed = True
        if self._stream is not None:
            self._stream.close()
        if self._reading is not None:
            self._reading.cancel()

    # what goes out

    async def _open(self, postage: Postage) -> UpstreamAnswer | None:
        """Open the stream, and wait until it says where to send messages: None, or how that was refused."""
        get = self._head(b"GET", self._listening.url, postage) + b"accept: text/event-stream\r\n\r\n"
        answer = await self._listening.exchange(get, postage.account, self._calls.limits.answer_bytes)
        stream = answer.stream
        if stream is None:
            return answer if answer.status >= ERRORS else _not_here(answer)
        if self._is_closed:
            stream.close()
            raise ConversationLost
        coding = compression(answer.headers.get(b"content-encoding", b"").decode("latin-1"))
        if coding is not None:
            stream.close()
            raise self._calls.failed(CallStep.ANSWER, refusal(coding))
        stream.may_be_silent()
        self._stream = stream
        self._reading = in_task(self._read(stream))
        await self._told()
        return None

    @hopping
    async def _told(self) -> None:
        """Wait for the first event. Raises UpstreamFailed."""
        seconds = self._calls.limits.timeout
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._endpoint)
        except TimeoutError:
            reason = f"its stream does not say within {seconds:g} s where messages are sent to"
            raise self._calls.failed(CallStep.TIMEOUT, reason) from None

    def _post(self, endpoint: CanonicalUrl, message: bytes, postage: Postage) -> bytes:
        return b"%scontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
            self._head(b"POST", endpoint, postage),
            len(message),
            message,
        )

    def _head(self, method: bytes, url: CanonicalUrl, postage: Postage) -> bytes:
        attached = "".join(f"{name}: {value}\r\n" for name, value in postage.attached)
        own = (
            f" {url.target} HTTP/1.1\r\nhost: {url.authority}\r\nuser-agent: ostiary/{__version__}\r\n"
            f"accept-encoding: {self._calls.accept_encoding}\r\n{attached}"
        )
        return method + own.encode("latin-1") + postage.lines + self._version_line

    # what comes

    async def _read(self, stream: Stream) -> None:
        failure: UpstreamFailed | None = None
        try:
            await self._read_events(stream)
        except UpstreamFailed as error:
            failure = error
        except EventTooLong:
            failure = self._calls.failed(CallStep.SIZE, "an event of its stream is too long")
        finally:
            stream.close()
        if not self._is_closed:
            self._is_closed = True
            why = failure or self._calls.failed(CallStep.ANSWER, "its stream ended")
            if not self._endpoint.done():
                self._endpoint.set_exception(why)
                self._endpoint.exception()  # perhaps nobody waits for it any more
            self._receiver.closed(why)

    async def _read_events(self, stream: Stream) -> None:
        reader = EventReader(self._calls.limits.answer_bytes, types=(ENDPOINT,))
        room: Room | None = None
        async for chunk in stream:
            if room is None and reader.held > LARGE:
                room = await as_future(self._calls.held.room(self._calls.limits.answer_bytes))
            for data in reader.feed(chunk):
                self._take(data, room)
            if reader.held <= LARGE:
                room = None

    def _take(self, data: bytes, room: Room | None) -> None:
        if data == KEEP_ALIVE or self._is_closed:
            return
        if not self._endpoint.done():
            self._endpoint.set_result(self._read_endpoint(data))
        elif data.lstrip()[:1] == b"{":  # else it is another event of that type, which has no meaning
            self._receiver.received(data, None, room)

    def _read_endpoint(self, data: bytes) -> CanonicalUrl:
        """Where messages are sent to. Raises UpstreamFailed."""
        place = self._listening.url
        try:
            if len(data) > LONGEST_ENDPOINT:
                raise UrlRefused("it is too long")
            endpoint = canonical_url(urljoin(str(place), data.decode("ascii")))
        except ValueError as error:
            why = str(error) if isinstance(error, UrlRefused) else "it is no URL"
            raise self._calls.failed(
                CallStep.ANSWER, f"the endpoint that its stream names cannot be used: {why}"
            ) from None
        if endpoint.origin != place.origin:
            reason = f"the endpoint that its stream names is not at {place.origin}, where the stream is"
            raise self._calls.failed(CallStep.ANSWER, reason)
        return endpoint


def _not_here(answer: UpstreamAnswer) -> UpstreamAnswer:
    """An answer without a stream, as the refusal that it is."""
    answer.status = 405
    return answer
