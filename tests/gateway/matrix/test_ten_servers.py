"""Ten servers behind one endpoint, of every kind: two of them are away, and nobody waits for those."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
import pytest
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from tests.gateway.matrix.conversation import ClientEra, Conversation, conversation
from tests.gateway.matrix.features import everything
from tests.gateway.matrix.server_kinds import KINDS
from tests.peers.mcp_clients.client import free_port
from tests.peers.mcp_server.eras import Forgetful, legacy_alone
from tests.peers.mcp_server.running import listening
from tests.peers.mcp_server.server import FixtureServer
from tests.peers.mcp_server.tools import TOOLS
from tests.running_gateway import running_gateway

QUICK = ("modern", "dual", "legacy", "stateless", "program", "sse", "forgetful")
KIND = {"stateless": "legacy, stateless", "program": "a program", "sse": "HTTP+SSE"}
AWAY = ("dead", "hanging")
ERAS: tuple[ClientEra, ...] = ("modern", "legacy")
CALLS = 25
"""Of each client, to each server: more than the forgetful one remembers a session for."""
REMEMBERED = 20
UNAVAILABLE = "dev.ostiary/unavailable"


def personal_server() -> Server[Any]:
    """Each of its users has a tool of their own, and is called by their name."""

    def user(context: ServerRequestContext[Any, Any]) -> str:
        assert context.request is not None
        return str(context.request.headers["x-user"])

    async def listed(context: ServerRequestContext[Any, Any], _: Any) -> types.ListToolsResult:
        tool = types.Tool(name=f"desk_of_{user(context)}", input_schema={"type": "object"})
        return types.ListToolsResult(tools=[tool])

    async def called(
        context: ServerRequestContext[Any, Any], _: types.CallToolRequestParams
    ) -> types.CallToolResult:
        said = types.TextContent(type="text", text=f"This is {user(context)}'s desk")
        return types.CallToolResult(content=[said])

    return Server("personal", on_list_tools=listed, on_call_tool=called)


@dataclass
class Ten:
    """The gateway before them; asked: connections to the hanging one."""

    url: str
    forgetful: Forgetful
    asked: list[asyncio.StreamWriter] = field(default_factory=list)


@pytest.fixture
async def ten() -> AsyncIterator[Ten]:
    async with AsyncExitStack() as stack:
        servers: dict[str, dict[str, Any]] = {}
        for name in QUICK[:-1]:
            running = await stack.enter_async_context(KINDS[KIND.get(name, name)]())
            servers[name] = dict(running.settings)
        forgetful = Forgetful(legacy_alone(FixtureServer().sdk.streamable_http_app()), REMEMBERED)
        origin = await stack.enter_async_context(listening(forgetful))
        servers["forgetful"] = {"url": f"{origin}/mcp"}
        origin = await stack.enter_async_context(listening(personal_server().streamable_http_app()))
        servers["personal"] = {"url": f"{origin}/mcp", "forward_headers": ["x-user"]}
        servers["dead"] = {"url": f"http://127.0.0.1:{free_port()}/mcp"}
        ten = Ten("", forgetful)
        port = await stack.enter_async_context(silence(ten.asked))
        servers["hanging"] = {"url": f"http://127.0.0.1:{port}/mcp", "timeout": "1s"}
        ten.url = f"{await stack.enter_async_context(running_gateway(servers, list_timeout='8s'))}/mcp"
        yield ten


@asynccontextmanager
async def silence(asked: list[asyncio.StreamWriter]) -> AsyncIterator[int]:
    """A port at which everybody is listened to, and nobody answered."""
    server = await asyncio.start_server(lambda _, writer: asked.append(writer), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for writer in asked:
            writer.close()
        server.close()


async def tools_of(talk: Conversation) -> set[str]:
    tools, _ = await everything(talk.client.list_tools, lambda result: result.tools)
    return {tool.name for tool in tools}


async def test_every_list_and_call_is_right_and_waits_for_nobody_who_is_away(ten: Ten) -> None:
    shared = {f"{server}_{tool}" for server in QUICK for tool in TOOLS}
    async with AsyncExitStack() as stack:
        people = {
            user: await stack.enter_async_context(conversation(ten.url, era, {"x-user": user}))
            for user, era in zip(("ada", "bob"), ERAS, strict=True)
        }
        for user, talk in people.items():
            await talk.call("program_greet", name=user)  # it starts when it is first called
            for _ in range(3):
                assert await tools_of(talk) == shared | {f"personal_desk_of_{user}"}
        told = (await people["ada"].client.list_tools()).meta or {}
        assert {one["server"] for one in told[UNAVAILABLE]} == set(AWAY)

        async def call(user: str, server: str, number: int) -> str:
            if server == "personal":
                return await people[user].call(f"personal_desk_of_{user}")
            return await people[user].call(f"{server}_greet", name=f"{user} {number}")

        asked = [
            (user, server, number)
            for number in range(CALLS)
            for server in (*QUICK, "personal")
            for user in people
        ]
        said = await asyncio.gather(*(call(*one) for one in asked))
        for (user, server, number), text in zip(asked, said, strict=True):
            assert text == (f"This is {user}'s desk" if server == "personal" else f"Hello, {user} {number}!")
        for talk in people.values():
            for server, codes in (("dead", {-32010, -32015}), ("hanging", {-32011})):
                with pytest.raises(MCPError) as refused:
                    await talk.call(f"{server}_greet", name="nobody")
                assert refused.value.error.code in codes
    assert ten.forgetful.begun > len(people)
