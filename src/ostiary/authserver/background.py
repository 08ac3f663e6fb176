"""What is done after the answer: nobody who asks us waits until an identity provider has heard of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from ostiary.crash_text import crash_text
from ostiary.event_log import event_log
from ostiary.storage.errors import StorageError

PATIENCE = 5.0
"""Seconds that a server which stops waits for what is under way."""

log = event_log("ostiary.authserver")


class Background:
    """Work of one server that is under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None], *, what: str) -> None:
        """Do it, from the next turn of the event loop on. What goes wrong is told in the log."""
        task = asyncio.get_running_loop().create_task(_told(work, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self, *, within: float = PATIENCE) -> None:
        """Wait for all of it, so many seconds; then give the rest up."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=within)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _told(work: Coroutine[None, None, None], what: str) -> None:
    try:
        await work
    except StorageError as error:
        log.warning("background_failed", what=what, reason=str(error))
    except Exception as error:  # noqa: BLE001 - a fault of ours, and nobody else hears of it
        log.error("background_crashed", what=what, exception=crash_text(error))  # noqa: TRY400
