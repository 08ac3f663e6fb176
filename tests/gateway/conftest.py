"""Gateways on loopback, a caller before them, and MCP servers behind them that note what they are sent."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from aiohttp import web
from tests.captured_events import captured_events
from tests.loopback import TRUSTING_NOBODY

from ostiary.cloudrun.emulator import Emulator, EmulatorSettings
from ostiary.gateway import Gateway, GatewaySettings
from ostiary.gateway.observation.observer import Observer
from ostiary.mcp.era_signs import PROBE_ID
from ostiary.mcp.headers import encode_value
from ostiary.settings import Listen
from ostiary.transport import serving as listening
from ostiary.transport.listeners import answering
from ostiary.transport.serving import address_of, bind, serving
from ostiary.zoo.server import zoo_app

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
MODERN_SERVER = {"supportedVersions": ["2026-07-28"], "capabilities": {}, "resultType": "complete"}
"""What a server says to the question which era it speaks, whatever else it does; no test sees it."""
VISITOR = "visitor@demo-project.iam.gserviceaccount.com"
SECRET = "the-servers-own-api-key"


class Clock:
    """The machine's time, and as much ahead of it as the test says."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Seen:
    """One request that a server got."""

    headers: list[tuple[str, str]]
    body: dict[str, Any]

    @property
    def method(self) -> str:
        return str(self.body["method"])

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


Reply = Callable[[Seen, web.Request], Awaitable[web.StreamResponse]]


def result(seen: Seen, value: Any, **options: Any) -> web.Response:
    """The answer with this result."""
    return web.json_response({"jsonrpc": "2.0", "id": seen.body["id"], "result": value}, **options)


def error(seen: Seen, code: int, message: str, **options: Any) -> web.Response:
    """The answer with this error."""
    problem = {"code": code, "message": message}
    return web.json_response({"jsonrpc": "2.0", "id": seen.body["id"], "error": problem}, **options)


async def echo(seen: Seen, _request: web.Request) -> web.StreamResponse:
    return result(seen, {"method": seen.method, "params": seen.body.get("params")})


@dataclass
class McpServer:
    """A server behind the gateway; `reply` answers, and can be replaced."""

    url: str = ""
    reply: Reply = echo
    seen: list[Seen] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a caller left before the answer was whole."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.text())
        if body.get("id") == PROBE_ID:
            return web.json_response({"jsonrpc": "2.0", "id": PROBE_ID, "result": MODERN_SERVER})
        headers = [(name.decode().lower(), value.decode("latin-1")) for name, value in request.raw_headers]
        seen = Seen(headers, body)
        self.seen.append(seen)
        try:
            return await self.reply(seen, request)
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise


@dataclass
class Caller:
    """Somebody who calls one gateway."""

    http: httpx2.AsyncClient
    origin: str
    token: str | None = None
    gateway: Gateway | None = None

    def reload(self, **settings: Any) -> list[str]:
        """Give the gateway these settings in place of what it has of the same names."""
        assert self.gateway is not None
        before = self.gateway.settings
        said = {"listen": str(before.listen), "drain_timeout": before.drain_timeout, **settings}
        if "inbound" not in said:
            said["allow_unauthenticated"] = True
        return self.gateway.reload(GatewaySettings.model_validate(said))

    async def post(
        self, body: bytes, headers: list[tuple[str, str]] | None = None, *, path: str = "/mcp"
    ) -> httpx2.Response:
        """Send these bytes."""
        sent = [("content-type", "application/json"), *(headers or [])]
        if self.token is not None:
            sent.append(("authorization", f"Bearer {self.token}"))
        return await self.http.post(self.origin + path, content=body, headers=sent)

    async def ask(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        path: str = "/mcp",
        message_id: int | str = 1,
        headers: list[tuple[str, str]] | None = None,
    ) -> httpx2.Response:
        """Send a modern request, as a proper client does."""
        body, routing = request_for(method, params, message_id)
        return await self.post(body, [*routing, *(headers or [])], path=path)

    def streaming(self, method: str, params: dict[str, Any]) -> Any:
        """Send a request whose answer is read as it comes: an async context manager."""
        body, routing = request_for(method, params, 1)
        headers = [("content-type", "application/json"), *routing]
        return self.http.stream("POST", f"{self.origin}/mcp", content=body, headers=headers)


