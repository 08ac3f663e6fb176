"""An MCP server that says of itself only which issuer it takes tokens of."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url


@asynccontextmanager
async def naming(issuer: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[CanonicalUrl]:
    """Its URL, until the test is over."""

    async def describe(request: web.Request) -> web.Response:
        return web.json_response({"resource": f"{origin}/mcp", "authorization_servers": [issuer]})

    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=401, headers={"www-authenticate": 'Bearer error="invalid_token"'})

    app = web.Application()
    app.router.add_get("/.well-known/oauth-protected-resource/mcp", describe)
    app.router.add_post("/mcp", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    origin = "{}://{}:{}".format("https" if tls else "http", *runner.addresses[0][:2])
    try:
        yield canonical_url(f"{origin}/mcp")
    finally:
        await runner.cleanup()
