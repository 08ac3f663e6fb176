"""One process at a time, by a lock on a file."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

TRY_EVERY = 0.02
"""Seconds between tries: the system can't wake an event loop when a lock is free."""


@contextlib.asynccontextmanager
async def file_lock(file: Path) -> AsyncIterator[None]:
    """Hold the lock while the block runs. A process that dies lets go of it. The file stays behind, empty."""
    import fcntl  # noqa: PLC0415 - not on Windows, where only a person's own tokens want it

    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            await asyncio.sleep(TRY_EVERY)
        yield
    finally:
        os.close(descriptor)
