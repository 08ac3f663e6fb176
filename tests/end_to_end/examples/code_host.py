"""A code host as GitHub is one: OAuth 2 without OpenID Connect, and with its oddities.

Errors come with status 200, scopes with commas, people are numbers, some beyond what a float holds.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

PERSON = {"login": "alice-codes", "id": 9007199254740993, "name": None, "email": None}
LIFETIME = 28800
FORM = '<form method="post" action="{}"><button>Authorize</button></form>'


@dataclass
class CodeHost:
    """What it gave, by its numbers."""

    url: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    """Authorization requests."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Access tokens by the refresh tokens that replace them."""
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def ask(self, request: web.Request) -> web.Response:
        """The page, on which somebody who is signed in already agrees."""
        return web.Response(text=FORM.format(request.path_qs.replace("&", "&amp;")), content_type="text/html")

    async def agree(self, request: web.Request) -> web.Response:
        code = f"code-{next(self._numbers)}"
        self.codes[code] = dict(request.query)
        back = urlencode({"code": code, "state": request.query["state"]})
        raise web.HTTPFound(f"{request.query['redirect_uri']}?{back}")

    async def token(self, request: web.Request) -> web.Response:
        form = dict(parse_qsl(await request.text()))
        if form["grant_type"] == "refresh_token":
            if self.tokens.pop(form["refresh_token"], None) is None:
                return web.json_response({"error": "bad_refresh_token"})
            return self._given("read:user,repo")
        asked = self.codes.pop(form["code"], None)
        if asked is None or asked["redirect_uri"] != form["redirect_uri"]:
            return web.json_response({"error": "bad_verification_code"})
        return self._given(asked["scope"].replace(" ", ","))

    async def user(self, request: web.Request) -> web.Response:
        sent = request.headers["authorization"].removeprefix("Bearer ")
        known = sent in self.tokens.values()
        return web.json_response(
            PERSON if known else {"message": "Bad credentials"}, status=200 if known else 401
        )

    def _given(self, scopes: str) -> web.Response:
        number = next(self._numbers)
        self.tokens[f"ghr_{number}"] = f"ghu_{number}"
        return web.json_response(
            {
                "access_token": f"ghu_{number}",
                "expires_in": LIFETIME,
                "refresh_token": f"ghr_{number}",
                "refresh_token_expires_in": 15811200,
                "scope": scopes,
                "token_type": "bearer",
            }
        )


@asynccontextmanager
async def code_host() -> AsyncIterator[CodeHost]:
    """One on a free port."""
    host = CodeHost()
    app = web.Application()
    app.router.add_get("/login/oauth/authorize", host.ask)
    app.router.add_post("/login/oauth/authorize", host.agree)
    app.router.add_post("/login/oauth/access_token", host.token)
    app.router.add_get("/user", host.user)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield host
    finally:
        await runner.cleanup()
