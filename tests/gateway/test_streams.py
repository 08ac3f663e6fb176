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
    return b"event: message\ndata: %s\n\n" % json.dumps(message, separators=(",", ":")).encode()


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


async def everything(caller: Caller) -> bytes:
    """The bytes of the caller's stream."""
    return (await caller.ask(*CALL)).content


WRITTEN_ANSWER = event(ANSWER)


@pytest.mark.parametrize(
    "whole_event",
    [
        b'id: 7\nretry: 1\nevent: message\ndata: {"id":%s,\ndata: "result":\r\ndata: {"done":true}}\n\n',
        b'id: 7\rdata:{"jsonrpc":"2.0","id":%s,"result":\rdata:{"done":true}}\r\r',
        b'\xef\xbb\xbfdata: {"id":%s,"result":{"done":true},"jsonrpc":"2.0","x":[1]}\nfoo: bar\n: baz\n\n',
        b'event: endpoint\ndata: /elsewhere\n\ndata: {"jsonrpc":"2.0","id":%s,"result":{"done":true}}\n\n',
        b'id: 1\ndata: \n\ndata: {"jsonrpc":"2.0","id":%s,"result":{"done":true}}\n\n',
    ],
    ids=["several data lines", "CR", "unknown fields", "another type", "priming event"],
)
async def test_an_event_of_a_server_in_any_form_is_one_clean_event_of_ours(
    caller: Caller, server: McpServer, whole_event: bytes
) -> None:
    async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
        answer = await begin(request)
        await answer.write(whole_event % str(seen.body["id"]).encode())
        return answer

    server.reply = reply
    assert (await everything(caller)).replace(b":\n\n", b"") == WRITTEN_ANSWER


async def test_id_retry_and_event_lines_of_a_server_never_pass_raw(caller: Caller, server: McpServer) -> None:
    raw = b"id: 7\nretry: 1\nevent: message\n: words\ndata: %s\ndata: %s\n\n"
    first, params = b'{"jsonrpc":"2.0","method":"x","params":', b'{"a":1}}'
    server.reply = streaming(raw % (first, params), b": more words\n\n", "ANSWER")
    clean = b"event: message\ndata: %s\n\n" % (first + params)
    assert await everything(caller) == b":\n\n" + clean + b":\n\n" + WRITTEN_ANSWER


async def test_a_notification_has_what_is_known_and_nothing_else(caller: Caller, server: McpServer) -> None:
    server.reply = streaming({**PROGRESS, "x": 1, "retry": 2}, "ANSWER")
    assert await everything(caller) == event(PROGRESS) + WRITTEN_ANSWER


async def test_a_notice_of_a_subscription_has_the_callers_id(caller: Caller, server: McpServer) -> None:
    key = "io.modelcontextprotocol/subscriptionId"

    def notice(subscription: Any) -> dict[str, Any]:
        params = {"uri": "a://1", "_meta": {key: subscription, "x": 1}}
        return {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": params}

    async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
        answer = await begin(request)
        for subscription in (seen.body["id"], str(seen.body["id"]), "another"):
            await answer.write(event(notice(subscription)))
        await answer.write(event(whole(seen, {"done": True})))
        return answer

    server.reply = reply
    assert await events(caller) == [notice(1), notice(1), notice("another"), ANSWER]


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
        ((b'data: {"method":"x","method":"y"}\n\n',), -32012, "server s: the key 'method' is there twice"),
        ((b'data: {"method":1}\n\n',), -32012, "server s: method must be a string"),
        (
            (b'data: {"method":"x","a":"%s"}\n\n' % (b"x" * 70_000),),
            -32012,
            "server s: a message has more than 65536 bytes besides its members",
        ),
        (
            (b'data: {"method":"x",%s}\n\n' % b",".join([b'"%d":1' % n for n in range(2000)]),),
            -32012,
            "server s: an object here has more than 1000 members",
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


PRIMING = b"id: 1\ndata: \n\n"


async def test_a_priming_event_is_no_message(caller: Caller, server: McpServer) -> None:
    """Servers begin so when their streams can be resumed; it has an id, and no data."""
    server.reply = streaming(PRIMING, b"id: 2\nretry: 3000\ndata:\n\n", PROGRESS, "ANSWER")
    assert await events(caller) == [PROGRESS, ANSWER]


async def test_a_priming_event_hides_no_server_from_a_list(caller: Caller, server: McpServer) -> None:
    async def primed(seen: Seen, request: web.Request) -> web.StreamResponse:
        answer = await begin(request)
        await answer.write(PRIMING + event(whole(seen, {"tools": [{"name": "get", "inputSchema": {}}]})))
        return answer

    server.reply = primed
    listed = (await caller.ask("tools/list")).json()["result"]
    assert [tool["name"] for tool in listed["tools"]] == ["s_get"]
