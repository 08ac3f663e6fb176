"""Callers with opaque tokens: their issuer is asked what one is worth (RFC 7662), and nobody else sees it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.gateway.test_federation import answering, tools

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, StartGateway

PUBLIC = "https://mcp.example.com"


class Issuer:
    """Knows some tokens, and may be away."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.is_away = False
        self.scopes = {"good": "mcp", "weak": "other"}

    async def introspect(self, request: web.Request) -> web.Response:
        token = str((await request.post())["token"])
        self.asked.append(token)
        if self.is_away:
            return web.Response(status=503)
        if token not in self.scopes:
            return web.json_response({"active": False})
        said = {"active": True, "sub": "ada", "aud": f"{PUBLIC}/mcp", "scope": self.scopes[token]}
        return web.json_response(said | {"exp": int(time.time()) + 600})


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    app = web.Application()
    app.router.add_post("/introspect", issuer.introspect)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    issuer.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield issuer
    await runner.cleanup()


@pytest.fixture
async def guarded(
    start_gateway: StartGateway, server: McpServer, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> Caller:
    monkeypatch.setenv("INTROSPECTION_SECRET", "correct-horse-battery-staple")
    server.reply = answering(tools("a"))
    entry: dict[str, Any] = {
        "type": "introspection",
        "issuer": issuer.url,
        "introspection_url": f"{issuer.url}/introspect",
        "client_id": "gateway",
        "client_secret": {"env": "INTROSPECTION_SECRET"},
        "required_scopes": ["mcp"],
    }
    caller = await start_gateway(url=PUBLIC, inbound=[entry], servers={"s": {"url": server.url}})
    caller.http.headers["host"] = "mcp.example.com"
    return caller


async def test_an_active_token_opens_every_door_and_travels_no_farther(
    guarded: Caller, server: McpServer, issuer: Issuer
) -> None:
    guarded.token = "good"
    for door in ("/mcp", "/servers/s/mcp", "/mcp"):
        assert (await guarded.ask("tools/list", path=door)).status_code == 200
    assert issuer.asked == ["good"]
    assert "good" not in str([seen.headers for seen in server.seen])


@pytest.mark.parametrize(
    ("token", "status", "challenge"),
    [
        ("unknown", 401, 'error="invalid_token"'),
        ("weak", 403, 'error="insufficient_scope"'),
        (None, 401, 'scope="mcp"'),
    ],
)
async def test_any_other_is_told_how_to_get_in(
    guarded: Caller, server: McpServer, token: str | None, status: int, challenge: str
) -> None:
    guarded.token = token
    refused = await guarded.ask("tools/list")
    assert refused.status_code == status
    assert challenge in refused.headers["www-authenticate"]
    assert server.seen == []


async def test_nobody_comes_in_while_the_issuer_is_away(
    guarded: Caller, server: McpServer, issuer: Issuer
) -> None:
    issuer.is_away = True
    guarded.token = "good"
    refused = await guarded.ask("tools/list")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["error"] == {
        "code": -32015,
        "message": "the token cannot be verified now, because its issuer cannot be asked about it",
    }
    assert server.seen == []


async def test_clients_are_told_who_issues_the_tokens(guarded: Caller, issuer: Issuer) -> None:
    path = "/.well-known/oauth-protected-resource/mcp"
    metadata = (await guarded.http.get(guarded.origin + path)).json()
    assert (metadata["authorization_servers"], metadata["scopes_supported"]) == ([issuer.url], ["mcp"])
