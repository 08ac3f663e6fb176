"""Servers of the official SDK as they were before MCP 2026-07-28, and modern callers in front of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2
import pytest
from mcp.server.mcpserver import MCPServer
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import (
    JSONRPCMessage,
)
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.gateway.conftest import Caller, StartGateway
from tests.gateway.legacy.tools import (
    add_resources_and_prompts,
    add_tools,
    add_tools_that_ask,
    add_tools_that_tell,
    add_tools_that_wait,
    add_what_is_noted,
)
from tests.loopback import HANGS_UP

from ostiary.mcp.headers import encode_value
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving

ALL: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
"""What a client may say that it does."""


class Kept(EventStore):
    """Events of streams that can go on after a break."""

    def __init__(self) -> None:
        self.events: list[tuple[str, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        self.events.append((stream_id, message))
        return str(len(self.events) - 1)

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        at = int(last_event_id)
        stream_id = self.events[at][0]
        for number, (its, message) in enumerate(self.events[at + 1 :], start=at + 1):
            if its == stream_id and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream_id


MODERN_HEADER = (b"mcp-protocol-version", b"2026-07-28")
ANYWHERE = Listen("127.0.0.1", 0)


@dataclass
class OldServer:
    """A server with sessions that notes what it is sent, and does what the test says."""

    stateless: bool = False
    json_response: bool = False
    keeps_events: bool = False
    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    levels: list[str] = field(default_factory=list)
    subscribed: list[str] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    polled: asyncio.Event = field(default_factory=asyncio.Event)
    unsubscribed: asyncio.Event = field(default_factory=asyncio.Event)
    opened: bool = False
    later: asyncio.Task[str] | None = None
    era: Literal["legacy", "modern"] = "legacy"
    _is_told: asyncio.Event = field(default_factory=asyncio.Event)
    _at: Listen = ANYWHERE
    _running: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def methods(self) -> list[str]:
        return [message["method"] for message in self.seen if "method" in message]

    async def heard(self, method: str) -> None:
        """Wait for a message with this method."""
        while method not in self.methods:
            self._is_told.clear()
            await self._is_told.wait()

    async def start(self) -> None:
        """Start, or start anew with no memory of any session."""
        sock = bind(self._at)
        self._at = address_of(sock)
        self.url = f"http://{address_of(sock)}/mcp"
        self._running = AsyncExitStack()
        await self._running.enter_async_context(serving(self._noting(self._app()), sock, limits=HANGS_UP))

    async def stop(self) -> None:
        await self._running.aclose()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def _noting(self, app: ASGIApp) -> ASGIApp:
        """The SDK as it was: a version that it does not know it takes for the one of its session."""

        async def noting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            is_modern = MODERN_HEADER in scope["headers"]
            if self.era == "modern" and not is_modern:
                refused = {"code": -32022, "message": "no", "data": {"supported": ["2026-07-28"]}}
                refusal = JSONResponse({"jsonrpc": "2.0", "id": None, "error": refused}, 400)
                await refusal(scope, receive, send)
                return
            headers = scope["headers"]
            if self.era == "legacy":
                headers = [header for header in headers if header != MODERN_HEADER]
            named = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
            self.requests.append((scope["method"], named))
            body = b""
            more = True
            while more:
                part = await receive()
                body += part.get("body", b"")
                more = part.get("more_body", False)
            if body:
                self.seen.append(json.loads(body))
                self._is_told.set()
            first = True

            async def again() -> Any:
                nonlocal first
                if first:
                    first = False
                    return {"type": "http.request", "body": body, "more_body": False}
                return await receive()

            await app({**scope, "headers": headers}, again, send)

        return noting

    def _app(self) -> ASGIApp:
        server: MCPServer[None] = MCPServer("old", instructions="Be kind.", log_level="ERROR")
        add_tools(server)
        add_tools_that_tell(server)
        add_tools_that_wait(server, self)
        add_tools_that_ask(server, self)
        add_resources_and_prompts(server)
        add_what_is_noted(server, self)
        return server.streamable_http_app(
            stateless_http=self.stateless,
            json_response=self.json_response,
            event_store=Kept() if self.keeps_events else None,
            retry_interval=100 if self.keeps_events else None,
        )


@pytest.fixture(autouse=True)
def no_long_farewells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers wait for tools that wait for us."""
    monkeypatch.setattr("ostiary.transport.serving.DRAIN_SECONDS", 0.1)


