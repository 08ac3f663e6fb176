"""A server that fails, hangs or is slow takes no list away, and keeps nobody waiting for the others'."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.gateway.conftest import Clock, result
from tests.gateway.test_federation import answering, listed, tools

from ostiary.gateway.catalog.last_answers import MOST_SLOW, AnswerKey, LastAnswers, SlowServers

if TYPE_CHECKING:
    from tests.gateway.conftest import McpServer, Reply, Seen, StartGateway

StartServer = Callable[[], Awaitable["McpServer"]]


def hanging(until: asyncio.Event, results: dict[str, Any]) -> Reply:
    """A server that answers nothing until then."""

    async def reply(seen: Seen, request: web.Request) -> web.StreamResponse:
        await until.wait()
        return await answering(results)(seen, request)

    return reply


def missing(merged: dict[str, Any]) -> list[tuple[str, str, bool]]:
    away = merged["_meta"].get("dev.ostiary/unavailable", [])
    return [(one["server"], one["step"], one.get("stale", False)) for one in away]


def names(merged: dict[str, Any]) -> list[str]:
    return [tool["name"] for tool in merged["tools"]]


@pytest.mark.parametrize(
    ("failing", "step"),
    [
        (web.Response(status=500), "answer"),
        (web.Response(status=401), "credential"),
        (web.Response(text="<html>", content_type="text/html"), "answer"),
    ],
)
async def test_a_server_that_fails_keeps_its_last_list_for_a_grace_time_and_is_named(
    start_gateway: StartGateway, start_server: StartServer, failing: web.Response, step: str
) -> None:
    clock = Clock()
    good, bad = await start_server(), await start_server()
    good.reply, bad.reply = answering(tools("a", ttlMs=500)), answering(tools("b", ttlMs=500))
    caller = await start_gateway(clock, servers={"bad": {"url": bad.url}, "good": {"url": good.url}})
    assert (await listed(caller))["ttlMs"] == 500

    async def fails(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=failing.status, text=failing.text, content_type=failing.content_type)

    bad.reply = fails
    merged = await listed(caller)
    assert (names(merged), missing(merged)) == (["bad_b", "good_a"], [("bad", step, True)])
    assert (merged["ttlMs"], merged["cacheScope"]) == (0, "private")
    clock.ahead = 299
    assert missing(await listed(caller)) == [("bad", step, True)]
    clock.ahead = 301
    merged = await listed(caller)
    assert (names(merged), missing(merged)) == (["good_a"], [("bad", step, False)])
    bad.reply = answering(tools("c"))
    assert names(await listed(caller)) == ["bad_c", "good_a"]


async def test_a_hanging_server_is_waited_for_once_and_then_keeps_nobody(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    """That the list comes at all while the server hangs is the proof: it never answers."""
    good, bad = await start_server(), await start_server()
    awake = asyncio.Event()
    good.reply, bad.reply = answering(tools("a")), hanging(awake, tools("b"))
    servers = {"bad": {"url": bad.url, "timeout": "60s"}, "good": {"url": good.url}}
    caller = await start_gateway(servers=servers, list_timeout="100ms")
    async with asyncio.timeout(30):
        for _ in range(5):
            merged = await listed(caller)
            assert (names(merged), missing(merged)) == (["good_a"], [("bad", "timeout", False)])
    assert len(bad.seen) == 1, "it is asked behind, once"
    awake.set()
    async with asyncio.timeout(10):
        while names(await listed(caller)) != ["bad_b", "good_a"]:
            pass
    assert missing(await listed(caller)) == []


async def test_a_server_that_begins_to_hang_is_answered_for_by_its_last_list(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    good, bad = await start_server(), await start_server()
    awake = asyncio.Event()
    good.reply, bad.reply = answering(tools("a")), answering(tools("b"))
    servers = {"bad": {"url": bad.url, "timeout": "60s"}, "good": {"url": good.url}}
    caller = await start_gateway(servers=servers, list_timeout="60s")
    assert names(await listed(caller)) == ["bad_b", "good_a"]
    bad.reply = hanging(awake, tools("c"))
    async with asyncio.timeout(30):
        for _ in range(3):
            merged = await listed(caller)
            assert (names(merged), missing(merged)) == (["bad_b", "good_a"], [("bad", "timeout", True)])
        awake.set()
        while missing(await listed(caller)):
            pass
    assert names(await listed(caller)) == ["bad_c", "good_a"]


async def test_discovery_waits_for_no_hanging_server_either(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    good, bad = await start_server(), await start_server()
    good.reply = answering({"server/discover": {"capabilities": {"tools": {}}}})
    bad.reply = answering({"server/discover": {"capabilities": {"prompts": {}}}})
    servers = {"bad": {"url": bad.url, "timeout": "60s"}, "good": {"url": good.url}}
    caller = await start_gateway(servers=servers, list_timeout="60s")
    await listed(caller, "server/discover")
    bad.reply = hanging(asyncio.Event(), {})
    async with asyncio.timeout(30):
        found = await listed(caller, "server/discover")
    assert (found["capabilities"], missing(found)) == (
        {"prompts": {}, "tools": {}},
        [("bad", "timeout", True)],
    )


async def test_what_one_caller_makes_a_server_do_changes_nothing_for_others(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    """Their own header makes the server hang for them, and fail; the last list is another's then, too."""
    good, odd = await start_server(), await start_server()
    good.reply = answering(tools("a"))

    async def by_tenant(seen: Seen, request: web.Request) -> web.StreamResponse:
        tenant = seen.header("x-tenant")
        if tenant == "hangs":
            await asyncio.Event().wait()
        if tenant == "fails":
            return web.Response(status=500)
        return await answering(tools(f"of_{tenant}"))(seen, request)

    odd.reply = by_tenant
    servers = {
        "odd": {"url": odd.url, "timeout": "60s", "forward_headers": ["x-tenant"]},
        "good": {"url": good.url},
    }
    caller = await start_gateway(servers=servers, list_timeout="100ms")

    async def of(tenant: str) -> dict[str, Any]:
        answered = await caller.ask("tools/list", headers=[("x-tenant", tenant)])
        value: dict[str, Any] = answered.json()["result"]
        return value

    assert names(await of("one")) == ["odd_of_one", "good_a"]
    assert names(await of("two")) == ["odd_of_two", "good_a"]
    for tenant, step in (("fails", "answer"), ("hangs", "timeout")):
        merged = await of(tenant)
        assert (names(merged), missing(merged)) == (["good_a"], [("odd", step, False)])
    assert missing(await of("two")) in ([], [("odd", "timeout", True)])
    assert "odd_of_two" in names(await of("two"))


