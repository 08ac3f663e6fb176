"""`ostiary bridge`, while its server is restarted: the session is another one, and the client never knows."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from tests.cli.test_bridge import Process, asking, bridged

from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving

VERSION = "2025-11-25"
US = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
OURS = {"capabilities": {"tools": {"listChanged": True}}, "serverInfo": US["clientInfo"]}
INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'


@dataclass
class Sessioned:
    """A server of sessions, which can forget them; what it was sent is written down, by session."""

    primed: bool = True
    version: str = VERSION
    refusal: tuple[int, str, str] = (404, "text/plain", "no such session")
    """To a session that it does not know; ID stands for the request's."""
    is_full: bool = False
    """Whether it begins no session."""
    mute: bool = False
    """Whether nobody may listen."""
    sessions: list[str] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    says: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    last_events: list[str | None] = field(default_factory=list)
    """After which event each stream was to go on."""

    def forget(self) -> None:
        self.sessions = []
        self.listening.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = await (self.listen(request) if request.method == "GET" else self.post(request))
        await answer(scope, receive, send)

    def unknown(self, message_id: object = None) -> Response:
        status, kind, body = self.refusal
        return Response(body.replace("ID", json.dumps(message_id)), status, media_type=kind)

    async def listen(self, request: Request) -> Response:
        if self.mute:
            self.listening.set()
            return Response("nothing is here", 404)
        if request.headers["mcp-session-id"] not in self.sessions:
            return self.unknown()
        self.last_events.append(request.headers.get("last-event-id"))
        self.listening.set()

        async def events() -> AsyncIterator[bytes]:
            yield b"id: 1\nretry: 10\ndata: \n\n"
            while said := await self.says.get():
                yield said

        return StreamingResponse(events(), media_type="text/event-stream")

    async def post(self, request: Request) -> Response:  # noqa: PLR0911 - one for each kind
        if request.method == "DELETE":
            return Response(status_code=204)
        message = json.loads(await request.body())
        session = request.headers.get("mcp-session-id", "")
        method = message.get("method", "answer")
        self.seen.append((session, method))
        if method == "initialize":
            if self.is_full:
                return Response("later", 500)
            self.sessions.append(f"session-{len(self.seen)}")
            return self.answer(
                message, {"protocolVersion": self.version, **OURS}, {"mcp-session-id": self.sessions[-1]}
            )
        if session not in self.sessions:
            return self.unknown(message.get("id"))
        assert request.headers["mcp-protocol-version"] == self.version
        if "id" not in message:
            return Response(status_code=202)
        if method == "unheard/of":
            error = {"code": -32601, "message": "unknown"}
            body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error})
            return Response(body, 404, media_type="application/json")
        return self.answer(message, {"echo": message["params"]["cursor"], "tools": []})

    def answer(self, message: Any, result: Any, headers: dict[str, str] | None = None) -> Response:
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
        if not self.primed:
            return Response(body, media_type="application/json", headers=headers)
        stream = f"\ufeffid: 0\rdata: \r\rid: 1\nevent: message\ndata: {body}\n\n"
        return Response(stream, media_type="text/event-stream", headers=headers)


@contextlib.asynccontextmanager
async def begun(server: Sessioned) -> AsyncIterator[Process]:
    """A bridge whose client has shaken hands."""
    sock = bind(Listen("127.0.0.1", 0))
    async with serving(server, sock), bridged(f"http://{address_of(sock)}/mcp", "--no-credential") as bridge:
        started = await bridge.ask(1, "initialize", **US)
        assert started["result"]["protocolVersion"] == VERSION
        await bridge.send(INITIALIZED)
        await asyncio.wait_for(server.listening.wait(), 15)
        yield bridge


async def listed(bridge: Process, number: int) -> Any:
    """The answer to a request that says its number."""
    await bridge.send(asking(number, "tools/list", cursor=str(number)))
    return await answered(bridge)


async def answered(bridge: Process) -> Any:
    """The next answer; whoever begins anew hears, too, that tools may have changed."""
    while (message := await bridge.receive()) == CHANGED:
        pass
    return message


async def goes_on(bridge: Process, number: int) -> bool:
    return bool((await listed(bridge, number))["result"]["echo"] == str(number))


