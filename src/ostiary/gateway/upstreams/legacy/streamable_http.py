"""A conversation over streamable HTTP (MCP 2025-11-25 and before, transports).

Each message is a POST. What follows from a request comes as its answer, or on a stream of events in its
place; where that ends before the answer, it goes on by a GET after the last event that came. What the server
says unasked comes by a GET of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from ostiary import __version__
from ostiary.gateway.upstreams.legacy.channel import ConversationLost, Postage, Receiver, RequestId
from ostiary.inline_coroutines import as_future, in_task, taken
from ostiary.mcp.events import KEEP_ALIVE, EventReader, EventTooLong
from ostiary.mcp.lost_session import is_session_lost
from ostiary.transport.content_coding import compression, refusal
from ostiary.transport.upstream import LARGE, CallerBusy, CallStep, Room, UpstreamAnswer, UpstreamFailed

if TYPE_CHECKING:
    from ostiary.transport.upstream import Stream, Upstream

SESSION_HEADER = b"mcp-session-id"
ACCEPTED = 202
ERRORS = 400
LINGER_SECONDS = 1.0
"""How long a stream may stay after its answer, so that its connection can serve another."""
SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 30.0
PAUSE = 1.0
"""Seconds before a stream that ended goes on, where the server wishes nothing else."""
PAUSES = (1.0, 2.0, 5.0, 10.0, LONGEST_PAUSE)
"""Seconds between tries to hear of a server that is away; the last one for ever."""
MOST_FRUITLESS = 3
"""How often in a row a stream may go on without anything new."""
REFUSED_TO_LISTEN = "it lets nobody listen with this credential any more"
REFUSED = frozenset({401, 403})
MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""With these a server that lets us listen may refuse it for now."""
_SESSION_ID = re.compile(rb"[\x21-\x7e]{1,1024}")