async def test_a_list_that_is_nonsense_replaces_no_good_one(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = answering(tools("a"))
    caller = await start_gateway(servers={"s": {"url": server.url}})
    await listed(caller)
    server.reply = answering({"tools/list": {"tools": [{"name": "b"}, {"name": 7}]}})
    for _ in range(2):
        merged = await listed(caller)
        assert (names(merged), missing(merged)) == (["s_a"], [("s", "answer", True)])


async def test_without_grace_a_server_that_fails_is_left_out(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = answering(tools("a"))
    caller = await start_gateway(servers={"s": {"url": server.url}}, list_grace="0s")
    await listed(caller)
    server.reply = answering({"tools/list": []})
    assert names(await listed(caller)) == []


async def test_a_list_that_was_left_behind_holds_nothing_once_it_ended(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    good, bad = await start_server(), await start_server()
    good.reply = answering(tools("a"))

    async def first_page(seen: Seen, _request: web.Request) -> web.StreamResponse:
        if "cursor" in seen.body["params"]:
            await asyncio.Event().wait()
        return result(seen, {"tools": [{"name": "b", "description": "x" * 500}], "nextCursor": "2"})

    bad.reply = first_page
    caller = await start_gateway(
        servers={"bad": {"url": bad.url, "timeout": "300ms"}, "good": {"url": good.url}},
        list_timeout="50ms",
        limits={"list_bytes": 1000},
    )
    for _ in range(6):  # four lists of its longest kind are held for one caller
        assert missing(await listed(caller)) == [("bad", "timeout", False)]
        await asyncio.sleep(0.3)
    bad.reply = answering(tools("b"))
    async with asyncio.timeout(10):
        while names(await listed(caller)) != ["bad_b", "good_a"]:
            pass


def key(server: str, whose: str | None = None) -> AnswerKey:
    return AnswerKey(server, whose, "tools/list")


def test_what_is_kept_is_bounded_and_nobody_takes_it_from_others() -> None:
    last = LastAnswers(kept_for=60, most_bytes=800, clock=lambda: 0.0)
    last.keep(key("s"), "everybody's", 100)
    last.keep(key("s", "quiet"), "theirs", 50)
    for number in range(100):
        last.keep(key(f"s{number}", "greedy"), number, 30)
    assert [last.find(key(f"s{number}", "greedy")) for number in (96, 97, 98, 99)] == [None, 97, 98, 99]
    assert (last.find(key("s")), last.find(key("s", "quiet"))) == ("everybody's", "theirs")
    last.keep(key("big", "quiet"), "too much", 101)
    assert last.find(key("big", "quiet")) is None
    for number in range(20):
        last.keep(key("s", f"another {number}"), number, 100)
    assert sum(last.find(key("s", f"another {number}")) is not None for number in range(20)) == 8


def test_slow_servers_are_remembered_of_so_many_callers_alone() -> None:
    slow = SlowServers()
    for number in range(MOST_SLOW + 5):
        slow.add("s", number)
    assert [("s", 4) in slow, ("s", 5) in slow] == [False, True]
    slow.discard("s", 5)
    assert ("s", 5) not in slow