@pytest.mark.parametrize("primed", [True, False], ids=["with priming events", "in JSON"])
async def test_a_server_that_restarts_loses_nobody(primed: bool) -> None:
    server = Sessioned(primed)
    async with begun(server) as bridge:
        assert await goes_on(bridge, 2)
        first = server.sessions[0]
        server.forget()
        assert await goes_on(bridge, 3)
        (second,) = server.sessions
        assert await goes_on(bridge, 4)
    asked = [(session, method) for session, method in server.seen if method != "answer"]
    assert asked == [
        ("", "server/discover"),
        ("", "initialize"),
        (first, "notifications/initialized"),
        (first, "tools/list"),
        (first, "tools/list"),
        ("", "initialize"),
        (second, "notifications/initialized"),
        (second, "tools/list"),
        (second, "tools/list"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        'event: message\ndata: {"jsonrpc":"2.0","error":{"code":-32000,"message":"Not initialized"}}\n\n',
        '{"jsonrpc":"2.0","error":{"code":-32000,"message":"No valid session ID provided"},"id":null}',
        '{"jsonrpc":"2.0","error":{"code":-32600,"message":"No valid session ID"},"id":"server-error"}',
        "Bad Request: No valid session ID provided",
    ],
    ids=["in a stream", "TypeScript", "Python", "in words"],
)
async def test_a_server_that_says_400_of_a_session_that_it_forgot_loses_nobody(body: str) -> None:
    server = Sessioned(refusal=(400, "text/plain" if body[0] != "{" else "application/json", body))
    async with begun(server) as bridge:
        server.forget()
        assert await goes_on(bridge, 3)
    assert len(server.sessions) == 1


@pytest.mark.parametrize(
    "body",
    [
        '{"jsonrpc":"2.0","error":{"code":-32602,"message":"no browser session is open"},"id":ID}',
        '{"jsonrpc":"2.0","error":{"code":-32000,"message":"that is too much"},"id":null}',
    ],
    ids=["of its own", "about something else"],
)
async def test_what_else_is_said_with_400_begins_no_session(body: str) -> None:
    server = Sessioned(refusal=(400, "application/json", body))
    async with begun(server) as bridge:
        server.sessions.clear()
        said = json.loads(body.replace("ID", "3"))
        assert (await listed(bridge, 3))["error"] == said["error"]
    assert [method for _, method in server.seen].count("initialize") == 1


async def test_a_server_that_nobody_may_listen_to_keeps_its_session() -> None:
    server = Sessioned(mute=True)
    async with begun(server) as bridge:
        assert await goes_on(bridge, 2)
        assert await goes_on(bridge, 3)
    assert [method for _, method in server.seen].count("initialize") == 1


async def test_a_server_that_does_not_begin_anew_is_told_so() -> None:
    server = Sessioned()
    async with begun(server) as bridge:
        server.forget()
        server.is_full = True
        first = await listed(bridge, 2)
        server.is_full = False
        assert await goes_on(bridge, 3)
    assert first["error"]["code"] == -32012


async def test_who_leaves_before_a_server_has_answered_is_not_held() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        while (await receive())["type"] != "http.disconnect":
            pass

    sock = bind(Listen("127.0.0.1", 0))
    async with serving(silent, sock), bridged(f"http://{address_of(sock)}/mcp", "--no-credential") as bridge:
        await bridge.send(asking(1, "initialize", **US))
        await bridge.send(INITIALIZED)
        assert await bridge.close() == (0, "", "")


async def test_many_calls_that_find_it_gone_begin_one_new_session() -> None:
    server = Sessioned()
    async with begun(server) as bridge:
        server.forget()
        for number in range(2, 10):
            await bridge.send(asking(number, "tools/list", cursor=str(number)))
        answers = [await answered(bridge) for _ in range(8)]
    assert sorted(one["result"]["echo"] for one in answers) == [str(number) for number in range(2, 10)]
    assert [method for _, method in server.seen].count("initialize") == 2


async def test_a_method_that_nobody_knows_is_no_session_that_is_gone() -> None:
    server = Sessioned()
    async with begun(server) as bridge:
        refused = await bridge.ask(2, "unheard/of")
    assert refused["error"] == {"code": -32601, "message": "unknown"}
    assert [method for _, method in server.seen].count("initialize") == 1


async def test_a_server_that_came_back_as_another_version_is_the_same_to_its_client() -> None:
    server = Sessioned()
    async with begun(server) as bridge:
        server.forget()
        server.version = "2025-06-18"
        assert await goes_on(bridge, 2)


async def test_what_the_server_says_unasked_is_heard_before_and_after() -> None:
    server = Sessioned()
    notice = b"id: %%d\nevent: message\ndata: %s\n\n" % json.dumps(CHANGED).encode()
    async with begun(server) as bridge:
        await server.says.put(notice % 2)
        assert await bridge.receive() == CHANGED
        await server.says.put(b"")
        server.forget()
        assert await bridge.receive() == CHANGED  # it may have changed meanwhile
        await asyncio.wait_for(server.listening.wait(), 15)
        await server.says.put(notice % 3)
        assert await bridge.receive() == CHANGED
    assert (len(server.sessions), server.last_events) == (1, [None, None])
