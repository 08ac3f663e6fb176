"""A call of which operators hear, from its routing to the end of its answer."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

from ostiary.gateway.catalog.forward_route import ForwardRoute
from ostiary.gateway.catalog.listed_names import ListedRoute
from ostiary.gateway.catalog.task_route import TaskRoute
from ostiary.gateway.homes import Elsewhere
from ostiary.gateway.observation.call_audit import Ended
from ostiary.gateway.observation.outcome import CRASHED, NO_SERVER, OK, SERVER_ERROR, WITHDRAWN, outcome_of
from ostiary.mcp.errors import McpError
from ostiary.mcp.messages import read_name
from ostiary.transport.inline_http import Answer, StreamedAnswer

if TYPE_CHECKING:
    from ostiary.gateway.call import Call
    from ostiary.gateway.catalog.routes import Route, Routes
    from ostiary.gateway.observation.observer import Observer
    from ostiary.gateway.upstreams.server import Server
    from ostiary.mcp.messages import Message

_ERROR = b',"error":'
_BEFORE_ID = len(b'{"jsonrpc":"2.0","id":')


async def follow_observed(observer: Observer, routes: Routes, call: Call) -> Answer | StreamedAnswer:
    """The caller's answer. Raises McpError. To be awaited inline."""
    told = _Told(observer, call)
    try:
        if observer.audit is not None:
            observer.audit.require()
        route = told.route = routes.route(call.message)
        answer = await route.follow(call)
    except McpError as error:
        told.ended(outcome_of(error), error)
        raise
    except Elsewhere:
        raise  # the worker that answers it tells of it
    except Exception:
        told.ended(CRASHED)
        raise
    except BaseException:
        told.ended(WITHDRAWN)
        raise
    if isinstance(answer, StreamedAnswer):
        answer.close = told.closing(answer)
    else:
        is_error = answer.body.startswith(_ERROR, _BEFORE_ID + len(call.id))
        told.ended(SERVER_ERROR if is_error else OK)
    return answer


class _Told:
    """What is told of one call, once."""

    __slots__ = ("_began", "_call", "_observer", "route")

    def __init__(self, observer: Observer, call: Call) -> None:
        self._observer: Observer | None = observer
        self._call = call
        self._began = perf_counter()
        self.route: Route | None = None

    def ended(self, outcome: str, error: McpError | None = None) -> None:
        """It did."""
        observer, self._observer = self._observer, None
        if observer is None:
            return
        seconds, call, route = perf_counter() - self._began, self._call, self.route
        server = _server(route)
        name = _server_name(route, call.message) if server is None else server.name
        observer.ended(name, call.message.method, outcome, seconds, error)
        if observer.audit is not None:
            credential = None if server is None else server.credential_type
            meant = _meant(route, call.message)
            observer.audit.ended(Ended(call, name, meant, credential, outcome, seconds, error))

    def closing(self, answer: StreamedAnswer) -> Callable[[], None]:
        """What closes a streamed answer, and tells of its end."""
        close, usual = answer.close, OK if answer.is_standing else WITHDRAWN

        def closed() -> None:
            close()
            self.ended(self._call.outcome or usual)

        return closed


def _server(route: Route | None) -> Server | None:
    return route.server if isinstance(route, ForwardRoute | TaskRoute | ListedRoute) else None


def _server_name(route: Route | None, message: Message) -> str:
    if route is None:
        return NO_SERVER
    try:
        return route.target(message).server or NO_SERVER
    except McpError:  # such as arguments that name no tool
        return NO_SERVER


def _meant(route: Route | None, message: Message) -> str | None:
    """The name of the tool, prompt or resource: the server's own, or as the caller said it."""
    try:
        if route is not None:
            return route.target(message).name
        return None if message.name is None else read_name(message.name)
    except McpError:
        return None
