"""What a server says unasked: to streams that listen (2026-07-28), and to sessions (before it)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, get_args

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

LEVELS = get_args(types.LoggingLevel)
"""From the least to the most urgent."""


@dataclass
class _Session:
    session: ServerSession
    level: types.LoggingLevel = "debug"
    uris: set[str] = field(default_factory=set)


class Announcements:
    """Who hears what."""

    def __init__(self) -> None:
        self._bus = InMemorySubscriptionBus()
        self._sessions: dict[Hashable, _Session] = {}

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """A stream listens until it calls what this gives (the SDK's SubscriptionBus)."""
        return self._bus.subscribe(listener)

    async def publish(self, event: ServerEvent) -> None:
        """Tell everybody whom it concerns."""
        await self._bus.publish(event)
        for known in list(self._sessions.values()):
            await _tell(known, event)

    async def initialized(self, context: ServerRequestContext[Any, Any], _: types.NotificationParams) -> None:
        self._of(context)

    async def set_level(
        self, context: ServerRequestContext[Any, Any], params: types.SetLevelRequestParams
    ) -> types.EmptyResult:
        self._of(context).level = params.level
        return types.EmptyResult()

    async def watch(
        self, context: ServerRequestContext[Any, Any], params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        self._of(context).uris.add(str(params.uri))
        return types.EmptyResult()

    async def unwatch(
        self, context: ServerRequestContext[Any, Any], params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        self._of(context).uris.discard(str(params.uri))
        return types.EmptyResult()

    def wants(self, context: ServerRequestContext[Any, Any], level: types.LoggingLevel) -> bool:
        """Whether to send such a message: a session sets its level, and a modern request brings its own."""
        if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            least = (context.meta or {}).get(types.LOG_LEVEL_META_KEY)
        else:
            least = self._of(context).level
        return least is not None and LEVELS.index(level) >= LEVELS.index(least)

    def _of(self, context: ServerRequestContext[Any, Any]) -> _Session:
        request, key = context.request, None
        if request is not None:  # over HTTP; HTTP+SSE has the session in its URL
            key = request.headers.get("mcp-session-id") or request.query_params.get("session_id")
        return self._sessions.setdefault(key, _Session(context.session))


async def _tell(known: _Session, event: ServerEvent) -> None:
    match event:
        case ToolsListChanged():
            await known.session.send_tool_list_changed()
        case PromptsListChanged():
            await known.session.send_prompt_list_changed()
        case ResourcesListChanged():
            await known.session.send_resource_list_changed()
        case ResourceUpdated(uri=uri) if uri in known.uris:
            await known.session.send_resource_updated(uri)
