"""`ostiary bridge`: stdio clients of both eras, and tokens that grow old meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import mcp
import pytest
from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.server.mcpserver import Context, MCPServer
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving

MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
PENGUINS = {"name": "get_animals_by_species", "arguments": {"species": "penguin"}}


def asking(number: int | str, method: str, **params: Any) -> bytes:
    """A request on one line."""
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n"


class Process:
    """The bridge as a client starts it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def send(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)
        await self._process.stdin.drain()

    async def receive(self) -> Any:
        """The next message; standard output has nothing else."""
        assert self._process.stdout is not None
        return json.loads(await self._process.stdout.readline())

    async def ask(self, number: int | str, method: str, **params: Any) -> Any:
        await self.send(asking(number, method, **params))
        return await self.receive()

    async def close(self) -> tuple[int, str, str]:
        """Close its standard input: exit code and what was left to read."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        out, err = await self._process.communicate()
        return self._process.returncode or 0, out.decode(), err.decode()

    async def stop(self, number: signal.Signals) -> int:
        """Send a signal, standard input still open: the exit code."""
        self._process.send_signal(number)
        return await self._process.wait()


@asynccontextmanager
async def bridged(*words: str, **environment: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ostiary", "bridge", *words),
        env=os.environ | environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(20):
            yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


# What passes.


async def test_a_modern_message_passes_with_the_headers_it_needs(house: Any) -> None:
    async with bridged(house.zoo, "--credential", house.key("gateway")) as bridge:
        discovered = await bridge.ask(1, "server/discover", _meta=MODERN)
        assert discovered["result"]["supportedVersions"] == ["2026-07-28"]
        called = await bridge.ask(2, "tools/call", _meta=MODERN, **PENGUINS)
        assert len(called["result"]["structuredContent"]["result"]) == 6
        assert await bridge.close() == (0, "", "")


async def test_a_legacy_client_shakes_hands(house: Any) -> None:
    async with bridged(house.zoo, "--credential", house.key("gateway")) as bridge:
        us = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        started = await bridge.ask(1, "initialize", **us)
        assert started["result"]["protocolVersion"] == "2025-06-18"
        await bridge.send(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
        called = await bridge.ask(2, "tools/call", **PENGUINS)
        assert len(called["result"]["structuredContent"]["result"]) == 6
        assert await bridge.close() == (0, "", "")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_sdks_stdio_client_works_through_it(house: Any, mode: Any) -> None:
    words = ["-m", "ostiary", "bridge", house.zoo, "--credential", house.key("gateway")]
    stdio = StdioServerParameters(command=sys.executable, args=words, env=dict(os.environ))
    async with asyncio.timeout(30), mcp.Client(stdio_client(stdio), mode=mode) as client:
        result = await client.call_tool("get_animals_by_species", {"species": "lion"})
    assert result.structured_content is not None
    assert [animal["name"] for animal in result.structured_content["result"]] == [
        "Leo",
        "Nala",
        "Simba",
        "King",
    ]


async def test_answers_still_come_when_the_questions_have_ended(house: Any) -> None:
    async with bridged(house.zoo, "--credential", house.key("gateway")) as bridge:
        await bridge.send(asking(7, "tools/call", _meta=MODERN, **PENGUINS).rstrip())
        code, out, err = await bridge.close()
    assert (code, json.loads(out)["id"], err) == (0, 7, "")


async def test_it_ends_when_it_is_told_to(house: Any) -> None:
    async with bridged(house.zoo, "--credential", house.key("gateway")) as bridge:
        await bridge.ask(1, "server/discover", _meta=MODERN)
        assert await bridge.stop(signal.SIGTERM) == 0


# What goes wrong.


async def test_a_line_that_is_no_message_is_answered(house: Any) -> None:
    async with bridged(house.zoo, "--no-credential") as bridge:
        await bridge.send(b"hello\n")
        assert await bridge.receive() == {
            "jsonrpc": "2.0",
            "id": None,
            "error": {"code": -32700, "message": "the line is not a JSON-RPC message"},
        }


async def test_a_refusal_names_credential_endpoint_and_fix(house: Any) -> None:
    async with bridged(house.zoo, "--credential", house.key("visitor")) as bridge:
        refused = await bridge.ask("seven", "server/discover", _meta=MODERN)
        assert refused == {
            "jsonrpc": "2.0",
            "id": "seven",
            "error": {
                "code": -32014,
                "message": (
                    f"server {house.zoo}: it refused credential google_id_token with 403; "
                    f"`ostiary doctor {house.zoo}` finds out why"
                ),
            },
        }


async def test_a_credential_that_cannot_be_had_is_named_and_the_bridge_stands(house: Any) -> None:
    credential = '{"type": "bearer", "token": {"env": "TOKEN_THAT_IS_NOT_SET"}}'
    async with bridged(house.zoo, "--credential", credential) as bridge:
        for number in (1, 2):
            failed = await bridge.ask(number, "server/discover", _meta=MODERN)
            assert failed["error"] == {
                "code": -32013,
                "message": (
                    f"server {house.zoo}: credential bearer for {house.zoo.removesuffix('/mcp')}: "
                    "environment variable TOKEN_THAT_IS_NOT_SET is not set; set it to the value that the "
                    "server gave you"
                ),
            }
        assert (await bridge.close())[:2] == (0, "")


async def test_a_server_that_is_away_is_told_and_the_bridge_stands() -> None:
    sock = bind(Listen("127.0.0.1", 0))
    address = address_of(sock)
    url = f"http://{address}/mcp"
    sock.close()
    async with bridged(url, "--no-credential") as bridge:
        for number in (1, 2):
            failed = await bridge.ask(number, "server/discover", _meta=MODERN)
            assert failed["error"] == {
                "code": -32010,
                "message": f"server {url}: {address}: connection refused",
            }
        code, out, err = await bridge.close()
    assert (code, out, "server_failed" in err) == (0, "", True)


async def test_a_redirect_is_named_with_the_address_to_write() -> None:
    sock = bind(Listen("127.0.0.1", 0))
    url = f"http://{address_of(sock)}/mcp"

    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        location = {"location": "https://new.example.com/mcp/"}
        await Response(status_code=307, headers=location)(scope, receive, send)

    async with serving(elsewhere, sock), bridged(url, "--no-credential") as bridge:
        failed = await bridge.ask(1, "server/discover", _meta=MODERN)
    assert failed["error"] == {
        "code": -32012,
        "message": f"server {url}: it sends callers on to https://new.example.com/mcp/ (307), and no "
        "credential follows to another server: write that address if it is the right one",
    }


@pytest.mark.parametrize(
    ("status", "kind", "body", "sentence"),
    [
        (200, "application/json", "[]", "a JSON object is wanted here"),
        (200, "application/json", "", "the body is not well-formed JSON"),
        (400, "application/json", '{"detail": "no"}', "it answered 400 with application/json where {due}"),
        (500, "application/json", '{"error": "oh"}', "it answered 500 with application/json where {due}"),
        (404, "text/html", "no", "it answered 404 with text/html where {due}; no MCP server is at that path"),
        (302, "text/html", "", "it sends callers on (302), and not to an address that can be called"),
    ],
)
async def test_an_answer_that_is_no_message_is_told_in_one_sentence(
    status: int, kind: str, body: str, sentence: str
) -> None:
    sock = bind(Listen("127.0.0.1", 0))
    url = f"http://{address_of(sock)}/mcp"
    answer = Response(body, status, media_type=kind)
    async with serving(answer, sock), bridged(url, "--no-credential") as bridge:
        failed = await bridge.ask(1, "server/discover", _meta=MODERN)
    said = sentence.format(due="a JSON-RPC answer is due")
    assert failed["error"] == {"code": -32012, "message": f"server {url}: {said}"}


# While tokens grow old.


@dataclass
class Keeper:
    """An MCP server with sessions, and a tool that answers when the test says so."""

    tokens: set[str] = field(default_factory=set)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> ASGIApp:
        server: MCPServer[None] = MCPServer("keeper", log_level="ERROR")

        @server.tool()
        async def wait(context: Context) -> str:
            """Report, and wait."""
            await context.report_progress(1, 2, "waiting")
            await self.go_on.wait()
            return "done"

        @server.tool()
        async def greet() -> str:
            """Say hello."""
            return "hello"

        inner = server.streamable_http_app()

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                headers = dict(scope["headers"])
                self.tokens.add(headers.get(b"authorization", b"").decode())
            await inner(scope, receive, send)

        return noting


async def test_session_and_streams_survive_the_tokens_they_began_with() -> None:
    keeper = Keeper()
    sock = bind(Listen("127.0.0.1", 0))
    settings = {
        "listen": "127.0.0.1:0",
        "metadata": {"service_account": "caller"},
        "service_accounts": {"caller": {}},
        "services": {
            "keeper": {
                "listen": "127.0.0.1:0",
                "url": f"http://{address_of(sock)}",
                "invokers": ["serviceAccount:caller@demo-project.iam.gserviceaccount.com"],
            }
        },
    }
    async with (
        serving(keeper.app(), sock),
        Emulator(EmulatorSettings.model_validate(settings)) as google,
        bridged(
            f"{google.service_url('keeper')}/mcp", "--credential", "google_id_token", **google.environment()
        ) as bridge,
    ):
        us = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        started = await bridge.ask(1, "initialize", **us)
        assert "error" not in started
        await bridge.send(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')
        long_call = {"name": "wait", "arguments": {}, "_meta": {"progressToken": "p"}}
        progress = await bridge.ask(2, "tools/call", **long_call)
        assert progress["method"] == "notifications/progress"

        google.clock.offset = timedelta(hours=2)
        greeted = await bridge.ask(3, "tools/call", name="greet", arguments={})
        assert (greeted["id"], greeted["result"]["content"][0]["text"]) == (3, "hello")

        keeper.go_on.set()
        done = await bridge.receive()
        assert (done["id"], done["result"]["content"][0]["text"]) == (2, "done")
        assert len(keeper.tokens) == 2
        assert (await bridge.close())[:2] == (0, "")
