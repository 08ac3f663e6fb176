"""HTTP+SSE (MCP 2024-11-05, transports): one stream for all that a client hears, and POSTs for what it says.

The stream's first event says where to post. A session lasts as long as its stream, and is in memory alone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ostiary.gateway import record
from ostiary.gateway.call import Call, account_of
from ostiary.gateway.catalog.translate import STREAM_HEADERS
from ostiary.gateway.errors import SessionUnknown, TryLater
from ostiary.gateway.homes import ONE_PROCESS, Homes
from ostiary.gateway.sessions.legacy_door import LegacyDoor, accepted, refused
from ostiary.gateway.sessions.listen_stream import ListenStream
from ostiary.gateway.sessions.session import Session
from ostiary.inline_coroutines import InlineCoroutine, as_future, in_task, taken
from ostiary.mcp.errors import InvalidRequest, McpError, NotOneRequest
from ostiary.mcp.events import write_event
from ostiary.mcp.legacy_client.handshake import read_introduction
from ostiary.mcp.legacy_client.requests import asking
from ostiary.mcp.messages import Message, read_message
from ostiary.mcp.server_message import read_server_message
from ostiary.transport.inline_http import Answer, Request, StreamedAnswer, close_stream

if TYPE_CHECKING:
    from ostiary.gateway.sessions.live_sessions import LiveSession, LiveSessions
    from ostiary.identity.principal import Principal

SUFFIX = "/sse"
"""Of the endpoint's own path."""
MOST_MESSAGES = 64
MOST_BYTES = 8 * 1024 * 1024
"""What one client may have us work on at once: messages, and their bytes."""
BESIDES = 1024
_NAMES = b"session_id="


class HttpSse:
    """Of one endpoint. url: its path as clients see it."""

    def __init__(
        self, url: str, door: LegacyDoor, sessions: LiveSessions, homes: Homes = ONE_PROCESS
    ) -> None:
        self._homes = homes
        self._url = url
        self._door = door
        self._sessions = sessions
        self._channels: dict[str, _Channel] = {}

    async def listen(self, principal: Principal | None, request: Request) -> StreamedAnswer:
        """Begin a session: its stream. Raises TryLater."""
        account = account_of(principal, request)
        self._sessions.open_stream(account)
        key = self._homes.key()
        live = self._sessions.enter(key, account)
        call = Call(asking(b"ping", {}), principal, request, key)
        stream = ListenStream(call, live.resources, seconds=self._door.seconds_of(principal))
        stream.first_event = b"event: endpoint\ndata: %s?%s%s\n\n" % (
            self._url.encode(),
            _NAMES,
            key.encode(),
        )
        live.listening = stream
        channel = self._channels[key] = _Channel(key, _whose(principal), live, stream, self._door)

        def close() -> None:
            del self._channels[key]
            live.listening = None
            channel.end()
            self._sessions.leave(key, account)
            self._sessions.close_stream(account)

        return StreamedAnswer(200, stream.chunks(), STREAM_HEADERS, close, is_standing=True)

    def end_streams(self) -> None:
        """Whoever listens has to begin again."""
        for channel in list(self._channels.values()):
            channel.end_stream()

    def post(self, body: bytes, principal: Principal | None, request: Request) -> Answer:
        """Take a message. Raises SessionUnknown, TryLater, Elsewhere."""
        named = [one[len(_NAMES) :] for one in request.query.split(b"&") if one.startswith(_NAMES)]
        key = named[0].decode("latin-1") if len(named) == 1 else ""
        self._homes.require_here(key, SessionUnknown())
        channel = self._channels.get(key)
        if channel is None or channel.whose != _whose(principal):
            raise SessionUnknown
        channel.take(body, principal, request)
        return accepted()


class _Channel:
    """One client: what it said is worked on, and its answers go out on its stream."""

    def __init__(
        self, key: str, whose: object, live: LiveSession, stream: ListenStream, door: LegacyDoor
    ) -> None:
        self.whose = whose
        self._key = key
        self._live = live
        self._stream = stream
        self._door = door
        self._session: Session | None = None
        self._working: dict[asyncio.Task[None], int] = {}

    def take(self, body: bytes, principal: Principal | None, request: Request) -> None:
        """Hear what wants no answer, and work on what does. Raises TryLater."""
        try:
            message = read_message(body)
        except NotOneRequest as error:
            if body.lstrip(b" \t\r\n").startswith(b"["):
                self._work(_said(error.to_json()), len(body))
            elif self._session is not None:
                self._door.hear(read_server_message(body), self._session, principal, request)
        except McpError as error:
            self._work(_said(error.to_json()), len(body))
        else:
            answered = self._answered(message, principal, request)
            if message.id is None:
                as_future(answered)
            else:
                self._work(answered, len(body))

    def end_stream(self) -> None:
        """It hears no more, and has to begin again."""
        self._stream.end()

    def end(self) -> None:
        """The client has gone."""
        self._stream.end()
        self._live.end()
        for task in list(self._working):
            task.cancel()

    def _work(self, answered: InlineCoroutine[Answer | StreamedAnswer], size: int) -> None:
        size += BESIDES
        if len(self._working) >= MOST_MESSAGES or sum(self._working.values()) + size > MOST_BYTES:
            answered.close()
            raise TryLater("too much of what you sent is under way: wait for answers first")
        task = in_task(self._told(answered))
        self._working[task] = size
        task.add_done_callback(lambda done: self._working.pop(done, None))

    async def _told(self, answered: InlineCoroutine[Answer | StreamedAnswer]) -> None:
        try:
            answer = await taken(answered, close_stream)
            if isinstance(answer, Answer):
                if answer.body:
                    await self._stream.send(write_event(answer.body))
                return
            try:
                async for chunk in answer.chunks:
                    await self._stream.send(chunk)
            finally:
                answer.close()
        except Exception as error:  # noqa: BLE001 - a fault of ours: told in the log, not to the client
            record.crashed(error)

    async def _answered(
        self, message: Message, principal: Principal | None, request: Request
    ) -> Answer | StreamedAnswer:
        if message.method == b"initialize" and message.id is not None:
            return await self._begin(message, principal, request)
        if self._session is None:
            return refused(InvalidRequest("initialize comes first"), message)
        return await self._door.take(message, self._session, principal, request)

    async def _begin(self, message: Message, principal: Principal | None, request: Request) -> Answer:
        if self._session is not None:
            return refused(InvalidRequest("this session has begun already"), message)
        try:
            session = Session(self._key, read_introduction(message.params))
        except McpError as error:
            return refused(error, message)
        answer, has_begun = await self._door.begin(message, session, principal, request)
        if has_begun:
            self._session = session
            self._door.let_hear(self._stream, session)
        return answer


async def _said(message: bytes) -> Answer:
    return Answer(200, message)


def _whose(principal: Principal | None) -> object:
    return None if principal is None else principal.identity
