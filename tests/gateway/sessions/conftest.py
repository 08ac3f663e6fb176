"""A modern server of the official SDK behind a gateway, and legacy clients before it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, Elicit, ListRoots, MCPServer, Resolve, Sample
from pydantic import BaseModel, FileUrl
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.loopback import HANGS_UP, TRUSTING_NOBODY

from ostiary.settings import Listen
from ostiary.transport.application import exact
from ostiary.transport.serving import address_of, bind, serving

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, StartGateway

LEGACY = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")


class Name(BaseModel):
    """What a person is asked for."""

    name: str


@dataclass
class Workshop:
    """What the server does, as tests see and steer it."""

    url: str = ""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


async def ask_name() -> Elicit[Name]:
    return Elicit("What is your name?", Name)


async def ask_model() -> Sample:
    said = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="Say cheese"))
    return Sample([said], max_tokens=10)


async def ask_roots() -> ListRoots:
    return ListRoots()


def workshop_server(workshop: Workshop) -> MCPServer[None]:
    """Does all that a modern server can do to its caller."""
    server: MCPServer[None] = MCPServer(
        "workshop", version="7", instructions="Ask nicely.", log_level="ERROR"
    )
    _add_tools_that_tell(server)
    _add_tools_that_ask(server)

    @server.tool()
    async def hang() -> str:
        workshop.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            workshop.cancelled.set()
        return "never"

    @server.resource("note://one")
    def one() -> str:
        return "the first note"

    @server.prompt()
    def poem(about: str) -> str:
        return f"Write about {about}"

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]  # the SDK leaves it without types
    async def complete(reference: Any, argument: Any, _context: Any) -> types.Completion | None:
        return types.Completion(values=[f"{argument.value}s"])

    return server


def _add_tools_that_tell(server: MCPServer[None]) -> None:
    @server.tool()
    def add(one: int, two: int) -> int:
        return one + two

    @server.tool()
    async def work(context: Context[Any, Any]) -> str:
        for done in (1, 2, 3):
            await context.report_progress(done, 3)
        await context.info("half done")
        await context.debug("screws are loose")
        return "done"

    @server.tool()
    async def change(context: Context[Any, Any]) -> str:
        await context.notify_tools_changed()
        await context.notify_resource_updated("note://one")
        await context.notify_resource_updated("note://two")
        return "changed"


def _add_tools_that_ask(server: MCPServer[None]) -> None:
    @server.tool()
    async def greet_in_a_session(context: Context[Any, Any]) -> str:
        name = await context.elicit("What is your name?", Name)
        assert name.action == "accept"
        return f"Hello {name.data.name}"

    @server.tool()
    async def greet(name: Annotated[Name, Resolve(ask_name)]) -> str:
        return f"Hello {name.name}"

    @server.tool()
    async def cheese(said: Annotated[types.CreateMessageResult, Resolve(ask_model)]) -> str:
        assert isinstance(said.content, types.TextContent)
        return said.content.text

    @server.tool()
    async def folders(roots: Annotated[types.ListRootsResult, Resolve(ask_roots)]) -> str:
        return ", ".join(str(root.uri) for root in roots.roots)


@pytest.fixture
def era() -> str:
    """What the server speaks: "modern", "legacy", or "either", with sessions for clients that shake hands."""
    return "modern"


@pytest.fixture
async def workshop(era: str) -> AsyncIterator[Workshop]:
    workshop, sock = Workshop(), bind(Listen("127.0.0.1", 0))
    server = workshop_server(workshop)
    app: ASGIApp = exact(server.streamable_http_app(stateless_http=era == "modern"))
    if era != "either":
        app = of_one_era(app, is_modern=era == "modern")
    async with serving(app, sock, limits=HANGS_UP):
        workshop.url = f"http://{address_of(sock)}/mcp"
        yield workshop


def of_one_era(app: ASGIApp, *, is_modern: bool) -> ASGIApp:
    """The server, as if it knew nothing of the other era."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        says_modern = (b"mcp-protocol-version", b"2026-07-28") in scope.get("headers", [])
        if scope["type"] == "http" and says_modern != is_modern:
            error = {"code": -32000, "message": "Bad Request: Server not initialized"}
            refused = JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 400)
            await refused(scope, receive, send)
        else:
            await app(scope, receive, send)

    return answer


