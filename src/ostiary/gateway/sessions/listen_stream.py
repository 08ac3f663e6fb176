"""The stream on which one legacy client hears what it did not ask for (GET; MCP 2025-11-25, transports).

What waits for a slow reader is one notice of each kind, however often it came. A stream has no past: whoever
comes back asks for what may have changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import TYPE_CHECKING

from ostiary.gateway.catalog.translate import COMMENT
from ostiary.mcp.change_notices import Change
from ostiary.mcp.events import write_event
from ostiary.mcp.legacy_client.notices import is_heard, legacy_notice

if TYPE_CHECKING:
    from ostiary.gateway.call import Call

KEEP_ALIVE_SECONDS = 15.0
"""How long a stream is silent at most while there is nothing to tell."""
MOST_NOTICES = 256
"""Notices that wait for one reader; what comes beyond, while it reads nothing, is not told."""


class ListenStream:
    """call: the client's, which asks for it; sender: what its requests say of it.

    resources: URIs that it wants to hear of, at any time.
    """

    def __init__(
        self,
        call: Call,
        sender: Mapping[str, bytes],
        resources: Collection[str],
        *,
        seconds: float | None,
    ) -> None:
        """seconds: until its caller's token is over."""
        self.call = call
        self.sender = sender
        self.resources = resources
        self._seconds = seconds
        self._waiting: dict[Change, None] = {}
        self._wake = asyncio.Event()
        self._has_ended = False
        self.left: Callable[[], None] | None = None
        """Called once, when nobody reads it any more."""

    async def chunks(self) -> AsyncIterator[bytes]:
        """Events, and comments while there are none."""
        loop = asyncio.get_running_loop()
        ends_at = None if self._seconds is None else loop.time() + self._seconds
        yield COMMENT
        while not self._has_ended and (ends_at is None or loop.time() < ends_at):
            if self._waiting:
                change = next(iter(self._waiting))
                del self._waiting[change]
                yield write_event(legacy_notice(change))
                continue
            self._wake.clear()
            timer = loop.call_later(KEEP_ALIVE_SECONDS, self._wake.set)
            await self._wake.wait()
            timer.cancel()
            if not self._waiting:
                yield COMMENT

    def tell(self, change: Change) -> None:
        """Something is another now; whoever did not want to hear of it does not."""
        if not is_heard(change, self.resources):
            return
        if change in self._waiting or len(self._waiting) < MOST_NOTICES:
            self._waiting[change] = None
            self._wake.set()

    def end(self) -> None:
        """Nobody reads it any more."""
        self._has_ended = True
        self._wake.set()
        left, self.left = self.left, None
        if left is not None:
            left()
