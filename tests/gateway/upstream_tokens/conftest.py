"""A gateway, the authorization server that keeps its callers' accounts, and a server that wants tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.authserver.agreed import APP
from tests.authserver.conftest import RESOURCE, Start
from tests.authserver.conftest import start as start  # noqa: PLC0414 - a fixture
from tests.authserver.person import Person, World, world
from tests.credentials.upstream_token.conftest import MachineClock
from tests.gateway.conftest import META, Caller, McpServer, StartGateway

from ostiary.certificates.authority import make_authority
from ostiary.certificates.settings import CaDirectory
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind

ENTRY = {
    "resource": RESOURCE,
    "owner": "default/gateway",
    "scopes": ["mcp"],
    "idps": ["corp", {"name": "hub", "use": "required"}],
    "servers": {"github": ["hub"], "corporate": ["corp"]},
}
PROGRAM = {
    "client_id": "nightly",
    "client_secret": "correct-horse-battery-staple-4712",
    "grant_types": ["client_credentials"],
    "scopes": ["mcp"],
}


@dataclass
class House:
    """All of it."""

    world: World
    pki: CaDirectory
    port: int
    clock: MachineClock
    server: McpServer
    start_gateway: StartGateway

    @property
    def certificates(self) -> dict[str, Any]:
        """The gateway's, made by itself."""
        return {"source": "internal_ca", "directory": self.pki.path}

    @property
    def audit(self) -> list[dict[str, Any]]:
        """What the authorization server wrote down."""
        lines = self.world.server.audit_file.read_text().splitlines()
        return [json.loads(line) for line in lines]

    async def gateway(self, *, server: str = "github", **changes: Any) -> Caller:
        """In front of one server, which wants the hub's tokens. changes: to its credential."""
        credential = {"type": "upstream_token", "provider": "hub"}
        credential |= {"token_url": f"https://127.0.0.1:{self.port}"} | changes
        caller = await self.start_gateway(
            self.clock,
            url="https://mcp.example.com",
            inbound=[{"issuer": self.world.server.issuer}],
            certificates=credential.pop("certificates", self.certificates),
            servers={server: {"url": self.server.url, "credential": credential}},
        )
        caller.http.headers["host"] = "mcp.example.com"
        return caller

    async def person(self, name: str = "alice", **changes: str | None) -> tuple[Person, str]:
        """Somebody who signed in, and the token that their client got."""
        person = await self.world.person()
        self.world.corp.person["sub"] = f"corp-{name}"
        self.world.hub.person["sub"] = f"hub-{name}"
        return person, (await person.tokens(**changes))["access_token"]

    async def revoke(self, token: str) -> None:
        """Their client says that they are gone."""
        said = await self.world.server.post("/oauth/revoke", {"token": token, "client_id": "app"})
        assert said.status_code == 200, said.text

    @property
    def sent(self) -> list[str]:
        """The tokens that the server got."""
        return [str(seen.header("authorization")) for seen in self.server.seen]


async def call(caller: Caller, token: str, **options: Any) -> httpx2.Response:
    """A call of the server's tool, as a client with this token makes it."""
    caller.token = token
    return await caller.ask("tools/call", {"name": "github_issues", **options})


async def showing_pages(caller: Caller, token: str, **options: Any) -> httpx2.Response:
    """The same, of a client that shows its person pages."""
    meta = META | {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}, "url": {}}}}
    params = {"name": "github_issues", **options, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    caller.token = token
    routing = [("mcp-method", "tools/call"), ("mcp-protocol-version", "2026-07-28")]
    return await caller.post(json.dumps(body).encode(), [*routing, ("mcp-name", "github_issues")])


@pytest.fixture
def clock() -> MachineClock:
    """TLS goes by the machine's time."""
    return MachineClock()


@pytest.fixture
def entry() -> dict[str, Any]:
    """The resource's, as a test wants it."""
    return dict(ENTRY)


@pytest.fixture
async def house(
    start: Start,
    clock: MachineClock,
    server: McpServer,
    start_gateway: StartGateway,
    entry: dict[str, Any],
    tmp_path: Path,
) -> AsyncIterator[House]:
    pki = CaDirectory(tmp_path / "pki")
    make_authority(pki, "ostiary.local", now=clock())
    with bind(Listen("127.0.0.1", 0)) as sock:
        port = address_of(sock).port
    internal = {
        "listen": f"127.0.0.1:{port}",
        "trust_domain": "ostiary.local",
        "certificates": {"source": "internal_ca", "directory": pki.path},
    }
    async with AsyncExitStack() as stack:
        settings = {"internal": internal, "resources": [entry], "clients": [APP, PROGRAM]}
        here = await stack.enter_async_context(world(start, clock, **settings))  # type: ignore[arg-type]  # a clock
        yield House(here, pki, port, clock, server, start_gateway)
