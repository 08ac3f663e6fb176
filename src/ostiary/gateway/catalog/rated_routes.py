"""The routes of an endpoint at which callers may ask so often and no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.transport.inline_http import Answer, StreamedAnswer

if TYPE_CHECKING:
    from ostiary.gateway.call import Call
    from ostiary.gateway.catalog.routes import Route, Routes
    from ostiary.gateway.catalog.standing_streams import Follow
    from ostiary.gateway.catalog.target import RouteTarget
    from ostiary.gateway.rate_limits import RateLimits
    from ostiary.mcp.messages import Message


class RatedRoutes:
    """Those of an endpoint, each call counted."""

    def __init__(self, routes: Routes, limits: RateLimits) -> None:
        self.within = routes
        self._limits = limits

    def route(self, message: Message) -> Route:
        """As of every Routes."""
        return _RatedRoute(self.within.route(message), self._limits)

    def hand_over(self, follow: Follow | None) -> None:
        """As of every Routes."""
        self.within.hand_over(follow)


@dataclass(frozen=True, slots=True)
class _RatedRoute:
    on: Route
    limits: RateLimits

    def target(self, message: Message) -> RouteTarget:
        """As of every Route."""
        return self.on.target(message)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """As of every Route. Raises TooOften, too."""
        self.limits.take(call)
        return await self.on.follow(call)
