"""`tools: search`: two tools instead of hundreds, over the caller's own list."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.gateway.conftest import result
from tests.gateway.test_federation import answering
from tests.gateway.test_overrides import having

from ostiary.gateway.catalog.tool_index import ToolIndex

if TYPE_CHECKING:
    from tests.gateway.conftest import Caller, McpServer, Seen, StartGateway

StartServer = Callable[[], Awaitable["McpServer"]]
DOOR = "/virtual/all/mcp"
ANIMAL = {
    "name": "getAnimal",
    "description": "Look up one animal of the zoo by its name.",
    "inputSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
}
FORECAST = {"name": "get_forecast", "title": "Weather", "description": "Rain and sun of tomorrow."}
BURN = {"name": "burn", "description": "Burns animals."}


@pytest.fixture
async def searched(start_gateway: StartGateway, start_server: StartServer) -> Caller:
    zoo, weather = await start_server(), await start_server()
    zoo.reply = having(tools=[ANIMAL, BURN], prompts=[{"name": "ask"}])
    weather.reply = having(tools=[FORECAST])
    return await start_gateway(
        servers={
            "zoo": {"url": zoo.url, "tools": {"burn": {"hidden": True}}},
            "weather": {"url": weather.url, "prefix": "wx_"},
        },
        virtual_servers={"all": {"include": ["zoo", "weather"], "tools": "search"}},
    )


async def use(caller: Caller, tool: str, **arguments: Any) -> dict[str, Any]:
    answered = await caller.ask("tools/call", {"name": tool, "arguments": arguments}, path=DOOR)
    value: dict[str, Any] = answered.json()
    return value


async def found(caller: Caller, query: str, **more: Any) -> list[str]:
    told = (await use(caller, "find_tools", query=query, **more))["result"]
    assert "isError" not in told, told
    tools = told["structuredContent"]["tools"]
    if tools:
        assert json.loads(told["content"][0]["text"]) == told["structuredContent"]
    return [tool["name"] for tool in tools]


async def test_two_tools_are_listed_and_no_server_is_asked_for_it(
    start_gateway: StartGateway, server: McpServer
) -> None:
    caller = await start_gateway(
        servers={"s": {"url": server.url}}, virtual_servers={"all": {"include": ["s"], "tools": "search"}}
    )
    listed = (await caller.ask("tools/list", path=DOOR)).json()["result"]
    assert [tool["name"] for tool in listed["tools"]] == ["find_tools", "call_tool"]
    assert (listed["cacheScope"], server.seen) == ("public", [])


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("animals", ["zoo_getAnimal"]),
        ("which animal is called Pingu?", ["zoo_getAnimal"]),
        ("weather", ["wx_get_forecast"]),
        ("forec", ["wx_get_forecast"]),
        ("RAINING tomorrow", ["wx_get_forecast"]),
        ("get", ["zoo_getAnimal", "wx_get_forecast"]),
        ("burn", []),
        ("nothing of the kind", []),
        ("\" OR name:* NEAR( ' --", ["zoo_getAnimal"]),
        ("größe 名前 🦓", []),
    ],
)
async def test_tools_are_found_by_what_they_are_about(searched: Caller, query: str, names: list[str]) -> None:
    assert sorted(await found(searched, query)) == sorted(names)


async def test_what_is_found_is_as_a_list_shows_it(searched: Caller) -> None:
    told = (await use(searched, "find_tools", query="animal"))["result"]
    assert told["structuredContent"]["tools"] == [{**ANIMAL, "name": "zoo_getAnimal"}]
    assert told["resultType"] == "complete"


async def test_what_was_found_is_called_as_if_it_were_listed(searched: Caller) -> None:
    called = await use(searched, "call_tool", name="zoo_getAnimal", arguments={"name": "Pingu"})
    assert called["result"] == {"asked": "getAnimal"}
    direct = await searched.ask("tools/call", {"name": "wx_get_forecast"}, path=DOOR)
    assert direct.json()["result"] == {"asked": "get_forecast"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "zoo_burn"}, "there is no 'zoo_burn' here: ask for the list of tools"),
        ({"name": "other"}, "no server here has 'other': names begin with wx_…, zoo_…"),
        ({"name": "call_tool"}, "no server here has 'call_tool': names begin with wx_…, zoo_…"),
        ({}, "arguments.name is missing: the name of a tool, as find_tools gave it"),
        ({"name": 7}, "params.arguments.name must be a string"),
        (
            {"name": "zoo_getAnimal", "arguments": [1]},
            "arguments.arguments must be an object, as the tool's inputSchema wants it",
        ),
    ],
)
async def test_a_call_of_nothing_has_the_error_that_a_direct_one_has(
    searched: Caller, arguments: dict[str, Any], message: str
) -> None:
    assert (await use(searched, "call_tool", **arguments))["error"] == {"code": -32602, "message": message}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"query": "1" * 5000},
        {"query": ""},
        {"query": "  "},
        {"query": 7},
        {"query": ["a"]},
        {"query": "a" * 1001},
        {"query": "a", "limit": 0},
        {"query": "a", "limit": 21},
        {"query": "a", "limit": "5"},
        {"query": "a", "limit": True},
    ],
)
async def test_a_search_for_nothing_is_told_to_the_model(searched: Caller, arguments: dict[str, Any]) -> None:
    told = (await use(searched, "find_tools", **arguments))["result"]
    assert told["isError"] is True
    assert told["content"][0]["text"].startswith(("query is", "limit is"))


async def test_all_else_is_as_at_any_endpoint(searched: Caller) -> None:
    prompts = (await searched.ask("prompts/list", path=DOOR)).json()["result"]["prompts"]
    assert [prompt["name"] for prompt in prompts] == ["zoo_ask"]
    found = (await searched.ask("server/discover", path=DOOR)).json()["result"]
    assert found["capabilities"]["tools"] == {}


async def test_what_one_caller_may_see_another_does_not_find(
    start_gateway: StartGateway, server: McpServer
) -> None:
    async def by_tenant(seen: Seen, request: web.Request) -> web.StreamResponse:
        tenant = seen.header("x-tenant")
        return await answering({"tools/list": {"tools": [{"name": f"secret_of_{tenant}"}]}})(seen, request)

    server.reply = by_tenant
    caller = await start_gateway(
        servers={"s": {"url": server.url, "forward_headers": ["x-tenant"]}},
        virtual_servers={"all": {"include": ["s"], "tools": "search"}},
    )
    names = []
    for tenant in ("one", "two", "one"):
        told = await caller.ask(
            "tools/call",
            {"name": "find_tools", "arguments": {"query": "secret"}},
            path=DOOR,
            headers=[("x-tenant", tenant)],
        )
        names += [tool["name"] for tool in told.json()["result"]["structuredContent"]["tools"]]
    assert names == ["s_secret_of_one", "s_secret_of_two", "s_secret_of_one"]


async def test_arguments_that_a_tool_wants_in_headers_are_sent_so(
    start_gateway: StartGateway, server: McpServer
) -> None:
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
    server.reply = having(tools=[{"name": "a", "inputSchema": schema}])
    caller = await start_gateway(
        servers={"s": {"url": server.url}}, virtual_servers={"all": {"include": ["s"], "tools": "search"}}
    )
    for region in ("north", "größe\r\nx: y"):
        await use(caller, "call_tool", name="s_a", arguments={"region": region})
    calls = [seen for seen in server.seen if seen.method == "tools/call"]
    assert [seen.header("mcp-name") for seen in calls] == ["a", "a"]
    assert calls[0].header("mcp-param-region") == "north"
    assert str(calls[1].header("mcp-param-region")).startswith("=?base64?")
    assert calls[1].header("x") is None
    assert [seen.method for seen in server.seen].count("tools/list") == 1


async def test_a_server_that_is_away_is_named_where_tools_are_found(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = having(tools=[ANIMAL])
    caller = await start_gateway(
        servers={"s": {"url": server.url}, "dead": {"url": "http://127.0.0.1:1/mcp"}},
        virtual_servers={"all": {"include": ["s", "dead"], "tools": "search"}},
    )
    told = (await use(caller, "find_tools", query="animal"))["result"]
    assert told["_meta"]["dev.ostiary/unavailable"][0]["server"] == "dead"
    assert len(told["structuredContent"]["tools"]) == 1


async def test_many_tools_are_searched_and_few_are_told(
    start_gateway: StartGateway, server: McpServer
) -> None:
    many = [{"name": f"tool{number}", "description": "x " * 50} for number in range(10_000)]

    async def lists(seen: Seen, _request: web.Request) -> web.StreamResponse:
        return result(seen, {"tools": [*many, ANIMAL]})

    server.reply = lists
    caller = await start_gateway(
        servers={"s": {"url": server.url}},
        virtual_servers={"all": {"include": ["s"], "tools": "search"}},
        limits={"list_items": 20_000},
    )
    async with asyncio.timeout(60):
        assert await found(caller, "animal") == ["s_getAnimal"]
        assert len(await found(caller, "tool5 x", limit=20)) == 20


def index(**descriptions: str) -> ToolIndex:
    return ToolIndex(
        {
            name: json.dumps({"name": name, "description": description}).encode()
            for name, description in descriptions.items()
        }
    )


def test_a_name_weighs_more_than_a_description() -> None:
    tools = index(other="rain " * 5, rain="nothing", third="no word")
    assert tools.find("rain", 5) == ["rain", "other"]


def test_words_of_a_schema_bomb_are_bounded() -> None:
    bomb = {"name": "a", "inputSchema": {"properties": {f"p{number}": {} for number in range(50_000)}}}
    odd = {"name": "b", "description": 7, "title": [], "inputSchema": "x", "annotations": 1}
    tools = ToolIndex({"a": json.dumps(bomb).encode(), "b": json.dumps(odd).encode()})
    assert (tools.find("p1", 5), tools.find("p49999", 5), tools.find("b", 5)) == (["a"], [], ["b"])
