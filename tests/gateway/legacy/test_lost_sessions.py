"""Sessions that a server forgot, and streams that break off: whoever calls notices nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from tests.gateway.conftest import StartGateway
from tests.gateway.legacy.conftest import Modern, OldServer, message_of, text_of

from ostiary.settings import Listen
from ostiary.transport.serving import bind

ADA = {"action": "accept", "content": {"name": "Ada"}}


async def test_a_server_that_was_restarted_is_shaken_hands_with_in_the_same_call(
    modern: Modern, old: OldServer
) -> None:
    assert text_of(await modern.call("add", a=1, b=1)) == "2"
    await old.restart()
    assert text_of(await modern.call("add", a=2, b=2)) == "4"
    assert old.methods.count("initialize") == 2


async def test_all_who_wait_share_one_new_session_with_the_level_of_the_one_before(
    modern: Modern, old: OldServer
) -> None:
    await modern.ask(
        "tools/call", {"name": "say", "arguments": {}}, **{"io.modelcontextprotocol/logLevel": "info"}
    )
    await old.restart()
    results = await asyncio.gather(*(modern.call("add", number, a=number, b=0) for number in range(8)))
    assert [text_of(result) for result in results] == [str(number) for number in range(8)]
    assert old.methods.count("initialize") == 2
    assert old.levels == ["info", "info"]


async def test_a_call_that_waits_for_an_answer_is_over_when_its_session_is(
    able: Modern, old: OldServer
) -> None:
    asked = await able.call("ask")
    old.go_on.set()
    await old.restart()
    over = await able.again("ask", asked, dict.fromkeys(asked["inputRequests"], ADA))
    assert (over["error"]["code"], "begin the call again" in over["error"]["message"]) == (-32602, True)
    asked = await able.call("ask")
    answer = await able.again("ask", asked, dict.fromkeys(asked["inputRequests"], ADA))
    assert text_of(answer["result"]) == "Ada"


async def test_a_stream_that_ends_before_the_answer_goes_on_where_it_ended(
    start_old: Callable[..., Awaitable[OldServer]], start_gateway: StartGateway
) -> None:
    """SEP-1699: the server closes the stream of a long call, and is polled."""
    old = await start_old(keeps_events=True)
    modern = Modern(await start_gateway(servers={"s": {"url": old.url}}))
    call = asyncio.create_task(modern.call("polled"))
    await old.polled.wait()
    old.go_on.set()
    assert text_of(await call) == "polled"
    assert any(method == "GET" and "last-event-id" in headers for method, headers in old.requests)


@dataclass
class Forgetful:
    """A server that gives sessions away, and forgets them when the test says so."""

    url: str = ""
    refusal: tuple[int, str, str] = (404, "text/plain", "")
    sessions: set[str] = field(default_factory=set)
    given: int = 0
    calls: int = 0

    deleted: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        session = request.headers.get("mcp-session-id", "")
        if request.method == "DELETE":
            self.deleted.set()
        if request.method != "POST":
            return web.Response(status=405)
        body = await request.json()
        if body["method"] == "initialize":
            self.given += 1
            self.sessions.add(f"session-{self.given}")
            result = {"protocolVersion": "2025-06-18", "capabilities": {}}
            return self.result(body, result, {"mcp-session-id": f"session-{self.given}"})
        if session not in self.sessions:
            status, kind, text = self.refusal
            return web.Response(status=status, content_type=kind, text=text)
        if "id" not in body:
            return web.Response(status=202)
        self.calls += 1
        return self.result(body, {"content": [{"type": "text", "text": session}]}, {})

    def result(self, body: Any, result: Any, headers: dict[str, str]) -> web.Response:
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], "result": result}, headers=headers)


@pytest.fixture
async def forgetful() -> AsyncIterator[Forgetful]:
    server = Forgetful()
    app = web.Application()
    app.router.add_route("*", "/mcp", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    sock = bind(Listen("127.0.0.1", 0))
    await web.SockSite(runner, sock).start()
    server.url = "http://{}:{}/mcp".format(*sock.getsockname())
    yield server
    await runner.cleanup()


@pytest.fixture
async def caller(forgetful: Forgetful, start_gateway: StartGateway) -> Modern:
    return Modern(await start_gateway(servers={"s": {"url": forgetful.url}}))


ERROR = '{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":"%s"}}'


@pytest.mark.parametrize(
    "refusal",
    [
        (404, "text/plain", "no such session"),
        (404, "application/json", ERROR % ("null", -32001, "Session not found")),
        (400, "application/json", ERROR % ("null", -32000, "Bad Request: No valid session ID provided")),
        (400, "application/json", ERROR % ("null", -32000, "Bad Request: Server not initialized")),
        (400, "application/json", ERROR % ('"server-error"', -32600, "Bad Request: Missing session ID")),
        (400, "text/plain", "Unknown session"),
    ],
)
async def test_a_session_is_lost_in_all_the_words_of_the_field(
    caller: Modern, forgetful: Forgetful, refusal: tuple[int, str, str]
) -> None:
    forgetful.refusal = refusal
    assert text_of(await caller.call("x")) == "session-1"
    forgetful.sessions.clear()
    assert text_of(await caller.call("x")) == "session-2"
    assert forgetful.calls == 2


@pytest.mark.parametrize(
    "refusal",
    [
        (404, "application/json", ERROR % ("null", -32601, "Method not found")),
        (400, "application/json", ERROR % ("null", -32602, "the animal is missing")),
    ],
)
async def test_what_is_refused_for_something_else_is_not_sent_again(
    caller: Modern, forgetful: Forgetful, refusal: tuple[int, str, str]
) -> None:
    await caller.call("x")
    forgetful.refusal = refusal
    forgetful.sessions.clear()
    assert "error" in message_of(await caller.ask("tools/call", {"name": "x", "arguments": {}}))
    assert forgetful.given == 1


async def test_a_server_that_loses_its_session_at_each_call_is_no_loop(
    caller: Modern, forgetful: Forgetful
) -> None:
    forgetful.sessions = Unsettled()
    refused = await caller.ask("tools/call", {"name": "x", "arguments": {}})
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, -32010)
    assert "session" in refused.json()["error"]["message"]
    assert forgetful.given == 1


class Unsettled(set[str]):
    """Remembers nothing."""

    def add(self, _: str) -> None:
        pass


async def test_a_session_that_nobody_uses_is_closed_and_the_server_is_told(
    caller: Modern, forgetful: Forgetful, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostiary.gateway.upstreams.legacy.pool.IDLE_SECONDS", 0.0)
    monkeypatch.setattr("ostiary.gateway.upstreams.legacy.pool.REST_SECONDS", 0.0)
    monkeypatch.setattr("ostiary.gateway.upstreams.legacy.pool.SWEEP_SECONDS", 0.05)
    await caller.call("x")
    async with asyncio.timeout(5):
        await forgetful.deleted.wait()
    assert text_of(await caller.call("x")) == "session-2"


async def test_a_session_at_rest_hears_nothing_and_hears_again_when_it_is_used(
    able: Modern, old: OldServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostiary.gateway.upstreams.legacy.pool.REST_SECONDS", 0.0)
    monkeypatch.setattr("ostiary.gateway.upstreams.legacy.pool.SWEEP_SECONDS", 0.05)
    await able.call("add", a=1, b=1)
    await asyncio.sleep(0.2)
    asked = await able.call("ask_elsewhere")
    answer = await able.again("ask_elsewhere", asked, dict.fromkeys(asked["inputRequests"], ADA))
    assert text_of(answer["result"]) == "accept {'name': 'Ada'}"
    assert [method for method, _ in old.requests].count("GET") == 2
    assert old.methods.count("initialize") == 1
