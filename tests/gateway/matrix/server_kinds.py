"""The servers that a gateway stands before: one fixture, in each era and over each transport."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.peers.mcp_server.eras import Forgetful, legacy_alone, modern_alone
from tests.peers.mcp_server.old_sse import sse_app
from tests.peers.mcp_server.replay import KeptEvents
from tests.peers.mcp_server.running import RETRY, listening
from tests.peers.mcp_server.server import FixtureServer

ROOT = Path(__file__).parents[3]
PAGE = 7
"""How many entries of a list a server gives at once."""


@dataclass(frozen=True)
class RunningServer:
    """A server, and what the gateway is told about it."""

    settings: Mapping[str, Any]
    forget_sessions: Callable[[], None] | None = None


@asynccontextmanager
async def modern() -> AsyncIterator[RunningServer]:
    async with listening(modern_alone(FixtureServer(page=PAGE).sdk.streamable_http_app())) as origin:
        yield RunningServer({"url": f"{origin}/mcp"})


@asynccontextmanager
async def dual() -> AsyncIterator[RunningServer]:
    sdk = FixtureServer(page=PAGE).sdk
    async with listening(sdk.streamable_http_app(event_store=KeptEvents(), retry_interval=RETRY)) as origin:
        yield RunningServer({"url": f"{origin}/mcp"})


@asynccontextmanager
async def legacy() -> AsyncIterator[RunningServer]:
    sdk = FixtureServer(page=PAGE).sdk
    app = Forgetful(legacy_alone(sdk.streamable_http_app(event_store=KeptEvents(), retry_interval=RETRY)))
    async with listening(app) as origin:
        yield RunningServer({"url": f"{origin}/mcp"}, app.forget)


@asynccontextmanager
async def legacy_stateless() -> AsyncIterator[RunningServer]:
    app = legacy_alone(FixtureServer(page=PAGE).sdk.streamable_http_app(stateless_http=True))
    async with listening(app) as origin:
        yield RunningServer({"url": f"{origin}/mcp"})


@asynccontextmanager
async def program() -> AsyncIterator[RunningServer]:
    command = [sys.executable, "-m", "tests.peers.mcp_server.program", str(PAGE)]
    yield RunningServer({"command": command, "cwd": str(ROOT)})


@asynccontextmanager
async def old_sse() -> AsyncIterator[RunningServer]:
    async with listening(sse_app(FixtureServer(page=PAGE))) as origin:
        yield RunningServer({"url": f"{origin}/sse"})


KINDS: dict[str, Callable[[], AbstractAsyncContextManager[RunningServer]]] = {
    "modern": modern,
    "legacy": legacy,
    "dual": dual,
    "legacy, stateless": legacy_stateless,
    "a program": program,
    "HTTP+SSE": old_sse,
}
