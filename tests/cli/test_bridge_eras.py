"""`ostiary bridge`: clients of either era, at servers of either era and every transport."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import mcp
import pytest
from mcp import StdioServerParameters
from mcp.client.context import ClientRequestContext
from mcp.client.stdio import stdio_client
from mcp.server.mcpserver import MCPServer, Resolve
from mcp_types import ElicitRequestParams, ElicitResult
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from tests.cli.test_bridge import MODERN, Process, asking, bridged
from tests.gateway.legacy.conftest import ANYWHERE, OldServer, text_of
from tests.gateway.legacy.test_programs import OFFICIAL
from tests.gateway.legacy.tools import add_tools_that_ask, add_tools_that_tell
from tests.gateway.programs import program
from tests.gateway.sessions.conftest import Name, ask_name
from tests.loopback import HANGS_UP

from ostiary.transport.serving import address_of, bind, serving

US = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


async def modern_server(running: AsyncExitStack, _: Path) -> list[str]:
    server: MCPServer[None] = MCPServer("new", log_level="ERROR")
    add_tools_that_tell(server)

    @server.tool()
    async def ask(name: Annotated[Name, Resolve(ask_name)]) -> str:
        return name.name

    sock = bind(ANYWHERE)
    await running.enter_async_context(serving(server.streamable_http_app(), sock, limits=HANGS_UP))
    return [f"http://{address_of(sock)}/mcp"]


async def old_server(running: AsyncExitStack, _: Path) -> list[str]:
    server = OldServer()
    await server.start()
    running.push_async_callback(server.stop)
    return [server.url]


async def sse_server(running: AsyncExitStack, _: Path) -> list[str]:
    server: MCPServer[None] = MCPServer("oldest", log_level="ERROR")
    add_tools_that_tell(server)
    add_tools_that_ask(server, None)  # type: ignore[arg-type]  # whose page is not opened here
    sock = bind(ANYWHERE)
    await running.enter_async_context(serving(server.sse_app(), sock, limits=HANGS_UP))
    return [f"http://{address_of(sock)}/sse"]


async def old_program(_: AsyncExitStack, folder: Path) -> list[str]:
    file = folder / "ostiary.yaml"
    server = {"command": program(folder, OFFICIAL)}
    file.write_text(json.dumps({"gateway": {"allow_unauthenticated": True, "servers": {"s": server}}}))
    return ["--server", "s", "-c", str(file)]


SERVERS = [modern_server, old_server, sse_server, old_program]


@pytest.fixture(autouse=True)
def no_long_farewells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers wait for streams that wait for us."""
    monkeypatch.setattr("ostiary.transport.serving.DRAIN_SECONDS", 0.1)


@pytest.fixture(params=SERVERS, ids=lambda server: server.__name__)
async def words(request: Any, tmp_path: Path) -> AsyncIterator[list[str]]:
    """What names the server to the bridge."""
    async with AsyncExitStack() as running:
        yield await request.param(running, tmp_path)


@asynccontextmanager
async def client_of(words: list[str], mode: Any) -> AsyncIterator[mcp.Client]:
    async def elicit(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="accept", content={"name": "Ada"})

    command = ["-m", "ostiary", "bridge", *words]
    stdio = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))
    async with (
        asyncio.timeout(40),
        mcp.Client(stdio_client(stdio), mode=mode, elicitation_callback=elicit) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_of_either_era_is_asked_and_told(words: list[str], mode: str) -> None:
    told: list[float] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    async with client_of(words, mode) as client:
        assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
        reported = await client.call_tool("progress", {}, progress_callback=report)
        asked = await client.call_tool("ask", {})
    assert (text_of(reported.model_dump()), told[0]) == ("reported", 1)
    assert text_of(asked.model_dump()) == "Ada"


@dataclass
class Particular:
    """A modern server whose one tool wants an argument in a header, too; and which may be slow."""

    said: list[str | None] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        message = json.loads(await request.body())
        if message["method"] == "tools/slow":
            self.begun.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.set()
            return
        if message["method"] == "tools/call":
            self.said.append(place := request.headers.get("mcp-param-place"))
            if place is None:
                error = {"code": -32020, "message": "the Mcp-Param-Place header is missing"}
                await JSONResponse({"jsonrpc": "2.0", "id": message["id"], "error": error}, 400)(
                    scope, receive, send
                )
                return
        result = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", **RESULTS[message["method"]]}
        body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        await JSONResponse(body)(scope, receive, send)


SCHEMA = {"type": "object", "properties": {"place": {"type": "string", "x-mcp-header": "Place"}}}
RESULTS: dict[str, dict[str, Any]] = {
    "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}},
    "tools/list": {"tools": [{"name": "x", "inputSchema": SCHEMA}]},
    "tools/call": {"content": []},
}


@asynccontextmanager
async def before(server: Particular) -> AsyncIterator[Process]:
    """A bridge in front of it."""
    sock = bind(ANYWHERE)
    async with (
        serving(server, sock, limits=HANGS_UP),
        bridged(f"http://{address_of(sock)}/mcp", "--no-credential") as bridge,
    ):
        yield bridge


@pytest.mark.parametrize("mode", ["modern", "legacy"])
async def test_what_a_schema_wants_in_a_header_is_there(mode: str) -> None:
    server = Particular()
    meta = {"_meta": MODERN} if mode == "modern" else {}
    async with before(server) as bridge:
        if mode == "legacy":
            await bridge.ask(0, "initialize", **US)
        await bridge.ask(1, "tools/list", **meta)
        called = await bridge.ask(2, "tools/call", name="x", arguments={"place": "Zürich"}, **meta)
    assert called["result"]["content"] == []
    assert server.said[-1] == "=?base64?WsO8cmljaA==?="


async def test_a_modern_request_that_is_cancelled_is_left() -> None:
    server = Particular()
    async with before(server) as bridge:
        await bridge.send(asking(1, "tools/slow", _meta=MODERN))
        await asyncio.wait_for(server.begun.wait(), 15)
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        await bridge.send(json.dumps(cancelled).encode() + b"\n")
        await asyncio.wait_for(server.left.wait(), 15)
        assert (await bridge.ask(2, "tools/list", _meta=MODERN))["id"] == 2
        assert await bridge.close() == (0, "", "")


async def test_who_listens_is_told_until_standard_input_ends(tmp_path: Path) -> None:
    async with AsyncExitStack() as running, bridged(*await modern_server(running, tmp_path)) as bridge:
        wanted = {"toolsListChanged": True}
        acknowledged = await bridge.ask("l", "subscriptions/listen", _meta=MODERN, notifications=wanted)
        assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
        assert (await bridge.ask(2, "tools/list", _meta=MODERN))["id"] == 2
        assert (await bridge.close())[:2] == (0, "")


async def test_a_request_with_a_fault_is_answered_by_its_id(house: Any) -> None:
    async with bridged(house.zoo, "--no-credential") as bridge:
        refused = await bridge.ask(5, "tools/call", _meta=MODERN)
    error = {"code": -32602, "message": "params.name is missing"}
    assert refused == {"jsonrpc": "2.0", "id": 5, "error": error}


async def test_a_program_is_sent_no_credential(tmp_path: Path) -> None:
    async with AsyncExitStack() as running:
        words = await old_program(running, tmp_path)
    async with bridged(*words, "--credential", "google_id_token") as bridge:
        code, out, err = await bridge.close()
    assert (code, out) == (2, "")
    assert "is a program, which is sent no credential: give it env" in err
