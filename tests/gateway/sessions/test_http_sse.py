"""HTTP+SSE, MCP 2024-11-05: strangers, floods, and clients that leave."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.sessions.conftest import Events, eventually

from ostiary.gateway.sessions import http_sse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2
    from tests.gateway.conftest import Caller, StartGateway
    from tests.gateway.sessions.conftest import Workshop

INITIALIZE = {
    "protocolVersion": "2024-11-05",
    "capabilities": {"elicitation": {}},
    "clientInfo": {"name": "old", "version": "1"},
}


class Channel:
    """A client on its stream."""

    def __init__(self, caller: Caller, answered: httpx2.Response) -> None:
        self.caller = caller
        self.answered = answered
        self.events = Events(answered)
        self.url = ""

    async def begin(self) -> None:
        """Hear where to post."""
        async with asyncio.timeout(5):
            async for line in self.events.lines:
                if line.startswith("data: "):
                    self.url = line.removeprefix("data: ")
                    return

    async def say(self, method: str, params: Any = None, message_id: Any = 1) -> httpx2.Response:
        message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        if message_id is not None:
            message["id"] = message_id
        return await self.send(message)

    async def send(self, message: Any) -> httpx2.Response:
        return await self.caller.post(json.dumps(message).encode(), path=self.url)


@asynccontextmanager
async def channel(caller: Caller, path: str = "/mcp/sse") -> AsyncIterator[Channel]:
    async with caller.http.stream("GET", caller.origin + path) as answered:
        found = Channel(caller, answered)
        await found.begin()
        yield found


async def test_answers_come_on_the_stream(gateway: Caller) -> None:
    async with channel(gateway) as client:
        assert client.url.startswith("/mcp/sse?session_id=")
        answered = await client.say("initialize", INITIALIZE)
        assert (answered.status_code, answered.content) == (202, b"")
        begun = await client.events.next()
        assert begun["result"]["protocolVersion"] == "2024-11-05"
        await client.say("notifications/initialized", message_id=None)
        await client.say("tools/call", {"name": "w_greet"}, 7)
        question = await client.events.next()
        answer = {"action": "accept", "content": {"name": "Ada"}}
        await client.send({"jsonrpc": "2.0", "id": question["id"], "result": answer})
        told = await client.events.next()
        assert (told["id"], told["result"]["content"][0]["text"]) == (7, "Hello Ada")


async def test_it_is_off_unless_it_is_switched_on(start_gateway: StartGateway, workshop: Workshop) -> None:
    caller = await start_gateway(servers={"w": {"url": workshop.url}})
    for path in ("/mcp/sse", "/servers/w/mcp/sse"):
        assert (await caller.http.get(caller.origin + path)).status_code == 404
        assert (await caller.post(b"{}", path=path)).status_code == 404


@pytest.mark.parametrize("query", ["", "?session_id=", "?session_id=forged", "?x=1&" + "a&" * 50])
async def test_a_stranger_says_nothing(gateway: Caller, query: str) -> None:
    answered = await gateway.post(b"{}", path="/mcp/sse" + query)
    assert answered.status_code in {400, 404}


async def test_a_session_is_over_with_its_stream(gateway: Caller, workshop: Workshop) -> None:
    async with channel(gateway) as client:
        await client.say("initialize", INITIALIZE)
        await client.events.next()
        await client.say("tools/call", {"name": "w_hang"})
        await workshop.begun.wait()
    async with asyncio.timeout(5):
        await workshop.cancelled.wait()
    assert (await client.say("ping")).status_code == 404


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b"7", b'{"jsonrpc":"2.0","id":1,"method":7}'])
async def test_what_is_no_message_is_an_error_on_the_stream(gateway: Caller, body: bytes) -> None:
    async with channel(gateway) as client:
        assert (await gateway.post(body, path=client.url)).status_code == 202
        assert "error" in await client.events.next()
        await client.say("tools/list")
        assert (await client.events.next())["error"]["message"] == "initialize comes first"
        await client.say("initialize", {"protocolVersion": 7})
        assert (await client.events.next())["error"]["code"] == -32602
        await client.say("initialize", INITIALIZE)
        assert "result" in await client.events.next()
        await client.say("initialize", INITIALIZE)
        assert "error" in await client.events.next()


async def test_what_one_client_has_under_way_is_bounded(
    gateway: Caller, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_sse, "MOST_MESSAGES", 3)
    async with channel(gateway) as client:
        await client.say("initialize", INITIALIZE)
        await client.events.next()
        said = [(await client.say("tools/call", {"name": "w_hang"}, n)).status_code for n in range(5)]
        assert said == [202, 202, 202, 503, 503]
        for n in range(3):
            await client.say("notifications/cancelled", {"requestId": n}, None)
        await eventually(workshop.cancelled.is_set)
