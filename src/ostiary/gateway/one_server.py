"""A gateway without a listener: one server, whose only client is in this process."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ostiary.credentials.headers.overheard import SentSecrets
from ostiary.gateway.catalog.live_routes import LiveRoutes
from ostiary.gateway.catalog.routes import SingleServer
from ostiary.gateway.config import LimitSettings
from ostiary.gateway.endpoint import Endpoint, Entry
from ostiary.gateway.plan import Means, ServerMaking
from ostiary.gateway.seals import Seals
from ostiary.gateway.sessions.legacy_door import LegacyDoor
from ostiary.gateway.sessions.live_sessions import LiveSessions
from ostiary.gateway.sessions.only_session import OnlySession
from ostiary.transport.inline_http import Request

if TYPE_CHECKING:
    from ostiary.credentials.runtime import Runtime
    from ostiary.gateway.config import ServerSettings
    from ostiary.gateway.upstreams.server import Server
    from ostiary.inline_coroutines import InlineFuture
    from ostiary.transport.inline_http import Door
    from ostiary.transport.proxies import Proxies

CONNECTIONS = 256


class OneServer:
    """Use as an async context manager, inside of which `endpoint` answers. runtime: is left open."""

    endpoint: Endpoint

    def __init__(self, name: str, settings: ServerSettings, runtime: Runtime, proxies: Proxies) -> None:
        self._name = name
        self._settings = settings
        self._limits = LimitSettings(server_connections=CONNECTIONS, caller_connections=CONNECTIONS)
        self._means = Means(
            runtime, proxies, Seals(), LiveSessions(self._limits.caller_subscriptions), time.time
        )
        self.sent = SentSecrets()
        self._server: Server | None = None

    @property
    def version(self) -> str | None:
        """The revision of MCP that the server spoke last; None while nobody knows."""
        return None if self._server is None else self._server.session.version

    async def __aenter__(self) -> Self:
        server = ServerMaking(self._limits, self._means).server(self._name, self._settings, self.sent)
        self._server, routes = server, LiveRoutes(SingleServer(server))
        legacy = LegacyDoor(routes, OnlySession(), self._means.sessions, self._means.clock)
        self.endpoint = Endpoint(Entry(), routes, legacy)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        await self._means.close()


def request_within(door: Door, headers: dict[bytes, bytes], body: bytes | None = None) -> Request:
    """A request that comes over no connection. headers: names in lower case."""
    request = Request(door, headers, frozenset(), keep_alive=True, arriving=_nothing_comes)
    request.body = body
    return request


def _nothing_comes() -> InlineFuture[bytes]:
    raise AssertionError("it is whole")
