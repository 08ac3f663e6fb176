"""Names that some clients would not take are written in a short form, and found again by it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from tests.gateway.conftest import result
from tests.gateway.test_federation import answering, listed

from ostiary.mcp.names import is_short_form

if TYPE_CHECKING:
    from aiohttp import web
    from tests.gateway.conftest import McpServer, Reply, Seen, StartGateway

StartServer = Callable[[], Awaitable["McpServer"]]
LONG = "get_the_weather_of_every_town_in_every_country_of_the_whole_world"


def with_names(*names: str) -> Reply:
    lists = answering(
        {
            "tools/list": {"tools": [{"name": name, "title": name} for name in names]},
            "prompts/list": {"prompts": [{"name": name} for name in names]},
        }
    )

    async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
        if seen.method.endswith("/list"):
            return await lists(seen, request)
        return result(seen, {"called": seen.body["params"]["name"]})

    return reply


@pytest.mark.parametrize(("method", "kind"), [("tools/call", "tools"), ("prompts/get", "prompts")])
@pytest.mark.parametrize("own", [LONG, "größe", "with space", "名前", LONG * 50, "a_x234567abcd"])
async def test_a_name_is_short_and_reaches_what_it_stands_for_at_any_replica(
    start_gateway: StartGateway, server: McpServer, method: str, kind: str, own: str
) -> None:
    server.reply = with_names("plain", own)
    caller, other_replica = [await start_gateway(servers={"zoo": {"url": server.url}}) for _ in range(2)]
    plain, short = [one["name"] for one in (await listed(caller, f"{kind}/list"))[kind]]
    assert plain == "zoo_plain"
    assert re.fullmatch(r"zoo_[A-Za-z0-9_.-]{1,60}", short)
    for replica in (caller, other_replica):
        before = len(server.seen)
        called = await replica.ask(method, {"name": short})
        assert called.json()["result"] == {"called": own}
        assert (await replica.ask(method, {"name": short})).json()["result"] == {"called": own}
        asked = [seen.method for seen in server.seen[before:]]
        assert asked == ([] if replica is caller else [f"{kind}/list"]) + [method] * 2
    if len(own) < 100 and not is_short_form(own):
        assert (await caller.ask(method, {"name": f"zoo_{own}"})).json()["result"] == {"called": own}


async def test_a_short_form_that_stands_for_nothing_is_unknown(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = with_names("plain")
    caller = await start_gateway(servers={"zoo": {"url": server.url}})
    answered = await caller.ask("tools/call", {"name": "zoo_a_x234567abcd"})
    assert answered.json()["error"] == {
        "code": -32602,
        "message": "there is no 'zoo_a_x234567abcd' here: ask for the list of tools",
    }


async def test_a_server_takes_no_long_names_place_by_listing_its_short_form(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = with_names(LONG)
    caller = await start_gateway(servers={"zoo": {"url": server.url}})
    [tool] = (await listed(caller))["tools"]
    short = tool["name"].removeprefix("zoo_")
    server.reply = with_names(short, LONG, LONG + "s")
    names = [tool["name"] for tool in (await listed(caller))["tools"]]
    assert len(set(names)) == 3
    assert names[1] == tool["name"]
    called = [(await caller.ask("tools/call", {"name": name})).json()["result"] for name in names]
    assert called == [{"called": short}, {"called": LONG}, {"called": LONG + "s"}]