class StreamableHttpChannel:
    """A Channel over two pools of connections: one for calls, one for what the server says unasked."""

    has_own_streams = True

    def __init__(self, calls: Upstream, listening: Upstream, receiver: Receiver) -> None:
        self._calls = calls
        self._listening = listening
        self._receiver = receiver
        self._own_lines = (
            f" {calls.url.target} HTTP/1.1\r\nhost: {calls.url.authority}\r\n"
            f"user-agent: ostiary/{__version__}\r\naccept-encoding: {calls.accept_encoding}\r\n"
        ).encode()
        self._session_id: bytes | None = None
        self._session_lines = b""
        self._wanted: dict[RequestId, Stream | None] = {}
        """Requests that are neither answered nor forgotten, with the streams of those that have one."""
        self._told: RequestId | None = None
        """The one of which a message is being told."""
        self._paused: dict[RequestId, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Task[None] | None = None
        self._heard: asyncio.Future[None] | None = None
        """Done when the server has let us listen, or not."""
        self._listening_for = Postage((), b"", None, 0)
        self._is_closed = False

    @property
    def has_session(self) -> bool:
        """As of every Channel."""
        return self._session_id is not None

    async def send(
        self, message: bytes, request: RequestId | None, postage: Postage
    ) -> UpstreamAnswer | None:
        """As of every Channel."""
        if self._is_closed:
            raise ConversationLost
        if request is not None:
            self._wanted[request] = None
            self._listening_for = postage  # whose credential is the newest
        try:
            answer = await self._calls.exchange(
                self._post(message, postage), postage.account, postage.most_bytes, postage.timeout
            )
            return self._taken(request, postage, answer)
        except BaseException:
            self._wanted.pop(request or 0, None)
            raise

    def agreed(self, version: str) -> None:
        """As of every Channel."""
        self._session_lines = b"mcp-protocol-version: %s\r\n" % version.encode()
        if self._session_id is not None:
            self._session_lines += b"%s: %s\r\n" % (SESSION_HEADER, self._session_id)

    async def listen(self, postage: Postage) -> None:
        """As of every Channel."""
        self._listening_for = postage
        if self._listener is None:
            self._heard = asyncio.get_running_loop().create_future()
            self._listener = self._start(self._listen(self._heard))
        if self._heard is not None:
            await asyncio.shield(self._heard)

    def stop_listening(self) -> None:
        """As of every Channel."""
        if self._listener is not None:
            self._listener.cancel()
            self._listener = self._heard = None

    def pause(self, request: RequestId) -> None:
        """As of every Channel."""
        if request in self._wanted and request not in self._paused:
            self._paused[request] = asyncio.get_running_loop().create_future()
            stream = self._wanted[request]
            if stream is not None:
                stream.pause()

    def resume(self, request: RequestId) -> None:
        """As of every Channel."""
        paused, stream = self._paused.pop(request, None), self._wanted.get(request)
        if paused is not None:
            _done(paused)
            if stream is not None:
                stream.resume()

    def forget(self, request: RequestId) -> None:
        """As of every Channel."""
        self.resume(request)
        stream = self._wanted.pop(request, None)
        if stream is not None and request != self._told:
            stream.close()

    def close(self, postage: Postage | None = None) -> None:
        """As of every Channel."""
        if self._is_closed:
            return
        self._is_closed = True
        for stream in self._wanted.values():
            if stream is not None:
                stream.close()
        self._wanted.clear()
        for task in [*self._tasks]:
            task.cancel()
        if postage is not None and self._session_id is not None:
            in_task(self._say_farewell(postage))

    # what goes out

    def _post(self, message: bytes, postage: Postage) -> bytes:
        return b"POST%saccept: application/json, text/event-stream\r\n%scontent-length: %d\r\n\r\n%s" % (
            self._own_lines,
            b"content-type: application/json\r\n" + self._lines(postage),
            len(message),
            message,
        )

    def _get(self, postage: Postage, after: bytes) -> bytes:
        position = b"last-event-id: %s\r\n" % after if after else b""
        return b"GET%saccept: text/event-stream\r\n%s%s\r\n" % (
            self._own_lines,
            self._lines(postage),
            position,
        )

    def _lines(self, postage: Postage) -> bytes:
        attached = "".join(f"{name}: {value}\r\n" for name, value in postage.attached)
        return self._session_lines + attached.encode("latin-1") + postage.lines

    async def _say_farewell(self, postage: Postage) -> None:
        request = b"DELETE%s%s\r\n" % (self._own_lines, self._lines(postage))
        with contextlib.suppress(UpstreamFailed, CallerBusy):
            answer = await _answer(self._calls, request, postage)
            answer.close()

    # what comes back

    def _taken(
        self, request: RequestId | None, postage: Postage, answer: UpstreamAnswer
    ) -> UpstreamAnswer | None:
        if answer.status >= ERRORS:
            self._wanted.pop(request or 0, None)
            if self._session_id is not None and is_session_lost(answer.status, answer.body, request):
                raise ConversationLost
            return answer
        if request is None:
            answer.close()
            return None
        if not self._session_lines and SESSION_HEADER in answer.headers:
            self._session_id = self._read_session_id(answer)
        if answer.stream is None:
            del self._wanted[request]
            return answer
        self._require_plain(answer)
        if request in self._wanted:
            self._wanted[request] = answer.stream
            if request in self._paused:
                answer.stream.pause()
            self._start(self._read_answer(request, answer.stream, postage))
        return None

    def _read_session_id(self, answer: UpstreamAnswer) -> bytes:
        session_id = answer.headers[SESSION_HEADER]
        if _SESSION_ID.fullmatch(session_id) is None:
            answer.close()
            raise self._calls.failed(CallStep.ANSWER, "the session id that it gave is none")
        return session_id

    def _require_plain(self, answer: UpstreamAnswer) -> None:
        coding = compression(answer.headers.get(b"content-encoding", b"").decode("latin-1"))
        if coding is not None and answer.stream is not None:
            answer.stream.close()
            raise self._calls.failed(CallStep.ANSWER, refusal(coding))

    async def _read_answer(self, request: RequestId, stream: Stream, postage: Postage) -> None:
        """Tell what comes on the stream of a request, however often it breaks off."""
        reader, fruitless = EventReader(postage.most_bytes), 0
        while True:
            position = reader.last_event_id
            failure = await self._read(stream, reader, request)
            if request not in self._wanted:
                return
            fruitless = fruitless + 1 if reader.last_event_id == position else 0
            if reader.last_event_id and fruitless < MOST_FRUITLESS:
                await asyncio.sleep(_pause(reader, PAUSE))
                onward = await self._resumed(reader.last_event_id, postage)
                if request not in self._wanted:
                    if onward is not None:
                        onward.close()
                    return
                if onward is not None:
                    self._wanted[request] = stream = onward
                    reader = reader.resumed()
                    continue
            del self._wanted[request]
            self._receiver.ended(request, failure or self._ended_early())
            return

    async def _resumed(self, after: bytes, postage: Postage) -> Stream | None:
        """The stream as it goes on after this event; None where it does not."""
        try:
            answer = await _answer(self._calls, self._get(postage, after), postage)
        except (UpstreamFailed, CallerBusy):
            return None
        return answer.stream

    async def _read(
        self, stream: Stream, reader: EventReader, request: RequestId | None
    ) -> UpstreamFailed | None:
        """Tell what comes on one stream until it ends, or its request is answered: why it ended, if badly."""
        room: Room | None = None
        try:
            async for chunk in stream:
                if room is None and reader.held > LARGE:
                    room = await as_future(self._calls.held.room(self._calls.limits.answer_bytes))
                for message in reader.feed(chunk):
                    await self._tell(message, request, room)
                    if request is not None and request not in self._wanted:
                        await _see_out(stream)
                        return None
                if reader.held <= LARGE:
                    room = None
        except UpstreamFailed as error:
            return error
        except EventTooLong:
            return self._calls.failed(CallStep.SIZE, "an event of its stream is too long")
        finally:
            stream.close()
        return None

    async def _tell(self, message: bytes, request: RequestId | None, room: Room | None) -> None:
        if request is None:
            if message != KEEP_ALIVE:
                self._receiver.received(message, None, room)
            return
        self._told = request
        try:
            self._receiver.received(message, request, room)
        finally:
            self._told = None
        while request in self._paused:
            await self._paused[request]

    def _ended_early(self) -> UpstreamFailed:
        return self._calls.failed(CallStep.ANSWER, "its stream ended before its answer")

    # what comes unasked

    async def _listen(self, heard: asyncio.Future[None]) -> None:
        """Listen for as long as the server lets us."""
        after, pauses, was_heard = b"", chain(PAUSES, repeat(PAUSES[-1])), False
        try:
            while True:
                postage = self._listening_for
                answer = None
                with contextlib.suppress(UpstreamFailed, CallerBusy):
                    request = self._get(postage, after)
                    answer = await _answer(self._listening, request, postage)
                _done(heard)
                pause = next(pauses)
                if answer is not None and answer.stream is not None:
                    answer.stream.may_be_silent()
                    reader = EventReader(self._calls.limits.answer_bytes)
                    await self._read(answer.stream, reader, None)
                    after = reader.last_event_id or after
                    was_heard, pauses = True, chain(PAUSES, repeat(PAUSES[-1]))
                    pause = _pause(reader, PAUSE)
                elif answer is not None and answer.status not in MAY_PASS:
                    if was_heard and is_session_lost(answer.status, answer.body, None):
                        self._receiver.closed(self._calls.failed(CallStep.ANSWER, "it lost the session"))
                    elif answer.status in REFUSED:
                        self._listener = None
                        self._receiver.deaf(self._calls.failed(CallStep.ANSWER, REFUSED_TO_LISTEN))
                    return
                await asyncio.sleep(pause)
        finally:
            _done(heard)

    def _start(self, coroutine: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = in_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _answer(pool: Upstream, request: bytes, postage: Postage) -> UpstreamAnswer:
    """For somebody in a task."""

    async def exchange() -> UpstreamAnswer:
        return await pool.exchange(request, postage.account, postage.most_bytes, postage.timeout)

    return await taken(exchange(), UpstreamAnswer.close)


async def _see_out(stream: Stream) -> None:
    """Wait a little for the end of a stream that has said all."""
    loop = asyncio.get_running_loop()
    timer = loop.call_later(LINGER_SECONDS, stream.close)
    try:
        async for _ in stream:
            return
    finally:
        timer.cancel()


def _pause(reader: EventReader, otherwise: float) -> float:
    if reader.reconnection_time is None:
        return otherwise
    return min(max(reader.reconnection_time / 1000, SHORTEST_PAUSE), LONGEST_PAUSE)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
