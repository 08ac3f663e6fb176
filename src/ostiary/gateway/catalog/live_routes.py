"""The routes of an endpoint that go on when its plan is replaced, as sessions do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.gateway.catalog.observed_call import follow_observed

if TYPE_CHECKING:
    from ostiary.gateway.call import Call
    from ostiary.gateway.catalog.routes import Route, Routes
    from ostiary.gateway.catalog.standing_streams import Follow
    from ostiary.gateway.observation.observer import Observer
    from ostiary.mcp.messages import Message
    from ostiary.transport.inline_http import Answer, StreamedAnswer


class LiveRoutes:
    """Those of one endpoint, whatever plan is in force: for sessions, which outlive plans."""

    def __init__(self, routes: Routes, observer: Observer | None = None) -> None:
        """observer: hears of calls; None where nobody wants to."""
        self.current = routes
        self._observer = observer

    def route(self, message: Message) -> Route:
        """By the routes of now."""
        return self.current.route(message)

    async def follow(self, call: Call) -> Answer | StreamedAnswer:
        """Go where a call leads now. Raises McpError."""
        if self._observer is None:
            return await self.current.route(call.message).follow(call)
        return await follow_observed(self._observer, self.current, call)

    def replace(self, routes: Routes) -> None:
        """From now on by these."""
        before, self.current = self.current, routes
        if before is not routes:
            before.hand_over(self._go_on)

    def hand_over(self, follow: Follow | None) -> None:
        """As of every Routes."""
        self.current.hand_over(follow)

    async def _go_on(self, call: Call) -> Answer | StreamedAnswer:
        """Follow a call that has been told of already, as far as it is to be."""
        return await self.current.route(call.message).follow(call)
