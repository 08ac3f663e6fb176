"""A token server that counts its requests, and a server that wants one of its living tokens; on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

CLIENT_ID, CLIENT_SECRET = "bench", "secret"
SLOW = 1.0
"""Seconds that the server needs to answer /slow; everything else it answers at once."""


class CountingServers:
    """Both, and how they behave at the moment."""

    def __init__(self, *, lifetime: int = 3600, delay: float = 0.0, refusing: bool = False) -> None:
        self.lifetime = lifetime
        """Seconds that a token lives."""
        self.delay = delay
        """Seconds that the token server needs to make one."""
        self.refusing = refusing
        """Whether it says `invalid_client` instead."""
        self.token_requests = 0
        self.issuer = self.server = ""
        self._ends: dict[str, float] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[CountingServers]:
        """On ports of their own."""
        issuer, server = web.Application(), web.Application()
        issuer.router.add_get("/.well-known/oauth-authorization-server/issuer", self._issuer_metadata)
        issuer.router.add_post("/issuer/token", self._token)
        server.router.add_get("/.well-known/oauth-protected-resource{path:.*}", self._server_metadata)
        server.router.add_post("/{path:.*}", self._call)
        async with _served(issuer) as issuer_origin, _served(server) as server_origin:
            self.issuer, self.server = f"{issuer_origin}/issuer", f"{server_origin}/mcp"
            yield self

    async def _issuer_metadata(self, request: web.Request) -> web.Response:
        endpoints = {"authorization_endpoint": f"{self.issuer}/authorize", "token_endpoint": self.token_url}
        offered = {"response_types_supported": ["code"], "grant_types_supported": ["client_credentials"]}
        return web.json_response({"issuer": self.issuer, **endpoints, **offered})

    async def _server_metadata(self, request: web.Request) -> web.Response:
        return web.json_response({"resource": self.server, "authorization_servers": [self.issuer]})

    async def _token(self, request: web.Request) -> web.Response:
        self.token_requests += 1
        await asyncio.sleep(self.delay)
        if self.refusing:
            return web.json_response({"error": "invalid_client"}, status=401)
        token = f"token-{self.token_requests}"
        self._ends[token] = time.monotonic() + self.lifetime
        return web.json_response({"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime})

    async def _call(self, request: web.Request) -> web.Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if time.monotonic() >= self._ends.get(token, 0):
            metadata = self.server.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
            challenge = f'Bearer resource_metadata="{metadata}"'
            return web.Response(status=401, headers={"www-authenticate": challenge})
        if request.path == "/slow":
            await asyncio.sleep(SLOW)
        return web.Response()

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/token"


@asynccontextmanager
async def _served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
