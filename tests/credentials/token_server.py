"""A token server that counts, and answers whatever a test wants."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from ostiary.oauth.canonical_url import CanonicalUrl, canonical_url

Answer = Callable[[web.Request, dict[str, str]], Awaitable[web.StreamResponse] | web.StreamResponse]


class TokenServer:
    """An issuer with its metadata and token endpoint. `answer` can be changed by the test."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer: Answer = answer or self.numbered
        self.forms: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: Counter[str] = Counter()
        self.by_client: Counter[str] = Counter()
        self.metadata: dict[str, Any] = {}
        self.down = False
        """Whether it answers that it is, wherever it is asked for its metadata."""
        self.issued = 0
        self.lifetime: object = 3600
        self.scheme = "http"
        self.port = 0

    @property
    def issuer(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def token_url(self) -> CanonicalUrl:
        return canonical_url(f"{self.issuer}/token")

    def numbered(self, request: web.Request, form: dict[str, str]) -> web.Response:
        """A new bearer token, by its number."""
        self.issued += 1
        body = {"access_token": f"token-{self.issued}", "token_type": "Bearer", "expires_in": self.lifetime}
        return web.json_response({name: value for name, value in body.items() if value is not None})

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.paths[request.path] += 1
        self.by_client[form.get("client_id", request.headers.get("authorization", ""))] += 1
        self.forms.append(form)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        answer = self.answer(request, form)
        return answer if isinstance(answer, web.StreamResponse) else await answer

    async def _document(self, request: web.Request) -> web.StreamResponse:
        self.paths[request.path] += 1
        if self.down:
            raise web.HTTPServiceUnavailable
        document = {"issuer": self.issuer, "token_endpoint": f"{self.issuer}/token", **self.metadata}
        if request.path != "/.well-known/oauth-authorization-server":
            raise web.HTTPNotFound
        return web.json_response(document)

    @asynccontextmanager
    async def running(self, context: ssl.SSLContext | None = None) -> AsyncIterator[TokenServer]:
        """On a port of its own, until the test is over."""
        app = web.Application()
        app.router.add_post("/token", self._token)
        app.router.add_get("/{path:.*}", self._document)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        self.scheme = "http" if context is None else "https"
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


def refusing(error: str, description: str | None = None, status: int = 400, **headers: str) -> Answer:
    """Says no in the words of RFC 6749 section 5.2."""
    body = {"error": error} | ({} if description is None else {"error_description": description})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request, form: web.json_response(body, status=status, headers=named)


def saying(body: object, status: int = 200) -> Answer:
    """Answers with this JSON."""
    return lambda request, form: web.json_response(body, status=status)


async def never(request: web.Request, form: dict[str, str]) -> web.StreamResponse:
    """Does not answer."""
    await asyncio.sleep(60)
    return web.Response()
