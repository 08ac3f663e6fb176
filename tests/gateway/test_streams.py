"""Answers that come as events: passed on as they come, and given up when the caller leaves."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, Reply, Seen

CALL = ("tools/call", {"name": "s_get"})
PROGRESS = {
    "jsonrpc": "2.0",
    "method": "notifications/progress",
    "params": {"progressToken": 7, "progress": 1},
}


def event(message: Any) -> bytes:
    return b"event: message\ndata: %s\n\n" % json.dumps(message).encode()


def whole(seen: Seen, value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": seen.body["id"], "result": value}


async def begin(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"content-type": "text/event-stream", "set-cookie": "a=1"})
    await answer.prepare(request)
    return answer


def streaming(*parts: Any) -> Reply:
    """A server that sends these: bytes as they are, messages as events, "ANSWER" for the answer."""

    async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
        answer = await begin(request)
        for part in parts:
            message = whole(seen, {"done": True}) if part == "ANSWER" else part
            await answer.write(message if isinstance(message, bytes) else event(message))
        return answer

    return reply


async def events(caller: Caller) -> list[Any]:
    answered = await caller.ask(*CALL)
    assert answered.headers["content-type"] == "text/event-stream"
    return [
        json.loads(line.removeprefix("data: "))
        for line in answered.text.splitlines()
        if line.startswith("data: ")
    ]


ANSWER = {"jsonrpc": "2.0", "id": 1, "result": {"done": True}}


async def test_the_first_event_arrives_before_the_last_is_sent(caller: Caller, server: McpServer) -> None:
    go_on = asyncio.Event()

    async def in_two_parts(seen: Seen, request: web.Request) -> web.StreamResponse:
        answer = await begin(request)
        await answer.write(event(PROGRESS))
        await go_on.wait()
        await answer.write(event(whole(seen, {"done": True})))
        return answer

    server.reply = in_two_parts
    async with caller.streaming(*CALL) as answered:
        assert dict(answered.headers) == {
            "content-type": "text/event-stream",
            "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
            "transfer-encoding": "chunked",
        }
        parts = answered.aiter_bytes()
        async with asyncio.timeout(5):
            assert await anext(parts) == event(PROGRESS)
            go_on.set()
            rest = b"".join([part async for part in parts])
    assert rest == b'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{"done":true}}\n\n'


async def test_notifications_and_comments_go_on_and_the_answer_has_the_callers_id(
    caller: Caller, server: McpServer
) -> None:
    server.reply = streaming(b": hello\n\n", PROGRESS, PROGRESS, "ANSWER")
    assert await events(caller) == [PROGRESS, PROGRESS, ANSWER]


async def test_links_in_a_streamed_answer_are_renamed(caller: Caller, server: McpServer) -> None:
    async def linking(seen: Seen, request: web.Request) -> web.StreamResponse:
        answer = await begin(request)
        await answer.write(event(whole(seen, {"content": [{"type": "resource_link", "uri": "a://1"}]})))
        return answer

    server.reply = linking
    [answer] = await events(caller)
    assert answer["result"]["content"] == [{"type": "resource_link", "uri": "s+a://1"}]


async def test_what_follows_the_answer_is_not_passed_on(caller: Caller, server: McpServer) -> None:
    server.reply = streaming("ANSWER", PROGRESS, "ANSWER")
    assert await events(caller) == [ANSWER]
    assert (await caller.ask(*CALL)).status_code == 200


async def test_a_request_of_the_server_is_dropped_and_told_in_the_log(
    caller: Caller, server: McpServer, log: list[Any]
) -> None:
    asked = {"jsonrpc": "2.0", "id": 5, "method": "sampling/createMessage", "params": {}}
    server.reply = streaming(asked, "ANSWER")
    assert await events(caller) == [ANSWER]
    assert log == [
        {
            "event": "server_request_dropped",
            "log_level": "warning",
            "server": "s",
            "method": "sampling/createMessage",
        }
    ]


BROKEN = "server s: its stream ended before its answer"


@pytest.mark.parametrize(
    ("parts", "code", "message"),
    [
        ((PROGRESS,), -32012, BROKEN),
        ((), -32012, BROKEN),
        ((b"data: hello\n\n",), -32012, "server s: the body is not well-formed JSON"),
        ((b"data: []\n\n",), -32012, "server s: a JSON object is wanted here"),
        (({"jsonrpc": "2.0", "id": 99, "result": {}},), -32012, "server s: this answers another request"),
        (
            (b'data: {"jsonrpc":"2.0","method":"x","_":"io.modelcontextprotocol/subscriptionId"}\n\n',),
            -32012,
            BROKEN,
        ),
    ],
)
async def test_a_stream_that_breaks_ends_with_a_typed_answer(
    caller: Caller, server: McpServer, parts: tuple[Any, ...], code: int, message: str
) -> None:
    server.reply = streaming(*parts)
    assert (await events(caller))[-1] == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": code, "message": message},
    }


async def test_a_stream_that_falls_silent_ends_with_a_typed_answer(caller: Caller, server: McpServer) -> None:
    async def silent(seen: Seen, request: web.Request) -> web.StreamResponse:
        answer = await begin(request)
        await answer.write(event(PROGRESS))
        await asyncio.get_running_loop().create_future()
        return answer

    server.reply = silent
    assert await events(caller) == [
        PROGRESS,
        {
            "jsonrpc": "2.0",
            "id": 1,
            "error": {"code": -32011, "message": "server s: no answer within 0.3 s"},
        },
    ]
    await asyncio.wait_for(server.left.wait(), 5)


async def test_a_caller_who_leaves_a_stream_cancels_the_call_at_the_server(
    caller: Caller, server: McpServer
) -> None:
    async def endless(seen: Seen, request: web.Request) -> web.StreamResponse:
        answer = await begin(request)
        while True:
            await answer.write(event(PROGRESS))
            await asyncio.sleep(0.01)

    server.reply = endless
    async with caller.streaming(*CALL) as answered:
        await anext(answered.aiter_bytes())
    await asyncio.wait_for(server.left.wait(), 5)


async def test_a_caller_who_leaves_while_waiting_cancels_the_call_at_the_server(
    caller: Caller, server: McpServer
) -> None:
    asked = asyncio.Event()

    async def never(seen: Seen, request: web.Request) -> web.StreamResponse:
        asked.set()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # it has no end

    server.reply = never
    waiting = asyncio.create_task(caller.ask(*CALL))
    await asyncio.wait_for(asked.wait(), 5)
    waiting.cancel()
    await asyncio.wait_for(server.left.wait(), 0.25)  # and not when the server's timeout is over


async def test_a_caller_who_reads_slowly_makes_the_gateway_hold_little(
    caller: Caller, server: McpServer
) -> None:
    sent = 0

    async def eager(seen: Seen, request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = await begin(request)
        while sent < 64 * 1024 * 1024:
            await answer.write(b": " + b"x" * 65_000 + b"\n\n")
            sent += 65_000
        return answer

    server.reply = eager
    async with caller.streaming(*CALL) as answered:
        await anext(answered.aiter_bytes())
        seen = -1
        while sent != seen:
            seen = sent
            await asyncio.sleep(0.05)
        assert sent < 32 * 1024 * 1024
