"""A client's metadata document at a URL of its own, which is its client_id: over https only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from tests.peers.certificates import CertificateAuthority

PATH = "/client.json"


@dataclass
class PublishedClient:
    """What is served; a test may change it at any time."""

    url: str
    document: dict[str, Any]
    cache_control: str
    requests: int = 0
    """How often it was fetched."""


@asynccontextmanager
async def published_client(
    authority: CertificateAuthority,
    redirect_uris: Sequence[str],
    *,
    cache_control: str = "max-age=60",
    **members: Any,
) -> AsyncIterator[PublishedClient]:
    """Publish one. members: of its document, beside or instead of the usual ones."""
    client = PublishedClient("", {}, cache_control)

    async def answer(_: web.Request) -> web.Response:
        client.requests += 1
        return web.json_response(client.document, headers={"Cache-Control": client.cache_control})

    app = web.Application()
    app.router.add_get(PATH, answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_context()).start()
        client.url = f"https://127.0.0.1:{runner.addresses[0][1]}{PATH}"
        client.document = {
            "client_id": client.url,
            "client_name": "A published client",
            "redirect_uris": list(redirect_uris),
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        } | members
        yield client
    finally:
        await runner.cleanup()
