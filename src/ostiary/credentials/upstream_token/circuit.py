"""Who may ask a server that does not answer: nobody for a while, and then one.

    closed      all may
    open        after two failures in a row nobody may, until a pause is over. It doubles each time
    half open   then one may, and the others wait a moment for how it fares: there is no storm when it is back

What a server answers, even if it is no, is an answer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

Answer = TypeVar("Answer")

FAILURES = 2
"""In a row, after which it is taken to be away."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds in which nobody asks."""
PATIENCE = 1.0
"""Seconds for which the others wait for the one that asks."""


class CircuitOpen(Exception):
    """The server does not answer, and it is not time to ask again. retry_after: seconds until it is."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("it did not answer a moment ago, and is not asked for now")
        self.retry_after = retry_after


class Circuit:
    """For one server. clock: seconds since the epoch; failure: what is raised when it does not answer."""

    def __init__(self, clock: Callable[[], float], *, failure: type[Exception]) -> None:
        self._clock = clock
        self._failure = failure
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._retry_at = 0.0
        self._probe: asyncio.Future[None] | None = None

    @property
    def retry_after(self) -> float:
        """Seconds until somebody may ask; a second at least, for whoever has to come again."""
        return max(1.0, self._wait)

    async def run(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask, if it is time. Raises CircuitOpen, or what asking raises."""
        if self._probe is not None:
            await asyncio.wait([self._probe], timeout=PATIENCE)
        if not self._is_open:
            return await self._heard(ask)
        if self._probe is not None or self._wait > 0:
            raise CircuitOpen(self.retry_after)
        self._probe = probe = asyncio.get_running_loop().create_future()
        try:
            return await self._heard(ask)
        finally:
            self._probe = None
            probe.set_result(None)

    @property
    def _wait(self) -> float:
        """What is left of the pause. One that is longer than any was begun by a clock that ran ahead."""
        wait = self._retry_at - self._clock()
        return wait if 0 < wait < LONGEST_PAUSE + 1 else 0.0

    @property
    def _is_open(self) -> bool:
        return self._failures >= FAILURES

    async def _heard(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            answer = await ask()
        except self._failure:
            self._failed()
            raise
        self._failures, self._pause = 0, FIRST_PAUSE
        return answer

    def _failed(self) -> None:
        """Those that were under way together are one failure to the pause."""
        self._failures += 1
        if self._is_open and not self._wait:
            self._retry_at = self._clock() + self._pause * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load, guards nothing
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
