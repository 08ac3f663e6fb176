"""`subscriptions/listen` on /mcp: one stream for what all servers tell of changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ToolsListChanged
from tests.gateway.conftest import request_for
from tests.gateway.test_federation import answering, tools
from tests.loopback import HANGS_UP

from ostiary.gateway.catalog import change_feed
from ostiary.mcp.subscriptions import MOST_RESOURCES
from ostiary.settings import Listen
from ostiary.transport.serving import address_of, bind, serving

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, Seen, StartGateway

StartServer = Callable[[], Awaitable["McpServer"]]
KEY = "io.modelcontextprotocol/subscriptionId"
SECONDS = 10


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_feed, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(change_feed, "LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(change_feed, "TOGETHER", 0.01)


@dataclass
class Telling:
    """A server that has lists, and tells what it is given to all who listen."""

    lists: dict[str, Any]
    streams: dict[int, tuple[dict[str, Any], web.StreamResponse]] = field(default_factory=dict)
    listened: list[dict[str, Any]] = field(default_factory=list)
    come: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        if seen.method != "subscriptions/listen":
            return await answering(self.lists)(seen, request)
        wanted, number = seen.body["params"]["notifications"], seen.body["id"]
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        await self.say(answer, number, "subscriptions/acknowledged", notifications=wanted)
        self.listened.append(wanted)
        self.streams[number] = (wanted, answer)
        self.come.set()
        try:
            await self.over.wait()
        finally:
            del self.streams[number]
        return answer

    async def say(self, answer: web.StreamResponse, number: int, notice: str, **params: Any) -> None:
        told = {**params, "_meta": {KEY: number}}
        message = {"jsonrpc": "2.0", "method": f"notifications/{notice}", "params": told}
        await answer.write(b"data: %s\n\n" % json.dumps(message).encode())

    async def tell(self, notice: str, **params: Any) -> None:
        for number, (_, answer) in list(self.streams.items()):
            await self.say(answer, number, notice, **params)

    async def break_off(self) -> None:
        over, self.over = self.over, asyncio.Event()
        self.come.clear()
        over.set()


class Heard:
    """What one caller is told, read as it comes."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts = parts
        self._held = b""

    async def next(self) -> Any:
        """The next message."""
        async with asyncio.timeout(SECONDS):
            while True:
                event, end, rest = self._held.partition(b"\n\n")
                if not end:
                    self._held += await anext(self._parts)
                    continue
                self._held = rest
                data = [line[6:] for line in event.splitlines() if line.startswith(b"data: ")]
                if data:
                    return json.loads(data[0])


@asynccontextmanager
async def listening(
    caller: Caller, message_id: int | str = 1, headers: list[tuple[str, str]] | None = None, **wanted: Any
) -> AsyncIterator[Heard]:
    body, routing = request_for("subscriptions/listen", {"notifications": wanted}, message_id)
    sent = [("content-type", "application/json"), *routing, *(headers or [])]
    async with caller.http.stream("POST", f"{caller.origin}/mcp", content=body, headers=sent) as answered:
        assert answered.status_code == 200, await answered.aread()
        assert answered.headers["content-type"] == "text/event-stream"
        yield Heard(answered.aiter_bytes())


def acknowledged(message_id: int | str, **wanted: Any) -> dict[str, Any]:
    return notice(message_id, "subscriptions/acknowledged", notifications=wanted)


def notice(message_id: int | str, name: str, **params: Any) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "method": f"notifications/{name}",
        "params": {**params, "_meta": {KEY: message_id}},
    }


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not is_so():  # noqa: ASYNC110 - servers in this very loop
            await asyncio.sleep(0.005)


