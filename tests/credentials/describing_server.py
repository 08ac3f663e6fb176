"""An MCP server that says of itself what a test wants, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url

WELL_KNOWN = "/.well-known/oauth-protected-resource"


@asynccontextmanager
async def mcp_server(
    documents: dict[str, Any], challenge: str | None = None, *, path: str = "/mcp", status: int = 401
) -> AsyncIterator[tuple[CanonicalUrl, list[str]]]:
    """Its URL, and what it was asked. documents: by path; challenge: where {origin} stands for its own."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path}")
        if request.method == "POST":
            assert "authorization" not in request.headers
            said = (challenge or "").format(origin=f"http://{request.host}")
            return web.Response(status=status, headers={"www-authenticate": said} if said else {})
        if request.path not in documents:
            raise web.HTTPNotFound
        return web.json_response(documents[request.path])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = canonical_url(f"http://127.0.0.1:{runner.addresses[0][1]}{path}")
    for document in documents.values():
        document.setdefault("resource", str(url))
    try:
        yield url, asked
    finally:
        await runner.cleanup()
