"""Servers of HTTP+SSE, the transport of MCP 2024-11-05: the official one, and hostile ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from mcp.server.mcpserver import MCPServer
from tests.gateway.conftest import StartGateway
from tests.gateway.legacy.conftest import ALL, ANYWHERE, Modern, messages_of, text_of
from tests.gateway.legacy.tools import (
    add_resources_and_prompts,
    add_tools,
    add_tools_that_ask,
    add_tools_that_tell,
)
from tests.loopback import HANGS_UP

from ostiary.transport.serving import address_of, bind, serving


@pytest.fixture
async def official() -> AsyncIterator[str]:
    """The URL of a server of the official SDK."""
    server: MCPServer[None] = MCPServer("old", log_level="ERROR")
    add_tools(server)
    add_tools_that_tell(server)
    add_tools_that_ask(server, None)  # type: ignore[arg-type]  # whose page is not opened here
    add_resources_and_prompts(server)
    sock = bind(ANYWHERE)
    async with serving(server.sse_app(), sock, limits=HANGS_UP):
        yield f"http://{address_of(sock)}/sse"


@pytest.fixture(params=["auto", "sse"])
async def modern(request: Any, official: str, start_gateway: StartGateway) -> Modern:
    server = {"url": official, "transport": request.param, "timeout": "5s"}
    return Modern(await start_gateway(servers={"s": server}))


async def test_tools_are_called(modern: Modern) -> None:
    for number in range(3):
        assert text_of(await modern.call("add", a=number, b=1)) == str(number + 1)


async def test_many_calls_at_once_each_get_their_own_answer(modern: Modern) -> None:
    answers = await asyncio.gather(*(modern.call("add", number, a=number, b=0) for number in range(20)))
    assert [text_of(answer) for answer in answers] == [str(number) for number in range(20)]


async def test_progress_comes_with_the_callers_own_token(modern: Modern) -> None:
    answered = await modern.ask("tools/call", {"name": "progress", "arguments": {}}, progressToken="mine")
    *before, last = messages_of(answered)
    assert [message["params"]["progressToken"] for message in before] == ["mine", "mine"]
    assert text_of(last["result"]) == "reported"


async def test_a_question_goes_to_the_caller_and_back(modern: Modern) -> None:
    able = Modern(modern.caller, ALL)
    asked = await able.call("ask")
    [name] = asked["inputRequests"]
    said = {name: {"action": "accept", "content": {"name": "Ada"}}}
    assert text_of((await able.again("ask", asked, said))["result"]) == "Ada"


async def test_a_long_answer_comes_whole(modern: Modern) -> None:
    assert len(text_of(await modern.call("large", size=2_000_000))) == 2_000_000


class Hostile:
    """A server that says what the test wants on its stream, and notes what it is sent."""

    def __init__(self) -> None:
        self.url = ""
        self.first = b""
        self.answer: Callable[[dict[str, Any]], bytes] = answered
        self.posted: list[dict[str, Any]] = []
        self.opened = 0
        self.forgotten: set[str] = set()
        self._said: asyncio.Queue[bytes | None] = asyncio.Queue()

    def say(self, data: bytes | None) -> None:
        """On the stream; None ends it."""
        self._said.put_nowait(data)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        self.opened += 1
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(self.first or b"event: endpoint\ndata: /messages?session=%d\n\n" % self.opened)
        while (data := await self._said.get()) is not None:
            await response.write(data)
        return response

    async def take(self, request: web.Request) -> web.Response:
        message = await request.json()
        self.posted.append(message)
        if request.query["session"] in self.forgotten:
            return web.Response(status=404, text="Could not find session")
        if "id" in message:
            self.say(self.answer(message))
        return web.Response(status=202)


def event(message: dict[str, Any]) -> bytes:
    return b"event: message\ndata: %s\n\n" % json.dumps({"jsonrpc": "2.0", **message}).encode()


def answered(message: dict[str, Any]) -> bytes:
    if message["method"] == "initialize":
        version = message["params"]["protocolVersion"]
        result: dict[str, Any] = {
            "protocolVersion": version,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "hostile", "version": "1"},
        }
    else:
        result = {"content": [{"type": "text", "text": "done"}]}
    return event({"id": message["id"], "result": result})


@pytest.fixture
async def hostile() -> AsyncIterator[Hostile]:
    server = Hostile()
    app = web.Application()
    app.router.add_get("/sse", server.stream)
    app.router.add_post("/messages", server.take)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = "http://{}:{}/sse".format(*runner.addresses[0][:2])
    yield server
    server.say(None)
    await runner.cleanup()


Front = Callable[..., Awaitable[Modern]]


@pytest.fixture
def front(hostile: Hostile, start_gateway: StartGateway) -> Front:
    async def starting(**settings: Any) -> Modern:
        server = {"url": hostile.url, "transport": "sse", "timeout": "1s", **settings}
        return Modern(await start_gateway(servers={"s": server}))

    return starting


async def test_what_comes_before_the_endpoint_is_no_message_and_it_may_be_relative(
    front: Front, hostile: Hostile
) -> None:
    hostile.first = b": hello\n\nevent: other\ndata: x\n\nevent: endpoint\r\ndata: messages?session=2\r\n\r\n"
    modern = await front()
    assert text_of(await modern.call("x")) == "done"


async def test_a_server_cannot_have_our_credential_sent_to_another_origin(
    front: Front, hostile: Hostile, start_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = await start_server()
    hostile.first = b"event: endpoint\ndata: %s\n\n" % elsewhere.url.encode()
    monkeypatch.setenv("KEY", "our-own-key")
    modern = await front(credential={"type": "bearer", "token": {"env": "KEY"}})
    failed = await modern.ask("tools/call", {"name": "x", "arguments": {}})
    assert failed.status_code == 502
    assert "the endpoint that its stream names is not at http://127.0.0.1:" in failed.text
    assert elsewhere.seen == []


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        (b"//elsewhere.example/messages", "is not at http://127.0.0.1:"),
        (b"https://127.0.0.1/messages", "is not at http://127.0.0.1:"),
        (b"http://user:password@127.0.0.1/messages", "cannot be used"),
        (b"file:///etc/passwd", "cannot be used"),
        (b"/a/../../b\x00", "cannot be used"),
        ("/ü".encode(), "cannot be used: it is no URL"),
        (b"/" + b"x" * 5000, "cannot be used: it is too long"),
    ],
)
async def test_an_endpoint_that_leads_elsewhere_or_nowhere_is_refused(
    front: Front, hostile: Hostile, endpoint: bytes, why: str
) -> None:
    hostile.first = b"event: endpoint\ndata: %s\n\n" % endpoint
    failed = await (await front()).ask("tools/call", {"name": "x", "arguments": {}})
    assert failed.status_code == 502
    assert why in failed.text


async def test_a_stream_that_never_says_where_to_send_messages_times_out(
    front: Front, hostile: Hostile
) -> None:
    hostile.first = b": hello\n\n"
    failed = await (await front()).ask("tools/call", {"name": "x", "arguments": {}})
    assert failed.status_code == 504
    assert "within 1 s" in failed.text


async def test_a_stream_that_ends_fails_the_calls_on_it_and_the_next_call_opens_another(
    front: Front, hostile: Hostile
) -> None:
    modern = await front()
    assert text_of(await modern.call("x")) == "done"
    hostile.answer = lambda message: b"" if message["method"] == "tools/call" else answered(message)
    failing = asyncio.ensure_future(modern.ask("tools/call", {"name": "x", "arguments": {}}))
    while len([one for one in hostile.posted if one["method"] == "tools/call"]) < 2:  # noqa: ASYNC110 - it's short
        await asyncio.sleep(0.01)
    hostile.say(None)
    failed = await failing
    assert failed.status_code == 502
    assert "its stream ended" in failed.text
    hostile.answer = answered
    assert text_of(await modern.call("x")) == "done"
    assert hostile.opened == 2


async def test_a_session_that_the_server_forgot_is_begun_again_and_the_caller_sees_nothing(
    front: Front, hostile: Hostile
) -> None:
    modern = await front()
    await modern.call("x")
    hostile.forgotten.add("1")
    assert text_of(await modern.call("x")) == "done"
    assert hostile.opened == 2


async def test_an_answer_to_another_request_is_nobodys(front: Front, hostile: Hostile) -> None:
    modern = await front()
    await modern.call("x")
    hostile.answer = lambda message: event({"id": 999, "result": {}}) + event({"id": "1", "result": {}})
    failed = await modern.ask("tools/call", {"name": "x", "arguments": {}})
    assert failed.status_code == 504


async def test_an_event_without_an_end_is_cut_off(front: Front, hostile: Hostile) -> None:
    modern = await front()
    await modern.call("x")
    hostile.answer = lambda _: b"data: " + b"x" * 20_000_000
    failed = await modern.ask("tools/call", {"name": "x", "arguments": {}})
    assert failed.status_code == 502
    assert "an event of its stream is too long" in failed.text


async def test_a_refused_credential_is_told_as_one(front: Front) -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=401, headers={"www-authenticate": "Bearer"})

    app = web.Application()
    app.router.add_get("/sse", refuse)
    async with AsyncExitStack() as running:
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        running.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = "http://{}:{}/sse".format(*runner.addresses[0][:2])
        failed = await (await front(url=url)).ask("tools/call", {"name": "x", "arguments": {}})
    assert (failed.status_code, failed.json()["error"]["code"]) == (502, -32014)