async def test_changes_of_all_servers_come_on_one_stream_with_the_callers_own_words(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    one, two = await start_server(), await start_server()
    first, second = Telling(tools("a")), Telling(tools("b"))
    one.reply, two.reply = first, second
    caller = await start_gateway(servers={"one": {"url": one.url}, "two": {"url": two.url}})
    uris = ["one+note://1", "two+note://2", "nobody+note://3"]
    wanted: dict[str, Any] = {"toolsListChanged": True, "resourceSubscriptions": uris}
    async with listening(caller, "mine", **wanted) as heard:
        honoured = {"toolsListChanged": True, "resourceSubscriptions": uris[:2]}
        assert await heard.next() == acknowledged("mine", **honoured)
        await until(lambda: bool(first.streams and second.streams))
        assert first.listened == [{"toolsListChanged": True, "resourceSubscriptions": ["note://1"]}]
        await until(lambda: [seen.method for seen in one.seen].count("tools/list") == 1)
        await asyncio.sleep(0.05)
        first.lists = tools("a", "more")
        await first.tell("tools/list_changed")
        assert await heard.next() == notice("mine", "tools/list_changed")
        await second.tell("resources/updated", uri="note://2")
        assert await heard.next() == notice("mine", "resources/updated", uri="two+note://2")
        await second.tell("resources/updated", uri="note://2/part")
        assert await heard.next() == notice("mine", "resources/updated", uri="two+note://2/part")


async def test_a_list_that_is_the_same_is_no_change(start_gateway: StartGateway, server: McpServer) -> None:
    telling = Telling(tools("a"))
    server.reply = telling
    caller = await start_gateway(servers={"s": {"url": server.url}})
    await caller.ask("tools/list")
    async with listening(caller, toolsListChanged=True, resourceSubscriptions=["s+x:1"]) as heard:
        await heard.next()
        await telling.come.wait()
        for _ in range(3):
            asked = len(server.seen)
            await telling.tell("tools/list_changed")
            await until(lambda asked=asked: len(server.seen) > asked)  # type: ignore[misc]
        await telling.tell("resources/updated", uri="x:1")
        assert await heard.next() == notice(1, "resources/updated", uri="s+x:1")


async def test_what_changed_since_the_list_was_asked_for_is_told(
    start_gateway: StartGateway, server: McpServer
) -> None:
    telling = Telling(tools("a"))
    server.reply = telling
    caller = await start_gateway(servers={"s": {"url": server.url}})
    await caller.ask("tools/list")
    telling.lists = tools("b")
    async with listening(caller, toolsListChanged=True) as heard:
        await heard.next()
        assert await heard.next() == notice(1, "tools/list_changed")


async def test_a_stream_that_breaks_off_is_opened_again_and_what_changed_meanwhile_is_told(
    start_gateway: StartGateway, server: McpServer
) -> None:
    telling = Telling(tools("a"))
    server.reply = telling
    caller = await start_gateway(servers={"s": {"url": server.url}})
    await caller.ask("tools/list")
    async with listening(caller, toolsListChanged=True, resourceSubscriptions=["s+x:1"]) as heard:
        await heard.next()
        await telling.come.wait()
        await until(lambda: [seen.method for seen in server.seen].count("tools/list") == 2)
        telling.lists = tools("a", "b")
        await telling.break_off()
        told = [await heard.next(), await heard.next()]
        assert notice(1, "tools/list_changed") in told
        assert notice(1, "resources/updated", uri="s+x:1") in told, "nobody knows what was missed"


async def test_a_dead_server_ends_nobodys_stream(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    good, bad = await start_server(), await start_server()
    telling = Telling(tools("a"))
    good.reply = telling
    asked = 0

    async def fails(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return web.Response(status=500)

    bad.reply = fails
    servers = {
        "bad": {"url": bad.url},
        "good": {"url": good.url},
        "dead": {"url": "http://127.0.0.1:1/mcp"},
    }
    caller = await start_gateway(servers=servers)
    async with listening(caller, toolsListChanged=True, resourceSubscriptions=["good+x:1"]) as heard:
        await heard.next()
        await until(lambda: asked > 2 and bool(telling.streams))
        await telling.tell("resources/updated", uri="x:1")
        assert await heard.next() == notice(1, "resources/updated", uri="good+x:1")
        recovered = Telling(tools("b"))
        bad.reply = recovered
        await recovered.come.wait()


async def test_a_server_that_tells_of_nothing_is_asked_once(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    good, deaf = await start_server(), await start_server()
    telling = Telling(tools("a"))
    good.reply, deaf.reply = telling, answering(tools("b"))
    caller = await start_gateway(servers={"deaf": {"url": deaf.url}, "good": {"url": good.url}})
    async with listening(caller, toolsListChanged=True) as heard:
        await heard.next()
        for _ in range(3):
            await telling.come.wait()
            await telling.break_off()
        assert [seen.method for seen in deaf.seen] == ["subscriptions/listen"]


async def test_many_who_listen_share_one_stream_at_the_server(
    start_gateway: StartGateway, server: McpServer
) -> None:
    telling = Telling(tools("a"))
    server.reply = telling
    caller = await start_gateway(servers={"s": {"url": server.url}})
    await caller.ask("tools/list")
    async with (
        listening(caller, 1, toolsListChanged=True) as first,
        listening(caller, 2, toolsListChanged=True) as second,
        listening(caller, 3, resourceSubscriptions=["s+x:1"]) as third,
    ):
        for heard in (first, second, third):
            await heard.next()
        await until(lambda: {"resourceSubscriptions", "toolsListChanged"} <= telling.listened[-1].keys())
        await until(lambda: len(telling.streams) == 1)
        telling.lists = tools("b")
        await telling.tell("tools/list_changed")
        assert await first.next() == notice(1, "tools/list_changed")
        assert await second.next() == notice(2, "tools/list_changed")
        await telling.tell("resources/updated", uri="x:1")
        assert await third.next() == notice(3, "resources/updated", uri="s+x:1")
    await until(lambda: not telling.streams)


async def test_what_a_server_tells_one_caller_is_told_to_no_other(
    start_gateway: StartGateway, server: McpServer
) -> None:
    telling = Telling(tools("a"))
    server.reply = telling
    caller = await start_gateway(servers={"s": {"url": server.url, "forward_headers": ["x-tenant"]}})
    wanted: dict[str, Any] = {"resourceSubscriptions": ["s+x:1"]}
    async with (
        listening(caller, 1, [("x-tenant", "one")], **wanted) as first,
        listening(caller, 2, [("x-tenant", "two")], **wanted) as second,
    ):
        for heard in (first, second):
            await heard.next()
        await until(lambda: len(telling.streams) == 2)
        [number, _] = telling.streams
        await telling.say(telling.streams[number][1], number, "resources/updated", uri="x:1")
        tenant = next(seen.header("x-tenant") for seen in server.seen if seen.body["id"] == number)
        of_whom, message_id = (first, 1) if tenant == "one" else (second, 2)
        assert await of_whom.next() == notice(message_id, "resources/updated", uri="s+x:1")


async def test_whatever_a_hostile_server_says_on_its_stream_reaches_nobody(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    good, bad = await start_server(), await start_server()
    telling = Telling(tools("a"))
    good.reply = telling
    odd = [
        b'data: {"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{}}\n\n',
        b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":[]}\n\n',
        b'data: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":7}}\n\n',
        b'data: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"not:mine"}}\n\n',
        b"data: [1]\n\n",
        b"data: " + b"x" * 100_000,
        b'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n',
    ]
    said = 0

    async def says_odd_things(seen: Seen, request: web.Request) -> web.StreamResponse:
        nonlocal said
        if seen.method != "subscriptions/listen":
            return web.Response(status=500)
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(odd[said % len(odd)])
        said += 1
        return answer

    bad.reply = says_odd_things
    caller = await start_gateway(servers={"bad": {"url": bad.url}, "good": {"url": good.url}})
    wanted: dict[str, Any] = {"toolsListChanged": True, "resourceSubscriptions": ["good+x:1", "bad+y:1"]}
    async with listening(caller, **wanted) as heard:
        await heard.next()
        await until(lambda: said > 2 * len(odd) and bool(telling.streams))
        await telling.tell("resources/updated", uri="x:1")
        assert await heard.next() == notice(1, "resources/updated", uri="good+x:1")


async def test_one_caller_listens_so_many_times_and_no_more(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = Telling(tools("a"))
    limits = {"caller_subscriptions": 2}
    caller = await start_gateway(servers={"s": {"url": server.url}}, limits=limits)
    wanted = {"notifications": {"toolsListChanged": True}}
    async with listening(caller, toolsListChanged=True) as heard, listening(caller, toolsListChanged=True):
        await heard.next()
        refused = await caller.ask("subscriptions/listen", wanted)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["message"] == "you listen 2 times already: end one of these first"
    async with asyncio.timeout(SECONDS):
        while True:
            async with caller.streaming("subscriptions/listen", wanted) as answered:
                if answered.status_code == 200:
                    break


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "params.notifications must be an object, and its resourceSubscriptions a list of URIs"),
        (
            {"notifications": {"resourceSubscriptions": [7]}},
            "params.notifications must be an object, and its resourceSubscriptions a list of URIs",
        ),
        (
            {"notifications": {"resourceSubscriptions": [f"s+x:{n}" for n in range(MOST_RESOURCES + 1)]}},
            f"params.notifications names more than {MOST_RESOURCES} resources",
        ),
    ],
)
async def test_a_wish_that_is_none_is_refused(caller: Caller, params: dict[str, Any], message: str) -> None:
    answered = await caller.ask("subscriptions/listen", params)
    assert (answered.status_code, answered.json()["error"]) == (400, {"code": -32602, "message": message})


async def test_a_silent_stream_is_kept_open_at_the_server(
    start_gateway: StartGateway, server: McpServer
) -> None:
    telling = Telling(tools("a"))
    server.reply = telling
    caller = await start_gateway(servers={"s": {"url": server.url, "timeout": "100ms"}})
    async with listening(caller, resourceSubscriptions=["s+x:1"]) as heard:
        await heard.next()
        await telling.come.wait()
        await asyncio.sleep(0.8)
        await telling.tell("resources/updated", uri="x:1")
        assert await heard.next() == notice(1, "resources/updated", uri="s+x:1")
        assert len(telling.listened) == 1


async def test_what_the_official_sdks_server_publishes_its_client_hears_through_us(
    start_gateway: StartGateway,
) -> None:
    bus = InMemorySubscriptionBus()
    server: MCPServer[None] = MCPServer("notes", subscriptions=bus, log_level="WARNING")
    server.add_tool(lambda: "one", name="first")
    sock = bind(Listen("127.0.0.1", 0))
    async with serving(server.streamable_http_app(stateless_http=True), sock, limits=HANGS_UP):
        caller = await start_gateway(servers={"notes": {"url": f"http://{address_of(sock)}/mcp"}})
        async with (
            asyncio.timeout(SECONDS),
            Client(f"{caller.origin}/mcp", mode="auto") as client,
            client.listen(tools_list_changed=True, resource_subscriptions=["notes+note://1"]) as heard,
        ):
            assert [tool.name for tool in (await client.list_tools()).tools] == ["notes_first"]
            await until(lambda: bool(bus._listeners))
            await asyncio.sleep(0.1)
            server.add_tool(lambda: "two", name="second")
            await bus.publish(ToolsListChanged())
            assert await anext(heard) == ToolsListChanged()
            assert len((await client.list_tools()).tools) == 2
            await bus.publish(ResourceUpdated(uri="note://1"))
            assert await anext(heard) == ResourceUpdated(uri="notes+note://1")


async def test_who_leaves_leaves_nothing_behind(start_gateway: StartGateway, server: McpServer) -> None:
    telling = Telling(tools("a"))
    server.reply = telling
    caller = await start_gateway(servers={"s": {"url": server.url}})
    async with listening(caller, toolsListChanged=True) as heard:
        await heard.next()
        await until(lambda: bool(telling.streams))
        await until(lambda: bool(_feeds()))
    await until(lambda: not telling.streams)
    await until(lambda: not _feeds())


def _feeds() -> list[asyncio.Task[Any]]:
    """What waits for more listeners."""
    return [task for task in asyncio.all_tasks() if "Event.wait" in repr(task.get_coro())]
