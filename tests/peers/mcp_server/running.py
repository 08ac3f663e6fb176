"""The fixture where clients reach it, on this machine alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp
from tests.loopback import HANGS_UP
from tests.peers.mcp_server.replay import KeptEvents
from tests.peers.mcp_server.server import FixtureServer

from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving

RETRY = 100
"""Milliseconds after which a client may come back for the rest of a stream."""


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application; its origin."""
    sock = bind(Listen("127.0.0.1", 0))
    async with serving(app, sock, limits=HANGS_UP):
        yield f"http://{address_of(sock)}"


@asynccontextmanager
async def running_fixture(fixture: FixtureServer | None = None) -> AsyncIterator[str]:
    """Run it for clients of both eras; the URL of its MCP endpoint."""
    sdk = (fixture or FixtureServer()).sdk
    app = sdk.streamable_http_app(event_store=KeptEvents(), retry_interval=RETRY)
    async with listening(app) as origin:
        yield f"{origin}/mcp"
