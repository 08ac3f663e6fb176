"""What comes of legacy clients at one endpoint: messages (POST), who listens (GET), who is done (DELETE).

An error is an answer like any other (200), as their SDKs take every other status for the end of the
connection; 404 says that the session is over, so that they begin another (MCP 2025-11-25, transports).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ostiary.gateway.call import Call, account_of
from ostiary.gateway.catalog.routes import require
from ostiary.gateway.catalog.server_info import SERVER_INFO
from ostiary.gateway.catalog.translate import STREAM_HEADERS
from ostiary.gateway.errors import GatewayError
from ostiary.gateway.sessions.batch import Batch, read_batch
from ostiary.gateway.sessions.conversation import Conversation
from ostiary.gateway.sessions.listen_stream import ListenStream
from ostiary.gateway.sessions.listening import Listening
from ostiary.gateway.sessions.parameters import Parameters
from ostiary.gateway.sessions.session_ids import HEADER
from ostiary.gateway.sessions.whole_answer import whole_answer
from ostiary.mcp.eras import LEGACY_VERSIONS, MODERN, VERSION_KEY
from ostiary.mcp.errors import InvalidParams, InvalidRequest, McpError, MethodNotFound, NotOneRequest
from ostiary.mcp.headers import VERSION_HEADER, refuse_lies
from ostiary.mcp.legacy_client.answers import EMPTY_RESULT, legacy_code, legacy_error
from ostiary.mcp.legacy_client.handshake import initialize_result, read_introduction
from ostiary.mcp.legacy_client.requests import (
    MODERN_METHODS,
    UNASKED_LEVEL,
    asking,
    modern_request,
    read_level,
    sender_meta,
    withdrawn_request,
)
from ostiary.mcp.messages import Message, read_message, read_name, write_answer
from ostiary.mcp.raw_object import Raw, write_object
from ostiary.mcp.server_message import ServerMessage, read_server_message
from ostiary.transport.inline_http import Answer, Request, StreamedAnswer

if TYPE_CHECKING:
    from ostiary.gateway.catalog.live_routes import LiveRoutes
    from ostiary.gateway.sessions.live_sessions import LiveSession, LiveSessions
    from ostiary.gateway.sessions.session import Session, SessionRegistry
    from ostiary.identity.principal import Principal

LEEWAY_SECONDS = 30.0
"""How much longer than its token a stream lives, as tokens do."""
_JSON = b"content-type: application/json\r\n"
_VERSIONS = frozenset(version.encode() for version in LEGACY_VERSIONS)


def accepted() -> Answer:
    """For what is not answered."""
    return Answer(202, b"", b"")


class LegacyDoor:
    """Of one endpoint. clock: seconds since the epoch."""

    def __init__(
        self, routes: LiveRoutes, ids: SessionRegistry, sessions: LiveSessions, clock: Callable[[], float]
    ) -> None:
        self._routes = routes
        self._ids = ids
        self._sessions = sessions
        self._listening = Listening(routes)
        self._parameters = Parameters(routes)
        self._clock = clock

    async def post(
        self, message: Message, principal: Principal | None, request: Request
    ) -> Answer | StreamedAnswer:
        """Answer what is no modern request. Raises McpError for what is no legacy one either. Inline."""
        if message.id is not None:
            refuse_lies(message, request.headers, request.repeated)
            if message.method == b"initialize" and VERSION_KEY not in message.meta.members:
                return await self._initialize(message, principal, request)
        if not is_of_session(request) or VERSION_KEY in message.meta.members:
            if message.id is not None:
                message.require_modern()
            return accepted()
        return await self.take(message, self._opened(principal, request), principal, request)

    async def post_others(
        self, body: bytes, error: NotOneRequest, principal: Principal | None, request: Request
    ) -> Answer | StreamedAnswer:
        """Take a batch, or an answer. Raises McpError: this one for whoever has no session. Inline."""
        if not is_of_session(request):
            raise error
        session = self._opened(principal, request)
        if not body.lstrip(b" \t\r\n").startswith(b"["):
            self.hear(read_server_message(body), session, principal, request)
            return accepted()
        messages = read_batch(body, session.version)

        async def take(text: bytes) -> Answer | StreamedAnswer:
            return await self._take_one(text, session, principal, request)

        if not any(read_server_message(text).is_request for text in messages):
            for text in messages:
                await take(text)
            return accepted()
        return Batch(messages, take).answer()

    async def listen(self, principal: Principal | None, request: Request) -> StreamedAnswer:
        """The stream of what the client did not ask for. Raises SessionUnknown, InvalidRequest, TryLater."""
        session = self._opened(principal, request)
        call = Call(asking(b"ping", {}), principal, request, session.key)
        account = call.account
        self._sessions.open_stream(account)
        live = self._sessions.enter(session.key, account)
        seconds = self.seconds_of(principal)
        stream = ListenStream(call, live.resources, seconds=seconds)
        if live.listening is not None:
            live.listening.end()  # its client has come back, and nobody reads there any more
        live.listening = stream
        self.let_hear(stream, session)

        def close() -> None:
            stream.end()
            if live.listening is stream:
                live.listening = None
            self._sessions.leave(session.key, account)
            self._sessions.close_stream(account)

        return StreamedAnswer(200, stream.chunks(), STREAM_HEADERS, close, is_standing=True)

    def let_hear(self, stream: ListenStream, session: Session) -> None:
        """Let the client of a stream hear what changes."""
        self._listening.join(stream, sender_meta(session.introduction, UNASKED_LEVEL))

    async def end(self, principal: Principal | None, request: Request) -> Answer:
        """The client is done with its session. Raises SessionUnknown, InvalidRequest."""
        session = self._opened(principal, request)
        self._sessions.end(session.key, account_of(principal, request))
        return Answer(200, b"", b"")

    def end_streams(self) -> None:
        """Whoever listens has to come again."""
        self._listening.end_streams()

    def seconds_of(self, principal: Principal | None) -> float | None:
        """For how long a stream of this caller may last; None for ever."""
        return None if principal is None else principal.expires_at + LEEWAY_SECONDS - self._clock()

    # sessions

    async def _initialize(self, message: Message, principal: Principal | None, request: Request) -> Answer:
        try:
            introduction = read_introduction(message.params)
        except McpError as error:
            return refused(error, message)
        session, session_id = self._ids.begin(introduction, principal)
        answer, has_begun = await self.begin(message, session, principal, request)
        if has_begun:
            answer.headers += b"mcp-session-id: %s\r\n" % session_id.encode()
        return answer

    def _opened(self, principal: Principal | None, request: Request) -> Session:
        if HEADER in request.repeated:
            raise InvalidRequest("Mcp-Session-Id may be sent only once")
        version = request.headers.get(VERSION_HEADER)
        if version is not None and version not in _VERSIONS:
            spoken = ", ".join(LEGACY_VERSIONS)
            raise InvalidRequest(f"MCP-Protocol-Version is none of a session: {spoken}")
        session = self._ids.open(request.headers[HEADER], principal)
        self._sessions.require(session.key)
        return session

    def _sender(self, session: Session, live: LiveSession) -> Mapping[str, bytes]:
        return sender_meta(session.introduction, live.level)

    async def begin(
        self, message: Message, session: Session, principal: Principal | None, request: Request
    ) -> tuple[Answer, bool]:
        """The answer to `initialize`, and whether the session has begun by it. Inline."""
        try:
            discover = asking(b"server/discover", sender_meta(session.introduction, UNASKED_LEVEL))
            call = Call(discover, principal, request, session.key)
            answered = await self._routes.follow(call)
            kind, value = await whole_answer(answered, call.id)
            if kind == "result":
                value = initialize_result(session.version, value, SERVER_INFO)
            else:
                value = legacy_error(message.method, value)
        except McpError as error:
            return refused(error, message), False
        return Answer(200, write_answer(message.id or b"null", kind, value)), kind == "result"

    # messages

    async def _take_one(
        self, text: bytes, session: Session, principal: Principal | None, request: Request
    ) -> Answer | StreamedAnswer:
        """Of a batch."""
        try:
            message = read_message(text)
        except NotOneRequest:
            self.hear(read_server_message(text), session, principal, request)
            return accepted()
        except McpError as error:
            return Answer(200, error.to_json())
        if message.method == b"initialize":
            return refused(InvalidRequest("initialize stands in no batch"), message)
        return await self.take(message, session, principal, request)

    async def take(
        self, message: Message, session: Session, principal: Principal | None, request: Request
    ) -> Answer | StreamedAnswer:
        """Answer one message of a session. Raises nothing but what is a fault of ours. Inline."""
        call = Call(message, principal, request, session.key)
        account = call.account
        live = self._sessions.enter(session.key, account)
        try:
            if message.id is None:
                if message.method == b"notifications/cancelled":
                    running = live.running.get(withdrawn_request(message.params))
                    if running is not None:
                        running.withdraw()
                return accepted()
            own = _OWN.get(message.method)
            try:
                if own is not None:
                    await own(self, message, live, call)
                    return Answer(200, write_answer(message.id, "result", EMPTY_RESULT))
                if message.method in MODERN_METHODS:
                    raise MethodNotFound(f"{message.method.decode()} is not of MCP {session.version}")
                modern = modern_request(message, self._sender(session, live))
            except McpError as error:
                return refused(error, message)
            conversation = Conversation(
                call.about(modern), self._routes, self._parameters, session, live, self._sessions
            )
            return await conversation.begin()
        finally:
            self._sessions.leave(session.key, account)

    def hear(
        self, said: ServerMessage, session: Session, principal: Principal | None, request: Request
    ) -> None:
        """An answer to what the client was asked. One that nobody waits for is dropped: it may be late."""
        with self._sessions.using(session.key, account_of(principal, request)) as live:
            waiting = live.asked.get(_string(said.id))
            if waiting is not None and not waiting.done():
                value: Raw = said.result or said.error
                waiting.set_result(("result" if said.result else "error", value))

    async def _ping(self, message: Message, live: LiveSession, call: Call) -> None:
        """There is nothing to do."""

    async def _set_level(self, message: Message, live: LiveSession, call: Call) -> None:
        try:
            live.level = read_level(message.params)
        except InvalidRequest as error:
            raise InvalidParams(error.message) from None

    async def _subscribe(self, message: Message, live: LiveSession, call: Call) -> None:
        uri = _uri(message)
        reading = Message(b"resources/read", message.id, write_object({"uri": message.params["uri"]}))
        await require(self._routes.route(reading), call.about(reading))
        live.subscribe(uri)
        if live.listening is not None:
            await self._listening.renew(live.listening)

    async def _unsubscribe(self, message: Message, live: LiveSession, call: Call) -> None:
        live.resources.pop(_uri(message), None)


_OWN = {
    b"ping": LegacyDoor._ping,
    b"logging/setLevel": LegacyDoor._set_level,
    b"resources/subscribe": LegacyDoor._subscribe,
    b"resources/unsubscribe": LegacyDoor._unsubscribe,
}
"""What is answered here: of which no modern server knows."""


def is_of_session(request: Request) -> bool:
    """Whether it says that it is of one; modern requests may say what they like there."""
    return HEADER in request.headers and request.headers.get(VERSION_HEADER) != MODERN.encode()


def refused(error: McpError, message: Message) -> Answer:
    headers = error.headers if isinstance(error, GatewayError) else b""
    body = error.to_json(message.id or b"null", code=legacy_code(message.method, error.code))
    return Answer(200, body, _JSON + headers)


def _uri(message: Message) -> str:
    if "uri" not in message.params:
        raise InvalidParams("params.uri is missing")
    return read_name(bytes(message.params["uri"]), "uri")


def _string(raw: Raw) -> str:
    try:
        return read_name(bytes(raw), "id")
    except InvalidParams:
        return ""
