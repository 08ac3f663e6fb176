"""Time that the test moves, and token sources that count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ostiary.credentials.error import CredentialUnreachable
from ostiary.credentials.runtime import Runtime
from ostiary.credentials.token import Token
from ostiary.credentials.token_cache import TokenCache
from ostiary.secrets import Secret


class Clock:
    """Time that stands still until the test moves it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class CountingSource:
    """An issuer in memory: numbers its tokens, and can be down."""

    credential = "counting"
    endpoint = "https://mcp.example.com"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.fetches = 0
        self.lifetime: float | None = 3600.0
        self.down = False

    async def fetch(self) -> Token:
        self.fetches += 1
        number = self.fetches
        await asyncio.sleep(0)
        if self.down:
            raise CredentialUnreachable(
                "it is down", credential=self.credential, endpoint=self.endpoint, fix="wait"
            )
        expires_at = None if self.lifetime is None else self.clock.now + self.lifetime
        return Token(Secret(f"token-{number}"), expires_at)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(clock: Clock) -> CountingSource:
    return CountingSource(clock)


@pytest.fixture
async def cache(clock: Clock) -> AsyncIterator[TokenCache]:
    async with TokenCache(clock) as cache:
        yield cache


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    async with Runtime() as runtime:
        yield runtime
