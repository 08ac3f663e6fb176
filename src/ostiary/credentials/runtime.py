"""What all credentials of a process share: tokens, one HTTP client for issuers, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ostiary.credentials.token_cache import TokenCache
from ostiary.transport.fetch import Fetcher


class Runtime:
    """Use as an async context manager, or close it. clock: seconds since the epoch, as `time.time`."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.tokens = TokenCache(clock)
        self.fetcher = Fetcher()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop fetches that are under way, and end all connections."""
        await self.tokens.close()
        await self.fetcher.close()
