"""What a legacy client hears unasked (GET; MCP 2025-11-25, transports)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.gateway.conftest import result
from tests.gateway.sessions.conftest import RawClient

from ostiary.gateway.sessions import listen_stream, listening

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, Seen, StartGateway
    from tests.gateway.sessions.conftest import Workshop

TOOLS_CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
UPDATED = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "note://one"}}


@pytest.fixture
async def single(raw: RawClient) -> RawClient:
    """At the endpoint of one server."""
    raw.path = "/servers/w/mcp"
    await raw.initialize()
    return raw


async def change(client: RawClient) -> None:
    """Let the server tell of changes."""
    assert (await client.post("tools/call", {"name": "change"}, message_id=99)).status_code == 200


async def test_changes_and_updates_are_heard_on_the_stream(single: RawClient) -> None:
    async with single.listening() as events:
        assert events.answered.headers["content-type"] == "text/event-stream"
        subscribed = await single.post("resources/subscribe", {"uri": "note://one"})
        assert subscribed.json()["result"] == {}
        await change(single)
        assert [await events.next(), await events.next()] == [TOOLS_CHANGED, UPDATED]
        await single.post("resources/unsubscribe", {"uri": "note://one"})
        await change(single)
        await change(single)
        assert await events.next() == TOOLS_CHANGED


async def test_sessions_of_one_caller_hear_each_what_it_wants(single: RawClient, gateway: Caller) -> None:
    other = RawClient(gateway, path=single.path)
    await other.initialize()
    async with single.listening() as mine, other.listening() as theirs:
        await single.post("resources/subscribe", {"uri": "note://one"})
        await other.post("resources/subscribe", {"uri": "note://two"})
        await change(single)
        assert [await mine.next(), await mine.next()] == [TOOLS_CHANGED, UPDATED]
        assert await theirs.next() == TOOLS_CHANGED
        assert (await theirs.next())["params"] == {"uri": "note://two"}


async def test_whoever_listened_first_may_leave(single: RawClient, gateway: Caller) -> None:
    other = RawClient(gateway, path=single.path)
    await other.initialize()
    async with AsyncExitStack() as stack:
        async with single.listening():
            events = await stack.enter_async_context(other.listening())
            await other.post("resources/subscribe", {"uri": "note://one"})
        await other.post("resources/subscribe", {"uri": "note://other"})
        await change(other)
        assert UPDATED in [await events.next(), await events.next()]


async def test_those_who_leave_at_once_leave_nobody_listening(
    server: McpServer, start_gateway: StartGateway
) -> None:
    async def tell(answer: web.StreamResponse) -> None:
        try:
            await answer.write(b":\n\n")
            began.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    began, ended = asyncio.Event(), asyncio.Event()
    await listening_server(server, tell)
    caller = await start_gateway(servers={"s": {"url": server.url}})
    host, port = caller.origin.removeprefix("http://").split(":")
    sockets = []
    for _ in range(2):
        raw = RawClient(caller, path="/servers/s/mcp")
        await raw.initialize()
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"GET {raw.path} HTTP/1.1\r\nhost: {host}:{port}\r\nmcp-session-id: {raw.session}\r\n\r\n"
        writer.write(head.encode())
        await reader.readuntil(b":\n\n")
        sockets.append(writer)
    await began.wait()
    for writer in sockets:
        writer.close()  # in one turn of the event loop
    async with asyncio.timeout(5):
        await ended.wait()


async def test_a_second_stream_takes_the_place_of_the_first(single: RawClient) -> None:
    async with single.listening() as first, single.listening() as second:
        assert await first.next() is None
        await single.post("resources/subscribe", {"uri": "note://one"})
        await change(single)
        assert await second.next() == TOOLS_CHANGED


async def test_the_end_of_a_session_ends_its_stream(single: RawClient) -> None:
    async with single.listening() as events:
        await single.delete()
        assert await events.next() is None


async def test_a_silent_stream_says_that_it_lives(single: RawClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen_stream, "KEEP_ALIVE_SECONDS", 0.01)
    async with single.listening() as events:
        lines = events.answered.aiter_lines()
        assert {await anext(lines) for _ in range(6)} == {":", ""}


async def test_streams_of_one_caller_are_bounded(start_gateway: StartGateway, workshop: Workshop) -> None:
    caller = await start_gateway(servers={"w": {"url": workshop.url}}, limits={"caller_subscriptions": 2})
    clients = [RawClient(caller) for _ in range(3)]
    for client in clients:
        await client.initialize()
    async with clients[0].listening(), clients[1].listening() as second:
        async with clients[2].listening() as third:
            assert third.answered.status_code == 503
        await clients[1].delete()
        assert await second.next() is None
        async with clients[2].listening() as third:
            assert third.answered.status_code == 200


async def test_what_is_subscribed_to_is_bounded(single: RawClient) -> None:
    answers = [
        (await single.post("resources/subscribe", {"uri": f"n://{number}"})).json() for number in range(101)
    ]
    assert ["error" in answer for answer in answers] == [False] * 100 + [True]
    assert answers[-1]["error"]["code"] == -32602
    long = (await single.post("resources/subscribe", {"uri": "note://" + "x" * 9000})).json()
    assert long["error"]["code"] == -32602
    for params in ({}, {"uri": 7}):
        assert (await single.post("resources/subscribe", params)).json()["error"]["code"] == -32602


async def test_a_resource_of_nobody_is_not_subscribed_to(raw: RawClient) -> None:
    await raw.initialize()
    answered = await raw.post("resources/subscribe", {"uri": "nobody+note://one"})
    assert (answered.status_code, answered.json()["error"]["code"]) == (200, -32602)


async def listening_server(server: McpServer, tell: Any) -> None:
    """It answers `subscriptions/listen` as the test says, and all else with nothing."""

    async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
        if seen.method != "subscriptions/listen":
            return result(seen, {"resultType": "complete", "capabilities": {}})
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        await tell(answer)
        return answer

    server.reply = reply


async def test_what_may_have_been_missed_is_told_when_a_server_comes_back(
    start_gateway: StartGateway, server: McpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "FIRST_PAUSE", 0.01)
    acknowledged = (
        b'data: {"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged",'
        b'"params":{"notifications":{"promptsListChanged":true}}}\n\n'
    )
    times = 0

    async def tell(answer: web.StreamResponse) -> None:
        nonlocal times
        times += 1
        await answer.write(acknowledged)
        if times > 1:
            await asyncio.Event().wait()

    await listening_server(server, tell)
    raw = RawClient(await start_gateway(servers={"s": {"url": server.url}}), path="/servers/s/mcp")
    await raw.initialize()
    async with raw.listening() as events:
        assert (await events.next())["method"] == "notifications/prompts/list_changed"
    assert times == 2


async def test_a_server_that_knows_no_listeners_is_asked_once(
    start_gateway: StartGateway, server: McpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.gateway.conftest import error  # noqa: PLC0415

    monkeypatch.setattr(listening, "FIRST_PAUSE", 0.001)

    async def reply(seen: Seen, _: web.Request) -> web.StreamResponse:
        if seen.method == "subscriptions/listen":
            return error(seen, -32601, "no", status=404)
        return result(seen, {"resultType": "complete", "capabilities": {}})

    server.reply = reply
    raw = RawClient(await start_gateway(servers={"s": {"url": server.url}}), path="/servers/s/mcp")
    await raw.initialize()
    async with raw.listening():
        await raw.post("resources/subscribe", {"uri": "n://1"})
        await asyncio.sleep(0.05)
    assert [seen.method for seen in server.seen].count("subscriptions/listen") == 2


async def test_a_flood_of_notices_waits_for_a_slow_reader_as_a_few(
    start_gateway: StartGateway, server: McpServer
) -> None:
    update = (
        b'data: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"n://%d"}}\n\n'
    )
    flooded = asyncio.Event()

    async def tell(answer: web.StreamResponse) -> None:
        for number in range(20_000):
            await answer.write(update % number)
        flooded.set()
        await asyncio.Event().wait()

    await listening_server(server, tell)
    raw = RawClient(await start_gateway(servers={"s": {"url": server.url}}), path="/servers/s/mcp")
    await raw.initialize()
    await raw.post("resources/subscribe", {"uri": "n://"})
    async with raw.listening() as events:
        await flooded.wait()
        assert (await events.next())["method"] == "notifications/resources/updated"
