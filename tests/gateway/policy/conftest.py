"""Policies in a folder, and callers whose tokens say what a test wants them to."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from copy import copy
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from ostiary.gateway.policy.loading import PolicyText, read_policies
from ostiary.identity.principal import Principal
from ostiary.oauth.jwt_claims import client_of, scopes_of
from ostiary.secrets import Secret

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, StartGateway

    from ostiary.gateway.policy.policy_set import PolicySet

PUBLIC = "https://mcp.example.com"
ISSUER = "https://auth.example.com"


def policies(*texts: str) -> PolicySet:
    """One set out of these files."""
    return read_policies([PolicyText(f"{number}.cedar", text) for number, text in enumerate(texts)])


def principal(**claims: Any) -> Principal:
    """A caller with this token."""
    claims = {"sub": "ada", **claims}
    return Principal(
        claims.pop("iss", ISSUER),
        claims["sub"],
        client_of(claims),
        scopes_of(claims),
        MappingProxyType(claims),
        9e9,
        Secret("t"),
    )


class Issuer:
    """Says what each token is worth. claims: by token."""

    def __init__(self) -> None:
        self.url = ""
        self.claims: dict[str, dict[str, Any]] = {}

    async def introspect(self, request: web.Request) -> web.Response:
        token = str((await request.post())["token"])
        if token not in self.claims:
            return web.json_response({"active": False})
        said = {"active": True, "sub": token, "aud": f"{PUBLIC}/mcp", "exp": int(time.time()) + 600}
        return web.json_response(said | self.claims[token])


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


class Guarded:
    """A gateway with policies, and its callers by what their tokens say."""

    def __init__(self, caller: Caller, issuer: Issuer, folder: Path) -> None:
        self._caller = caller
        self._issuer = issuer
        self.folder = folder

    def caller(self, token: str, **claims: Any) -> Caller:
        """Somebody with this token."""
        self._issuer.claims[token] = claims
        caller = copy(self._caller)
        caller.token = token
        return caller

    def write(self, text: str, name: str = "all.cedar") -> None:
        """Put this in place of what a file says."""
        (self.folder / name).write_text(text, "utf-8")


StartGuarded = Callable[..., Awaitable[Guarded]]


@pytest.fixture
def start_guarded(
    start_gateway: StartGateway, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> StartGuarded:
    """Starts a gateway with these policies."""
    monkeypatch.setenv("INTROSPECTION_SECRET", "correct-horse-battery-staple")
    folder = tmp_path / "policies"
    folder.mkdir()

    async def start(text: str, **settings: Any) -> Guarded:
        (folder / "all.cedar").write_text(text, "utf-8")
        entry = {
            "type": "introspection",
            "issuer": issuer.url,
            "introspection_url": f"{issuer.url}/introspect",
            "client_id": "gateway",
            "client_secret": {"env": "INTROSPECTION_SECRET"},
            "required_scopes": settings.pop("required_scopes", []),
        }
        caller = await start_gateway(url=PUBLIC, inbound=[entry], policy=str(folder), **settings)
        caller.http.headers["host"] = "mcp.example.com"
        return Guarded(caller, issuer, folder)

    return start
