"""One call: a POST that has to be answered with 200."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import httpx2

from benchmarks.counting_servers import CountingServers

Call = Callable[[str], Coroutine[None, None, None]]
"""Calls the server at this path; raises when it fails."""
TIMEOUT = 60.0


@asynccontextmanager
async def posting(servers: CountingServers, auth: httpx2.Auth) -> AsyncIterator[Call]:
    """With what the provider adds."""
    async with httpx2.AsyncClient(auth=auth, trust_env=False, timeout=TIMEOUT) as client:
        url = httpx2.URL(servers.server)

        async def call(path: str) -> None:
            answer = await client.post(url.copy_with(path=path))
            answer.raise_for_status()

        yield call