def request_for(
    method: str, params: dict[str, Any] | None = None, message_id: int | str = 1
) -> tuple[bytes, list[tuple[str, str]]]:
    """The body and the routing headers of a modern request."""
    params = {**(params or {}), "_meta": META}
    headers = [("mcp-method", method), ("mcp-protocol-version", "2026-07-28")]
    if method in {"tools/call", "prompts/get", "resources/read"}:
        name = params.get("name", params.get("uri", ""))
        headers.append(("mcp-name", encode_value(name).decode()))
    body = {"jsonrpc": "2.0", "id": message_id, "method": method, "params": params}
    return json.dumps(body, separators=(",", ":")).encode(), headers


class StartGateway:
    """Starts gateways that run until the test ends."""

    def __init__(self, running: AsyncExitStack) -> None:
        self._running = running

    async def __call__(
        self, clock: Callable[[], float] = time.time, observer: Observer | None = None, **settings: Any
    ) -> Caller:
        sock = bind(Listen("127.0.0.1", 0))
        drain_timeout = timedelta(seconds=listening.DRAIN_SECONDS)
        settings = {"listen": str(address_of(sock)), "drain_timeout": drain_timeout, **settings}
        if "inbound" not in settings:
            settings["allow_unauthenticated"] = True
        gateway = Gateway(GatewaySettings.model_validate(settings), clock=clock, observer=observer)
        await self._running.enter_async_context(gateway)
        await self._running.enter_async_context(answering(gateway.listeners(), {"gateway.listen": sock}))
        http = await self._running.enter_async_context(
            httpx2.AsyncClient(trust_env=False, verify=TRUSTING_NOBODY)
        )
        return Caller(http, f"http://{settings['listen']}", gateway=gateway)


@pytest.fixture
async def start_gateway() -> AsyncIterator[StartGateway]:
    async with AsyncExitStack() as running:
        yield StartGateway(running)


@pytest.fixture
async def start_server() -> AsyncIterator[Callable[[], Awaitable[McpServer]]]:
    """Starts MCP servers that run until the test ends."""
    runners = []

    async def start() -> McpServer:
        server = McpServer()
        app = web.Application()
        app.router.add_post("/mcp", server.answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = "http://{}:{}/mcp".format(*runner.addresses[0][:2])
        return server

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def server(start_server: Callable[[], Awaitable[McpServer]]) -> McpServer:
    return await start_server()


@pytest.fixture
async def caller(start_gateway: StartGateway, server: McpServer) -> Caller:
    """In front of an open gateway with one server, called `s`."""
    return await start_gateway(servers={"s": {"url": server.url, "timeout": "300ms"}})


@pytest.fixture
async def zoo_url() -> AsyncIterator[str]:
    sock = bind(Listen("127.0.0.1", 0))
    async with serving(zoo_app(), sock):
        yield f"http://{address_of(sock)}/mcp"


@pytest.fixture(scope="session")
def google() -> Iterator[Emulator]:
    """A local Google, whose metadata server says that we are the visitor.

    One for all tests, in a thread, because its keys take long to make. Its clock stays where it is.
    """
    settings = {
        "listen": "127.0.0.1:0",
        "metadata": {"service_account": "visitor"},
        "service_accounts": {"visitor": {}},
    }
    emulator = Emulator(EmulatorSettings.model_validate(settings))
    started, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        async with emulator:
            started.set()
            await stop.wait()

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(loop.run_until_complete, run())
        started.wait(10)
        yield emulator
        loop.call_soon_threadsafe(stop.set)
        running.result(10)
    loop.close()


@pytest.fixture
def log() -> Iterator[list[Any]]:
    """Everything that our parts logged, before anything in it was hidden."""
    with captured_events() as logs:
        yield logs
