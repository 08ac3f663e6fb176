"""The stream on which one legacy client hears what it did not ask for (GET; MCP 2025-11-25, transports).

What waits for a slow reader is one notice of each kind, however often it came. A stream has no past: whoever
comes back asks for what may have changed. Over HTTP+SSE (2024-11-05) the answers come on it, too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from typing import TYPE_CHECKING

from ostiary.gateway.catalog.translate import COMMENT
from ostiary.mcp.change_notices import Change
from ostiary.mcp.events import write_event
from ostiary.mcp.legacy_client.notices import is_heard, legacy_notice

if TYPE_CHECKING:
    from ostiary.gateway.call import Call

KEEP_ALIVE_SECONDS = 15.0
"""How long a stream is silent at most while there is nothing to tell."""
MOST_ANSWER_BYTES = 256 * 1024
"""Events of answers that wait for one reader; whoever sends more waits, too."""
MOST_NOTICES = 256
"""Notices that wait for one reader; what comes beyond, while it reads nothing, is not told."""


class ListenStream:
    """call: the client's, which asks for it; resources: URIs that it wants to hear of, at any time."""

    def __init__(self, call: Call, resources: Collection[str], *, seconds: float | None) -> None:
        """seconds: until its caller's token is over."""
        self.call = call
        self.resources = resources
        self._seconds = seconds
        self._answers: deque[bytes] = deque()
        self._answer_bytes = 0
        self._has_room = asyncio.Event()
        self._waiting: dict[Change, None] = {}
        self._wake = asyncio.Event()
        self._has_ended = False
        self.first_event = COMMENT
        self.left: Callable[[], None] | None = None
        """Called once, when nobody reads it any more."""

    async def chunks(self) -> AsyncIterator[bytes]:
        """Events, and comments while there are none."""
        loop = asyncio.get_running_loop()
        ends_at = None if self._seconds is None else loop.time() + self._seconds
        yield self.first_event
        while not self._has_ended and (ends_at is None or loop.time() < ends_at):
            if self._answers:
                event = self._answers.popleft()
                self._answer_bytes -= len(event)
                self._has_room.set()
                yield event
                continue
            if self._waiting:
                change = next(iter(self._waiting))
                del self._waiting[change]
                yield write_event(legacy_notice(change))
                continue
            self._wake.clear()
            timer = loop.call_later(KEEP_ALIVE_SECONDS, self._wake.set)
            await self._wake.wait()
            timer.cancel()
            if not (self._waiting or self._answers):
                yield COMMENT

    def tell(self, change: Change) -> None:
        """Something is another now; whoever did not want to hear of it does not."""
        if not is_heard(change, self.resources):
            return
        if change in self._waiting or len(self._waiting) < MOST_NOTICES:
            self._waiting[change] = None
            self._wake.set()

    async def send(self, event: bytes) -> None:
        """A part of an answer, as soon as there is room for it. To be awaited in a task."""
        while self._answer_bytes > MOST_ANSWER_BYTES:
            self._has_room.clear()
            await self._has_room.wait()
        self._answers.append(event)
        self._answer_bytes += len(event)
        self._wake.set()

    def end(self) -> None:
        """Nobody reads it any more."""
        self._has_ended = True
        self._wake.set()
        left, self.left = self.left, None
        if left is not None:
            left()
