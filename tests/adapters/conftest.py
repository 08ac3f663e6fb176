"""Two servers that note what they are sent, and a token in a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web


class Server:
    """Accepts one token, notes what it was sent, and redirects when asked to."""

    def __init__(self) -> None:
        self.url = ""
        self.accepted: str | None = "Bearer one"
        self.seen: list[tuple[str | None, str]] = []
        self.api_keys: list[str | None] = []

    async def answer(self, request: web.Request) -> web.Response:
        authorization = request.headers.get("authorization")
        self.seen.append((authorization, await request.text()))
        self.api_keys.append(request.headers.get("x-api-key"))
        if target := request.query.get("to"):
            return web.Response(status=307, headers={"location": target})
        return web.Response(status=200 if authorization == self.accepted else 401)


@pytest.fixture
async def servers() -> AsyncIterator[tuple[Server, Server]]:
    pair, runners = (Server(), Server()), []
    for server in pair:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", server.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = "http://{}:{}".format(*runner.addresses[0][:2])
        runners.append(runner)
    yield pair
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("one")
    return path
