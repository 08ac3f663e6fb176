"""One server's share of the event loop: what its connections have still to read waits here, in a row.

However many connections a server has, and however much comes over each, others are served after a share.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter

SHARE_SECONDS = 0.002
"""For how long one server may keep the event loop in one turn of it."""


class LoopShare:
    """Calls who waits, one after the other, for a share of each turn of the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], bool]] = deque()

    def wait(self, go_on: Callable[[], bool]) -> None:
        """Have it called in its turn: it does a little, and says whether somebody has what is left of it."""
        if not self._waiting:
            self._loop.call_soon(self._run)
        self._waiting.append(go_on)

    def come(self) -> asyncio.Future[None]:
        """Done in its turn, for somebody who then reads for a share."""
        turn: asyncio.Future[None] = self._loop.create_future()

        def go_on() -> bool:
            if turn.done():
                return False
            turn.set_result(None)
            return True

        self.wait(go_on)
        return turn

    def _run(self) -> None:
        ends = perf_counter() + SHARE_SECONDS
        is_taken = False
        while self._waiting and not is_taken:
            is_taken = self._waiting[0]() or perf_counter() > ends
            self._waiting.popleft()  # only now: whoever lines up meanwhile is not the first
        if self._waiting:
            self._loop.call_soon(self._run)