@pytest.fixture
async def gateway(start_gateway: StartGateway, workshop: Workshop) -> Caller:
    """In front of an open gateway with one server, called `w`."""
    return await start_gateway(servers={"w": {"url": workshop.url}}, http_sse=True)


@dataclass
class Person:
    """Answers what a client is asked."""

    asked: list[Any] = field(default_factory=list)
    logged: list[Any] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def elicit(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult:
        self.asked.append(params)
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    async def sample(
        self, context: ClientRequestContext, params: types.CreateMessageRequestParams
    ) -> types.CreateMessageResult:
        self.asked.append(params)
        content = types.TextContent(type="text", text="cheese")
        return types.CreateMessageResult(role="assistant", content=content, model="m")

    async def roots(self, context: ClientRequestContext) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri=FileUrl("file:///work"))])

    async def log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.logged.append(params.data)

    async def hear(self, message: Any) -> None:
        self.told.append(message)
        self.heard.set()


@asynccontextmanager
async def legacy_client(url: str, person: Person) -> AsyncIterator[Client]:
    """The official client, which shakes hands."""
    async with (
        httpx2.AsyncClient(trust_env=False, verify=TRUSTING_NOBODY, timeout=20) as http,
        Client(
            streamable_http_client(url, http_client=http),
            mode="legacy",
            elicitation_callback=person.elicit,
            sampling_callback=person.sample,
            list_roots_callback=person.roots,
            logging_callback=person.log,
            message_handler=person.hear,
        ) as client,
    ):
        yield client


@dataclass
class RawClient:
    """A legacy client whose every byte is the test's."""

    caller: Caller
    session: str = ""
    path: str = "/mcp"

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [("mcp-session-id", self.session)] if self.session else []

    async def initialize(self, version: str = "2025-11-25", **params: Any) -> httpx2.Response:
        """Shake hands."""
        info = {"name": "raw", "version": "1"}
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": info, **params}
        answered = await self.post("initialize", params)
        self.session = answered.headers.get("mcp-session-id", "")
        return answered

    async def post(
        self, method: str, params: Any = None, message_id: Any = 1, **headers: str
    ) -> httpx2.Response:
        """A request, or a notification for an id of None."""
        message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        if message_id is not None:
            message["id"] = message_id
        return await self.send(message, **headers)

    async def send(self, body: Any, **headers: str) -> httpx2.Response:
        """Whatever it is."""
        sent = [*self.headers, *((name.replace("_", "-"), value) for name, value in headers.items())]
        return await self.caller.post(json.dumps(body).encode(), sent, path=self.path)

    @asynccontextmanager
    async def streaming(self, method: str, params: Any, message_id: Any = 1) -> AsyncIterator[Events]:
        """A request whose answer is read as it comes."""
        body = {"jsonrpc": "2.0", "id": message_id, "method": method, "params": params}
        headers = {"content-type": "application/json", **dict(self.headers)}
        url = self.caller.origin + self.path
        async with self.caller.http.stream("POST", url, json=body, headers=headers) as answered:
            yield Events(answered)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Events]:
        """What comes unasked."""
        url = self.caller.origin + self.path
        async with self.caller.http.stream("GET", url, headers=dict(self.headers)) as answered:
            yield Events(answered)

    async def delete(self) -> httpx2.Response:
        return await self.caller.http.delete(self.caller.origin + self.path, headers=dict(self.headers))


class Events:
    """The messages of one stream."""

    def __init__(self, answered: httpx2.Response) -> None:
        self.answered = answered
        self.lines = answered.aiter_lines()

    async def next(self) -> Any:
        """The next one; None at the end."""
        async with asyncio.timeout(10):
            async for line in self.lines:
                if line.startswith("data: "):
                    return json.loads(line.removeprefix("data: "))
        return None


@pytest.fixture
def raw(gateway: Caller) -> RawClient:
    return RawClient(gateway)


async def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
