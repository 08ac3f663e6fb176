"""Sessions that ended, as the authorization server tells them: what is kept of them is served no more.

A token is served from memory while its session is not told to have ended, and the feed was heard, or the
token fetched, within the bound. That counts from when it was asked, not from when it was answered: what was
long under way is no news.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

from ostiary.credentials.upstream_token.internal_port import FeedUnheard, InternalPort
from ostiary.event_log import event_log

PATIENCE = 1.0
"""Seconds for which the first answer is waited for."""
MIN_BETWEEN = 1.0
"""Seconds between questions."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
"""Seconds after a question that was not answered; doubled each time."""
IDLE = 300.0
"""Seconds after which nobody listens, where no token was served."""

log = event_log("ostiary.credentials")


@dataclass(slots=True, eq=False, weakref_slot=True)
class WatchedSession:
    """A session that something is kept of."""

    ended: bool = False


class RevocationFeed:
    """Listens at one port, from its first use on, in one event loop. clock: seconds since the epoch."""

    def __init__(self, port: InternalPort, clock: Callable[[], float]) -> None:
        self._port = port
        self._clock = clock
        self._sessions: WeakValueDictionary[str, WatchedSession] = WeakValueDictionary()
        self._cursor: str | None = None
        self._used_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._unheard = False
        self._begun = asyncio.Event()
        self.heard_at = float("-inf")
        """When the last question was asked that was answered."""

    def watch(self, session: str) -> WatchedSession:
        """The session with this hash. What is asked for from now on is known to be older than its end."""
        found = self._sessions.get(session)
        if found is None:
            found = self._sessions[session] = WatchedSession()
        return found

    def use(self, now: float) -> None:
        """Listen, and for some time more."""
        self._used_at = now
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._listen())

    async def begun(self) -> None:
        """Wait a moment for the first answer: it says that all which was had before is of no use."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._begun.wait(), PATIENCE)

    async def close(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        pause = FIRST_PAUSE
        loop = asyncio.get_running_loop()
        try:
            while self._clock() - self._used_at < IDLE:
                began = loop.time()
                error = await self._ask()
                self._note(error)
                self._begun.set()
                if error is None:
                    pause = FIRST_PAUSE
                    await asyncio.sleep(began + MIN_BETWEEN - loop.time())
                else:
                    told = min(error.retry_after or 0.0, LONGEST_PAUSE)
                    await asyncio.sleep(max(told, pause * random.uniform(0.8, 1.0)))  # noqa: S311 - spreads load
                    pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            self._task = None

    async def _ask(self) -> FeedUnheard | None:
        asked_at = self._clock()
        try:
            told = await self._port.revocations(self._cursor)
        except FeedUnheard as error:
            if error.of_question:
                self._cursor = None  # begin anew: what it once gave leads nowhere
            return error
        for session in list(self._sessions) if told.reset else told.ended:
            watched = self._sessions.pop(session, None)
            if watched is not None:
                watched.ended = True
        self._cursor, self.heard_at = told.next, asked_at
        return None

    def _note(self, error: FeedUnheard | None) -> None:
        """Each change, and no more: the log of a night without the server has two lines."""
        if (error is not None) == self._unheard:
            return
        self._unheard = error is not None
        if error is not None:
            log.warning("revocations_unheard", reason=str(error))
        else:
            log.info("revocations_heard", feed=str(self._port.address.feed_url))
