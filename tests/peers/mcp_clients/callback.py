"""A client's redirect endpoint on loopback, RFC 8252 section 7.3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

from aiohttp import web

PATH = "/callback"
Answers = asyncio.Queue[Mapping[str, str]]


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[tuple[str, Answers]]:
    """Its URL, and the queue of the answers that a browser brings. port: 0 for a free one."""
    answers: Answers = asyncio.Queue()

    async def arrived(request: web.Request) -> web.Response:
        answers.put_nowait(dict(parse_qsl(request.query_string)))
        return web.Response(text="<h1>The client has its answer</h1>", content_type="text/html")

    app = web.Application()
    app.router.add_get(PATH, arrived)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}", answers
    finally:
        await runner.cleanup()
