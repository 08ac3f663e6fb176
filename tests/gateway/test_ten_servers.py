"""Ten servers of every kind behind one endpoint: each call and list right, and nobody waits for the worst."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from aiohttp import web
from mcp.server.mcpserver import MCPServer
from tests.gateway.conftest import result
from tests.gateway.programs import program
from tests.gateway.test_federation import answering, tools
from tests.gateway.test_overrides import having
from tests.loopback import HANGS_UP
from tests.peers.mcp_server.eras import Forgetful, legacy_alone, modern_alone

from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from tests.gateway.conftest import Caller, McpServer, Seen, StartGateway

StartServer = Callable[[], Awaitable["McpServer"]]
STDIO = """
    for message in messages():
        if message["method"] == "tools/list":
            answer(message, {"tools": [{"name": "who", "inputSchema": {"type": "object"}}], "ttlMs": 0})
        else:
            text(message, "program")
"""
CALLS = 50
"""More than twice as many as the forgetful one remembers a session for."""


def official(name: str) -> MCPServer[None]:
    server: MCPServer[None] = MCPServer(name, log_level="ERROR")
    server.add_tool(lambda: name, name="who")
    return server


class Ten:
    """The servers' addresses by their names, and the one that hangs."""

    def __init__(self) -> None:
        self.settings: dict[str, dict[str, Any]] = {}
        self.hanging = 0
        self.forgetful: Forgetful

    async def hang(self, _seen: Seen, _request: web.Request) -> web.StreamResponse:
        self.hanging += 1
        await asyncio.Event().wait()
        raise AssertionError

    async def per_user(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        tenant = seen.header("x-tenant")
        if seen.method == "tools/call":
            return result(seen, {"content": [{"type": "text", "text": tenant}]})
        return await answering(tools(f"of_{tenant}"))(seen, request)


@pytest.fixture
async def ten(start_server: StartServer, tmp_path: Path) -> AsyncIterator[Ten]:
    made = Ten()
    async with AsyncExitStack() as running:

        async def served(app: ASGIApp, path: str = "/mcp") -> dict[str, Any]:
            sock = bind(Listen("127.0.0.1", 0))
            await running.enter_async_context(serving(app, sock, limits=HANGS_UP))
            return {"url": f"http://{address_of(sock)}{path}"}

        quick, hanging, users = [await start_server() for _ in range(3)]
        quick.reply, hanging.reply, users.reply = having(tools=[{"name": "who"}]), made.hang, made.per_user
        made.forgetful = Forgetful(official("forgetful").streamable_http_app(), most_requests=20)
        made.settings = {
            "quick": {"url": quick.url},
            "modern": await served(modern_alone(official("modern").streamable_http_app(stateless_http=True))),
            "hanging": {"url": hanging.url, "timeout": "120s"},
            "stateful": await served(legacy_alone(official("stateful").streamable_http_app())),
            "stateless": await served(
                legacy_alone(official("stateless").streamable_http_app(stateless_http=True))
            ),
            "dead": {"url": "http://127.0.0.1:1/mcp"},
            "sse": await served(official("sse").sse_app(), "/sse"),
            "program": {"command": program(tmp_path, STDIO), "timeout": "60s"},
            "forgetful": await served(legacy_alone(made.forgetful)),
            "users": {"url": users.url, "forward_headers": ["x-tenant"]},
        }
        yield made


async def listed(caller: Caller, tenant: str) -> tuple[list[str], dict[str, str]]:
    answered = await caller.ask("tools/list", headers=[("x-tenant", tenant)])
    merged = answered.json()["result"]
    away = {one["server"]: one["step"] for one in merged["_meta"].get("dev.ostiary/unavailable", [])}
    return [tool["name"] for tool in merged["tools"]], away


async def says(caller: Caller, name: str, tenant: str) -> Any:
    answered = await caller.ask("tools/call", {"name": name}, headers=[("x-tenant", tenant)])
    return answered.json()


async def test_every_list_and_call_is_right_and_nobody_waits_for_the_worst(
    ten: Ten, start_gateway: StartGateway
) -> None:
    caller = await start_gateway(servers=ten.settings, list_timeout="5s")
    caller.http.timeout = httpx2.Timeout(60)
    well = ("quick", "modern", "stateful", "stateless", "sse", "program", "forgetful")
    whole = [f"{name}_who" for name in well]
    await asyncio.gather(*(says(caller, name, "one") for name in whole))  # programs take long to start
    for tenant in ("one", "two"):
        names, away = await listed(caller, tenant)
        assert (names, away) == (
            [*whole, f"users_of_{tenant}"],
            {"hanging": "timeout", "dead": "connect"},
        )
    asked = ten.hanging
    async with asyncio.timeout(15):  # a wait for the one that hangs is 5 s each time
        for tenant in ("one", "two") * 5:
            names, away = await listed(caller, tenant)
            assert names == [*whole, f"users_of_{tenant}"]
            assert away == {"hanging": "timeout", "dead": "connect"}
    assert ten.hanging == asked, "it is still asked, once for everybody"
    for name in well[1:]:
        called = await says(caller, f"{name}_who", "one")
        assert called["result"]["content"][0]["text"] == name
    for tenant in ("one", "two"):
        called = await says(caller, "users_who", tenant)
        assert called["result"]["content"][0]["text"] == tenant
    assert (await says(caller, "dead_who", "one"))["error"]["code"] == -32010


async def test_a_server_that_loses_its_session_every_20_calls_answers_every_one(
    ten: Ten, start_gateway: StartGateway
) -> None:
    caller = await start_gateway(servers=ten.settings)
    caller.http.timeout = httpx2.Timeout(60)
    for _ in range(CALLS):
        called = await says(caller, "forgetful_who", "one")
        assert called["result"]["content"][0]["text"] == "forgetful"
    assert ten.forgetful.begun >= CALLS // 20
