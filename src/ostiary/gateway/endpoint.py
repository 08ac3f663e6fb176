"""One door of the gateway: the walk of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.gateway import record
from ostiary.gateway.call import Call
from ostiary.gateway.catalog.routes import Routes
from ostiary.gateway.error_response import error_response
from ostiary.gateway.inbound.receive import receive, require_one_meaning, require_origin
from ostiary.mcp.errors import InternalError, McpError
from ostiary.transport.inline_http import Answer, Request, StreamedAnswer

if TYPE_CHECKING:
    from ostiary.gateway.inbound.authentication import InboundAuth


class Endpoint:
    """Answers the POST requests of one path. Raises nothing."""

    def __init__(self, auth: InboundAuth | None, routes: Routes, allowed_origins: frozenset[bytes]) -> None:
        """auth: None lets everybody in, as nobody."""
        self._auth = auth
        self._routes = routes
        self._allowed_origins = allowed_origins

    async def __call__(self, request: Request) -> Answer | StreamedAnswer:
        message_id: bytes | None = None
        answer: Answer | StreamedAnswer
        try:
            if b"origin" in request.headers:
                require_origin(request, self._allowed_origins)
            principal = None
            if self._auth is not None:
                principal = self._auth.cached_principal(request) or await self._auth.admit(request)
                request.caller = principal
            message = receive(request, request.body or await request.whole())
            message_id = message.id
            if message_id is None:
                answer = _accepted()
            else:
                require_one_meaning(message, request)
                route = self._routes.route(message)
                answer = await route.follow(Call(message, principal, request))
        except McpError as error:
            answer = error_response(error, message_id)
        except Exception as error:  # noqa: BLE001 - a fault of ours: told in the log, not to the caller
            record.crashed(error)
            answer = error_response(
                InternalError("something broke in the gateway; its log says what"), message_id
            )
        if request.headers.get(b"origin") in self._allowed_origins:
            _let_its_page_read(request, answer)
        return answer


def _accepted() -> Answer:
    """A notification is taken and dropped: modern MCP has none that a caller must send over HTTP."""
    return Answer(202, b"", b"")


def _let_its_page_read(request: Request, answer: Answer | StreamedAnswer) -> None:
    """Let a page of an allowed origin see the answer and its challenge (CORS)."""
    origin = request.headers[b"origin"]
    answer.headers += b"access-control-allow-origin: %s\r\nvary: origin\r\n" % origin
    answer.headers += b"access-control-expose-headers: www-authenticate\r\n"
