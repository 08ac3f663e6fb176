"""One door of the gateway: the walk of a call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ostiary.gateway import record
from ostiary.gateway.call import Call
from ostiary.gateway.catalog.observed_call import follow_observed
from ostiary.gateway.catalog.routes import Routes
from ostiary.gateway.error_response import JSON, error_response
from ostiary.gateway.homes import Elsewhere
from ostiary.gateway.inbound.receive import receive, require_origin
from ostiary.gateway.sessions.http_sse import HttpSse
from ostiary.gateway.sessions.legacy_door import LegacyDoor, accepted, is_of_session
from ostiary.inline_coroutines import InlineCoroutine
from ostiary.mcp.errors import InternalError, McpError, NotOneRequest
from ostiary.mcp.headers import require_agreement
from ostiary.transport.inline_http import Answer, Request, StreamedAnswer

if TYPE_CHECKING:
    from ostiary.gateway.inbound.authentication import InboundAuth
    from ostiary.gateway.observation.observer import Observer
    from ostiary.identity.principal import Principal

ONLY_POST = b'{"error":"method_not_allowed","error_description":"MCP requests are POST requests"}'
AnsweredElsewhere = Callable[[Elsewhere, Request], InlineCoroutine[Answer | StreamedAnswer]]
"""A request that another worker answers. Raises McpError."""
Answered = Callable[["Principal | None", Request], InlineCoroutine[Answer | StreamedAnswer]]


class Entry(NamedTuple):
    """Who comes in at an endpoint."""

    auth: InboundAuth | None = None
    """None lets everybody in, as nobody."""
    allowed_origins: frozenset[bytes] = frozenset()
    elsewhere: AnsweredElsewhere | None = None
    observer: Observer | None = None
    """None where nobody wants to hear of calls."""

    def refused(self, error: McpError, call: Call | None, request: Request) -> None:
        """A request came to this error. call: None before it was one, which is told of by itself."""
        if call is None and self.observer is not None:
            self.observer.turned_away(error, request)


class Endpoint:
    """Answers the requests of one path: POST by a call, GET and DELETE of legacy sessions. Raises nothing."""

    def __init__(self, entry: Entry, routes: Routes, legacy: LegacyDoor) -> None:
        """legacy: for clients of earlier revisions."""
        self._entry = entry
        self._auth, self._allowed_origins, self._elsewhere, observer = entry
        self._follow = _follow(routes) if observer is None else partial(follow_observed, observer, routes)
        self._legacy = legacy

    async def __call__(self, request: Request) -> Answer | StreamedAnswer:
        message_id: bytes | None = None
        call: Call | None = None
        answer: Answer | StreamedAnswer
        try:
            if b"origin" in request.headers:
                require_origin(request, self._allowed_origins)
            principal = None
            if self._auth is not None:
                principal = self._auth.cached_principal(request) or await self._auth.admit(request)
                request.caller = principal
            body = request.body or await request.whole()
            try:
                message = receive(request, body)
            except NotOneRequest as error:
                answer = await self._legacy.post_others(body, error, principal, request)
            else:
                message_id = message.id
                if not message.meta.is_modern:
                    answer = await self._legacy.post(message, principal, request)
                elif message_id is None:
                    answer = accepted()  # modern MCP has none that a caller must send over HTTP
                else:
                    require_agreement(message, request.headers, request.repeated)
                    call = Call(message, principal, request)
                    answer = await self._follow(call)
        except McpError as error:
            self._entry.refused(error, call, request)
            answer = error_response(error, message_id)
        except Exception as error:  # noqa: BLE001 - as below
            answer = await _answered_otherwise(error, request, self._elsewhere, message_id)
        if request.headers.get(b"origin") in self._allowed_origins:
            _let_its_page_read(request, answer)
        return answer

    async def listen(self, request: Request) -> Answer | StreamedAnswer:
        """A legacy client wants to hear what it does not ask for."""
        if not is_of_session(request):
            return _only_post(request, self._allowed_origins)
        return await _admitted(request, self._entry, self._legacy.listen)

    async def end(self, request: Request) -> Answer | StreamedAnswer:
        """A legacy client is done with its session."""
        if not is_of_session(request):
            return _only_post(request, self._allowed_origins)
        return await _admitted(request, self._entry, self._legacy.end)


class SseEndpoint:
    """The same for clients of MCP 2024-11-05, at a path of its own."""

    def __init__(self, entry: Entry, http_sse: HttpSse) -> None:
        self._entry = entry
        self._http_sse = http_sse

    async def listen(self, request: Request) -> Answer | StreamedAnswer:
        """A session begins with its stream."""
        return await _admitted(request, self._entry, self._http_sse.listen)

    async def __call__(self, request: Request) -> Answer | StreamedAnswer:
        async def post(principal: Principal | None, request: Request) -> Answer:
            return self._http_sse.post(await request.whole(), principal, request)

        return await _admitted(request, self._entry, post)


def _follow(routes: Routes) -> Callable[[Call], InlineCoroutine[Answer | StreamedAnswer]]:
    return lambda call: routes.route(call.message).follow(call)


async def _admitted(request: Request, entry: Entry, answered: Answered) -> Answer | StreamedAnswer:
    """What is answered to a caller who may come in."""
    auth, allowed_origins, elsewhere, _ = entry
    answer: Answer | StreamedAnswer
    try:
        if b"origin" in request.headers:
            require_origin(request, allowed_origins)
        principal = None
        if auth is not None:
            principal = auth.cached_principal(request) or await auth.admit(request)
            request.caller = principal
        answer = await answered(principal, request)
    except McpError as error:
        entry.refused(error, None, request)
        answer = error_response(error, None)
    except Exception as error:  # noqa: BLE001 - as below
        answer = await _answered_otherwise(error, request, elsewhere, None)
    if request.headers.get(b"origin") in allowed_origins:
        _let_its_page_read(request, answer)
    return answer


async def _answered_otherwise(
    error: Exception, request: Request, elsewhere: AnsweredElsewhere | None, message_id: bytes | None
) -> Answer | StreamedAnswer:
    """By another worker; or it is a fault of ours: told in the log, not to the caller."""
    if not isinstance(error, Elsewhere) or elsewhere is None:
        return _crashed(error, message_id)
    try:
        return await elsewhere(error, request)
    except McpError as lost:
        return error_response(lost, message_id)


def _only_post(request: Request, allowed_origins: frozenset[bytes]) -> Answer:
    answer = Answer(405, ONLY_POST, JSON + b"allow: POST\r\n")
    if request.headers.get(b"origin") in allowed_origins:
        _let_its_page_read(request, answer)
    return answer


def _crashed(error: Exception, message_id: bytes | None) -> Answer:
    record.crashed(error)
    return error_response(InternalError("something broke in the gateway; its log says what"), message_id)


def _let_its_page_read(request: Request, answer: Answer | StreamedAnswer) -> None:
    """Let a page of an allowed origin see the answer, its challenge and its session (CORS)."""
    origin = request.headers[b"origin"]
    answer.headers += b"access-control-allow-origin: %s\r\nvary: origin\r\n" % origin
    answer.headers += b"access-control-expose-headers: www-authenticate, mcp-session-id\r\n"
