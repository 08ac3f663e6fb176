"""A merged list comes in pages when it is long, and any replica can go on with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.conftest import error, result
from tests.gateway.test_federation import answering, listed, tools

from ostiary.mcp.cursors import Cursor

if TYPE_CHECKING:
    from aiohttp import web
    from tests.gateway.conftest import Caller, McpServer, Seen, StartGateway

StartServer = Callable[[], Awaitable["McpServer"]]
PUBLIC = {"ttlMs": 500, "cacheScope": "public"}


async def page(caller: Caller, cursor: str | None = None, method: str = "tools/list") -> dict[str, Any]:
    answered = await caller.ask(method, {} if cursor is None else {"cursor": cursor})
    assert answered.status_code == 200, answered.text
    value: dict[str, Any] = answered.json()["result"]
    return value


def names(merged: dict[str, Any]) -> list[str]:
    return [tool["name"] for tool in merged["tools"]]


async def all_pages(*replicas: Caller) -> list[list[str]]:
    """Each from the next replica."""
    pages, cursor, number = [], None, 0
    while True:
        one = await page(replicas[number % len(replicas)], cursor)
        pages.append(names(one))
        number += 1
        if "nextCursor" not in one:
            return pages
        cursor = one["nextCursor"]
        assert number < 20


async def three(start_server: StartServer) -> dict[str, McpServer]:
    servers = {name: await start_server() for name in ("a", "b", "c")}
    servers["a"].reply = answering(tools("1", "2", "3", **PUBLIC))
    servers["b"].reply = answering(tools("1", **PUBLIC))
    servers["c"].reply = answering(tools("1", "2", **PUBLIC))
    return servers


@pytest.mark.parametrize(
    ("size", "pages"),
    [
        (1, [["a_1"], ["a_2"], ["a_3"], ["b_1"], ["c_1"], ["c_2"]]),
        (2, [["a_1", "a_2"], ["a_3", "b_1"], ["c_1", "c_2"]]),
        (3, [["a_1", "a_2", "a_3"], ["b_1", "c_1", "c_2"]]),
        (4, [["a_1", "a_2", "a_3", "b_1"], ["c_1", "c_2"]]),
        (6, [["a_1", "a_2", "a_3", "b_1", "c_1", "c_2"]]),
    ],
)
async def test_all_pages_together_are_the_list_whichever_replicas_answer(
    start_gateway: StartGateway, start_server: StartServer, size: int, pages: list[list[str]]
) -> None:
    servers = {name: {"url": server.url} for name, server in (await three(start_server)).items()}
    replicas = [await start_gateway(servers=servers, limits={"list_page_items": size}) for _ in range(2)]
    assert await all_pages(*replicas) == pages


async def test_a_page_asks_no_server_that_comes_before_it(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    servers = await three(start_server)
    caller = await start_gateway(
        servers={name: {"url": server.url} for name, server in servers.items()}, limits={"list_page_items": 3}
    )
    first = await page(caller)
    await page(caller, first["nextCursor"])
    assert [len(server.seen) for server in servers.values()] == [1, 2, 2]


async def test_a_list_of_several_pages_is_for_its_caller_alone(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    servers = {name: {"url": server.url} for name, server in (await three(start_server)).items()}
    caller = await start_gateway(servers=servers, limits={"list_page_items": 4})
    first = await page(caller)
    second = await page(caller, first["nextCursor"])
    assert [(one["ttlMs"], one["cacheScope"]) for one in (first, second)] == [(500, "private")] * 2
    whole = await listed(await start_gateway(servers=servers))
    assert (whole["ttlMs"], whole["cacheScope"], "nextCursor" in whole) == (500, "public", False)


async def test_a_list_that_changes_between_two_pages_gives_nothing_twice(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = answering(tools("b", "d", "f", "h"))
    caller = await start_gateway(servers={"s": {"url": server.url}}, limits={"list_page_items": 2})
    first = await page(caller)
    server.reply = answering(tools("a", "b", "c", "d", "e", "f", "h"))
    assert names(await page(caller, first["nextCursor"])) == ["s_e", "s_f"]
    server.reply = answering(tools("b", "f", "h"))
    assert names(await page(caller, first["nextCursor"])) == ["s_h"], "where the last one stood"
    server.reply = answering(tools())
    assert names(await page(caller, first["nextCursor"])) == []


async def test_what_is_missing_or_hidden_is_told_on_the_page_it_would_be_on(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    servers = await three(start_server)

    async def fails(seen: Seen, _request: web.Request) -> web.StreamResponse:
        return error(seen, -32603, "broken")

    servers["a"].reply = answering(tools("1", "1", "2", "3"))
    servers["b"].reply = fails
    caller = await start_gateway(
        servers={name: {"url": server.url} for name, server in servers.items()}, limits={"list_page_items": 2}
    )
    first = await page(caller)
    second = await page(caller, first["nextCursor"])
    assert (names(first), names(second)) == (["a_1", "a_2"], ["a_3", "c_1"])
    assert [one["_meta"].get("dev.ostiary/hidden") for one in (first, second)] == [
        [{"server": "a", "name": "1"}],
        None,
    ]
    assert "dev.ostiary/unavailable" in second["_meta"]


@pytest.mark.parametrize(
    ("cursor", "message"),
    [
        ("2", "this cursor is none of ours: begin again without one"),
        ("x" * 100_000, "this cursor is none of ours: begin again without one"),
        (
            Cursor("prompts/list", "s", 1, "x").written(),
            "this cursor is of prompts/list, and not of tools/list",
        ),
        (
            Cursor("tools/list", "gone", 1, "x").written(),
            "this cursor is of server gone, which is not here: begin again",
        ),
        (7, "params.cursor must be a string"),
    ],
)
async def test_a_cursor_that_leads_nowhere_is_refused(caller: Caller, cursor: Any, message: str) -> None:
    answered = await caller.ask("tools/list", {"cursor": cursor})
    assert (answered.status_code, answered.json()["error"]) == (400, {"code": -32602, "message": message})


async def test_the_longest_list_of_a_server_comes_whole(
    start_gateway: StartGateway, server: McpServer
) -> None:
    async def many(seen: Seen, _request: web.Request) -> web.StreamResponse:
        return result(seen, {"tools": [{"name": f"t{number}"} for number in range(10_000)]})

    server.reply = many
    caller = await start_gateway(servers={"s": {"url": server.url}}, limits={"list_items": 10_000})
    pages = await all_pages(caller)
    assert [len(one) for one in pages] == [1000] * 10
    assert [name for one in pages for name in one] == [f"s_t{number}" for number in range(10_000)]
