"""A call of which operators hear, from its routing to the end of its answer."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

from ostiary.gateway.catalog.forward_route import ForwardRoute
from ostiary.gateway.catalog.listed_names import ListedRoute
from ostiary.gateway.catalog.task_route import TaskRoute
from ostiary.gateway.homes import Elsewhere
from ostiary.gateway.observation.outcome import CRASHED, NO_SERVER, OK, SERVER_ERROR, WITHDRAWN
from ostiary.mcp.errors import McpError
from ostiary.transport.inline_http import Answer, StreamedAnswer

if TYPE_CHECKING:
    from ostiary.gateway.call import Call
    from ostiary.gateway.catalog.routes import Route, Routes
    from ostiary.gateway.observation.observer import Observer
    from ostiary.mcp.messages import Message

_ERROR = b',"error":'
_BEFORE_ID = len(b'{"jsonrpc":"2.0","id":')


async def follow_observed(observer: Observer, routes: Routes, call: Call) -> Answer | StreamedAnswer:
    """The caller's answer. Raises McpError. To be awaited inline."""
    began = perf_counter()
    route: Route | None = None
    try:
        route = routes.route(call.message)
        answer = await route.follow(call)
    except McpError as error:
        observer.failed(_server(route, call.message), call.message.method, error, perf_counter() - began)
        raise
    except Elsewhere:
        raise  # the worker that answers it tells of it
    except Exception:
        observer.ended(_server(route, call.message), call.message.method, CRASHED, perf_counter() - began)
        raise
    except BaseException:
        observer.ended(_server(route, call.message), call.message.method, WITHDRAWN, perf_counter() - began)
        raise
    if isinstance(answer, StreamedAnswer):
        answer.close = _Ending(answer, route, call, observer, began)
    else:
        is_error = answer.body.startswith(_ERROR, _BEFORE_ID + len(call.id))
        outcome = SERVER_ERROR if is_error else OK
        observer.ended(_server(route, call.message), call.message.method, outcome, perf_counter() - began)
    return answer


class _Ending:
    """Closes a streamed answer, and tells of its end the first time."""

    __slots__ = ("_began", "_call", "_close", "_is_standing", "_observer", "_route")

    def __init__(
        self, answer: StreamedAnswer, route: Route, call: Call, observer: Observer, began: float
    ) -> None:
        self._close: Callable[[], None] = answer.close
        self._is_standing = answer.is_standing
        self._route = route
        self._call = call
        self._observer: Observer | None = observer
        self._began = began

    def __call__(self) -> None:
        self._close()
        observer, self._observer = self._observer, None
        if observer is None:
            return
        message = self._call.message
        outcome = self._call.outcome or (OK if self._is_standing else WITHDRAWN)
        observer.ended(_server(self._route, message), message.method, outcome, perf_counter() - self._began)


def _server(route: Route | None, message: Message) -> str:
    """The name of the one that was meant."""
    if isinstance(route, ForwardRoute | TaskRoute | ListedRoute):
        return route.server.name
    if route is None:
        return NO_SERVER
    try:
        return route.target(message).server or NO_SERVER
    except McpError:  # such as arguments that name no tool
        return NO_SERVER
