"""An authorization server where a person signs in, and an MCP server that takes its tokens, on one port."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
from aiohttp import web

CODE = "the-code"


@dataclass
class PersonsIssuer:
    """Behaves well, until the test changes something."""

    url: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What its metadata says else; None takes a field out."""
    answer: dict[str, str] = field(default_factory=dict)
    """What the browser brings back else; an empty string takes a parameter out."""
    challenge: str = 'scope="read"'
    needs: str = "read"
    """The scope that the MCP server wants to see in a token."""
    lifetime: int | None = 3600
    gives_refresh_tokens: bool = True
    id_token: str | None = None
    status: int = 200
    """Of its token answers."""
    tells: dict[str, Any] = field(default_factory=dict)
    """What its token answers say else."""
    refuses: dict[str, str] | None = None
    """What the token endpoint answers instead of tokens."""
    refuses_scopes: str | None = None
    """The error with which a refresh is refused that names scopes."""
    pauses: float = 0

    authorization_servers: list[str] = field(default_factory=list)
    """Those that the MCP server names; none means this one."""
    describes_itself: bool = True
    """Whether the MCP server has metadata."""
    has_metadata: bool = True
    """Whether the authorization server has."""

    registered: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    """Authorization requests."""
    redeemed: list[dict[str, str]] = field(default_factory=list)
    """Token requests."""
    revoked: list[dict[str, str]] = field(default_factory=list)
    revocation_status: int = 200
    sent: list[str | None] = field(default_factory=list)
    """The Authorization headers that the MCP server saw."""
    good: dict[str, str] = field(default_factory=dict)
    """Access tokens and their scopes."""
    refresh_tokens: set[str] = field(default_factory=set)
    _challenge: str = ""
    _scope: str = ""

    @property
    def server(self) -> str:
        """The MCP server's URL."""
        return f"{self.url}/mcp"

    def expire(self) -> None:
        """The MCP server takes no token that was given so far."""
        self.good.clear()

    async def resource_metadata(self, request: web.Request) -> web.Response:
        if not self.describes_itself:
            raise web.HTTPNotFound
        return web.json_response(
            {
                "resource": self.server,
                "authorization_servers": self.authorization_servers or [self.url],
                "scopes_supported": ["all"],
            }
        )

    async def issuer_metadata(self, request: web.Request) -> web.Response:
        if not self.has_metadata:
            raise web.HTTPNotFound
        said = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "registration_endpoint": f"{self.url}/register",
            "revocation_endpoint": f"{self.url}/revoke",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
        } | self.metadata
        return web.json_response({name: value for name, value in said.items() if value is not None})

    async def register(self, request: web.Request) -> web.Response:
        self.registered.append(await request.json())
        return web.json_response({"client_id": f"client-{len(self.registered)}"}, status=201)

    async def authorize(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        self._challenge, self._scope = request.query["code_challenge"], request.query.get("scope", "")
        answer = {"code": CODE, "state": request.query["state"], "iss": self.url} | self.answer
        query = urlencode({name: value for name, value in answer.items() if value})
        raise web.HTTPFound(f"{request.query['redirect_uri']}?{query}")

    async def token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.redeemed.append(form)
        await asyncio.sleep(self.pauses)
        if self.refuses is not None:
            return web.json_response(self.refuses, status=400)
        if form["grant_type"] == "refresh_token":
            if "scope" in form and self.refuses_scopes is not None:
                return web.json_response({"error": self.refuses_scopes}, status=400)
            if form["refresh_token"] not in self.refresh_tokens:
                return web.json_response({"error": "invalid_grant"}, status=400)
            self.refresh_tokens.remove(form["refresh_token"])
        elif form.get("code") != CODE or s256(form["code_verifier"]) != self._challenge:
            return web.json_response({"error": "invalid_grant"}, status=400)
        number = len(self.redeemed)
        self.good[f"token-{number}"] = self._scope
        answer: dict[str, Any] = {"access_token": f"token-{number}", "token_type": "Bearer"}
        answer |= {"expires_in": self.lifetime} if self.lifetime is not None else {}
        answer |= {"scope": self._scope} if self._scope else {}
        answer |= {"id_token": self.id_token} if self.id_token else {}
        if self.gives_refresh_tokens:
            answer["refresh_token"] = f"refresh-{number}"
            self.refresh_tokens.add(f"refresh-{number}")
        return web.json_response(answer | self.tells, status=self.status)

    async def revoke(self, request: web.Request) -> web.Response:
        self.revoked.append({name: str(value) for name, value in (await request.post()).items()})
        return web.Response(status=self.revocation_status)

    async def mcp(self, request: web.Request) -> web.Response:
        header = request.headers.get("authorization")
        self.sent.append(header)
        scopes = self.good.get((header or "").removeprefix("Bearer "))
        if scopes is None:
            return web.Response(status=401, headers={"www-authenticate": f"Bearer {self.challenge}"})
        if not set(self.needs.split()) <= set(scopes.split()):
            challenge = f'Bearer error="insufficient_scope", scope="{self.needs}"'
            return web.Response(status=403, headers={"www-authenticate": challenge})
        return web.Response(text="let in")


@asynccontextmanager
async def persons_issuer() -> AsyncIterator[PersonsIssuer]:
    """One on a free port."""
    issuer = PersonsIssuer()
    app = web.Application()
    app.router.add_get("/.well-known/oauth-protected-resource/mcp", issuer.resource_metadata)
    app.router.add_get("/.well-known/oauth-authorization-server", issuer.issuer_metadata)
    app.router.add_post("/register", issuer.register)
    app.router.add_get("/authorize", issuer.authorize)
    app.router.add_post("/token", issuer.token)
    app.router.add_post("/revoke", issuer.revoke)
    app.router.add_post("/mcp", issuer.mcp)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    issuer.url = re.sub(r"/$", "", f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        yield issuer
    finally:
        await runner.cleanup()


class Person:
    """A browser, and a person who allows everything. It remembers the pages that it was shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.read: list[str] = []
        """What the last page of each sign-in said."""

    async def __call__(self, url: str) -> None:
        self.shown.append(url)
        async with aiohttp.ClientSession() as session, session.get(url) as page:
            self.read.append(await page.text())


def redirect_port(request: dict[str, str]) -> int:
    """The port of an authorization request's redirect URI."""
    return urlsplit(request["redirect_uri"]).port or 0


def query_of(url: str) -> dict[str, str]:
    """A URL's query."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