@pytest.fixture
async def start_old() -> AsyncIterator[Callable[..., Awaitable[OldServer]]]:
    """Starts servers that run until the test ends."""
    servers: list[OldServer] = []

    async def start(**options: Any) -> OldServer:
        server = OldServer(**options)
        servers.append(server)
        await server.start()
        return server

    yield start
    for server in servers:
        server.go_on.set()
        await server.stop()


@pytest.fixture
async def old(start_old: Callable[..., Awaitable[OldServer]]) -> OldServer:
    return await start_old()


@dataclass
class Modern:
    """Somebody with a modern client."""

    caller: Caller
    capabilities: dict[str, Any] = field(default_factory=dict)
    path: str = "/servers/s/mcp"

    def request(
        self, method: str, params: dict[str, Any] | None = None, message_id: Any = 1, **meta: Any
    ) -> tuple[bytes, list[tuple[str, str]]]:
        own = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            **meta,
        }
        params = {**(params or {}), "_meta": own}
        headers = [("mcp-method", method), ("mcp-protocol-version", "2026-07-28")]
        if method in {"tools/call", "prompts/get", "resources/read"}:
            headers.append(("mcp-name", encode_value(params.get("name", params.get("uri", ""))).decode()))
        body = {"jsonrpc": "2.0", "id": message_id, "method": method, "params": params}
        return json.dumps(body).encode(), headers

    async def ask(
        self, method: str, params: dict[str, Any] | None = None, message_id: Any = 1, **meta: Any
    ) -> httpx2.Response:
        body, headers = self.request(method, params, message_id, **meta)
        async with asyncio.timeout(10):
            return await self.caller.post(body, headers, path=self.path)

    async def call(self, name: str, message_id: Any = 1, /, **arguments: Any) -> Any:
        """The result of a tool, without what every result has."""
        answered = await self.ask("tools/call", {"name": name, "arguments": arguments}, message_id)
        return message_of(answered)["result"]

    async def again(self, name: str, asked: Any, said: dict[str, Any], /, **arguments: Any) -> Any:
        """Call once more, with what was said to what was asked."""
        params = {"name": name, "arguments": arguments, "inputResponses": said}
        if "requestState" in asked:
            params["requestState"] = asked["requestState"]
        return message_of(await self.ask("tools/call", params, 2))

    @asynccontextmanager
    async def streaming(
        self, method: str, params: dict[str, Any], message_id: Any = 1, **meta: Any
    ) -> AsyncIterator[AsyncIterator[Any]]:
        """The messages of a stream, as they come."""
        body, headers = self.request(method, params, message_id, **meta)
        sent = [("content-type", "application/json"), *headers]
        if self.caller.token is not None:
            sent.append(("authorization", f"Bearer {self.caller.token}"))
        url = self.caller.origin + self.path
        async with self.caller.http.stream("POST", url, content=body, headers=sent, timeout=10) as answered:
            assert answered.headers["content-type"] == "text/event-stream", await answered.aread()

            async def messages() -> AsyncIterator[Any]:
                async for line in answered.aiter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line.removeprefix("data: "))

            yield messages()


def messages_of(answered: httpx2.Response) -> list[Any]:
    """All that an answer says."""
    if answered.headers["content-type"] == "application/json":
        return [answered.json()]
    lines = answered.text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def message_of(answered: httpx2.Response) -> Any:
    """The answer itself."""
    return messages_of(answered)[-1]


def text_of(result: Any) -> str:
    return str(result["content"][0]["text"])


@pytest.fixture
async def modern(old: OldServer, start_gateway: StartGateway) -> Modern:
    """In front of an open gateway with one old server, called `s`."""
    return Modern(await start_gateway(servers={"s": {"url": old.url, "timeout": "5s"}}))


@pytest.fixture
async def able(modern: Modern) -> Modern:
    """The same, with a client that does all that a server may ask for."""
    return Modern(modern.caller, ALL)
