"""Long lists and large results: paid for by who asked for them, within a budget, and by nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from aiohttp import web
from tests.gateway.conftest import Caller, error, result

from ostiary import inline_coroutines
from ostiary.gateway.upstreams.held_lists import HeldLists
from ostiary.gateway.upstreams.large_answers import OneAtATime
from ostiary.inline_coroutines import as_future
from ostiary.mcp.links import MOST_LINKS
from ostiary.mcp.merging import ListBudget

if TYPE_CHECKING:
    from tests.gateway.conftest import McpServer, Reply, Seen, StartGateway

StartServer = Callable[[], Awaitable["McpServer"]]
LARGE = 600_000


def listing(tools: list[dict[str, Any]], pages: int = 1) -> Reply:
    """The same tools on each page, under other names."""

    async def reply(seen: Seen, _request: web.Request) -> web.StreamResponse:
        number = int(seen.body["params"].get("cursor", "0"))
        page: dict[str, Any] = {"tools": [{**tool, "name": f"{tool['name']}{number}"} for tool in tools]}
        return result(seen, page if number + 1 == pages else page | {"nextCursor": str(number + 1)})

    return reply


async def listed(caller: Caller, method: str = "tools/list") -> dict[str, Any]:
    answered = await caller.ask(method)
    assert answered.status_code == 200, answered.text
    value: dict[str, Any] = answered.json()["result"]
    return value


def missing(merged: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["server"], one["step"]) for one in merged["_meta"].get("dev.ostiary/unavailable", [])]


@pytest.fixture
async def beside(start_gateway: StartGateway, start_server: StartServer, server: McpServer) -> Caller:
    """In front of `server`, called bad, and a good one with one tool."""
    good = await start_server()
    good.reply = listing([{"name": "a"}])
    return await start_gateway(
        servers={"bad": {"url": server.url}, "good": {"url": good.url}},
        limits={"list_bytes": 100_000, "list_items": 50, "merged_list_bytes": 150_000},
    )


@pytest.mark.parametrize(
    ("tools", "pages", "asked"),
    [
        ([{"name": "t", "description": "x" * 200_000}], 1, 1),
        ([{"name": "t", "description": "x" * 30_000}], 99, 4),
        ([{"name": "t"}] * 51, 1, 1),
        ([{"name": f"t{number}_"} for number in range(20)], 99, 3),
    ],
    ids=["a long page", "long pages", "many items", "many items on pages"],
)
async def test_a_list_over_its_budget_is_cut_off_and_takes_no_others_away(
    beside: Caller, server: McpServer, tools: list[dict[str, Any]], pages: int, asked: int
) -> None:
    server.reply = listing(tools, pages)
    merged = await listed(beside)
    assert merged["tools"] == [{"name": "good_a0"}]
    assert (missing(merged), len(server.seen)) == ([("bad", "size")], asked)
    server.reply = listing([{"name": "a"}])
    assert len((await listed(beside))["tools"]) == 2


async def test_a_list_of_many_members_is_refused_before_they_are_read(
    start_gateway: StartGateway, server: McpServer
) -> None:
    async def many(seen: Seen, _request: web.Request) -> web.StreamResponse:
        text = '{"jsonrpc":"2.0","id":%s,"result":{"tools":[%s{"name":"a"}]}}'
        return web.Response(text=text % (seen.body["id"], "1," * 900_000), content_type="application/json")

    server.reply = many
    merged = await listed(await start_gateway(servers={"bad": {"url": server.url}}))
    assert (merged["tools"], missing(merged)) == ([], [("bad", "answer")])


async def test_a_streamed_list_has_the_same_budget(beside: Caller, server: McpServer) -> None:
    async def streamed(seen: Seen, _request: web.Request) -> web.StreamResponse:
        whole = result(seen, {"tools": [{"name": "a", "description": "x" * 200_000}]}).text
        return web.Response(text=f"data: {whole}\n\n", content_type="text/event-stream")

    server.reply = streamed
    merged = await listed(beside)
    assert (merged["tools"], missing(merged)) == ([{"name": "good_a0"}], [("bad", "size")])


async def test_all_servers_lists_together_have_a_budget(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    servers = {name: await start_server() for name in ("a", "b", "c")}
    for name, server in servers.items():
        server.reply = listing([{"name": "t", "description": "x" * (900 if name == "c" else 60_000)}])
    caller = await start_gateway(
        servers={name: {"url": server.url} for name, server in servers.items()},
        limits={"merged_list_bytes": 100_000},
    )
    merged = await listed(caller)
    assert [tool["name"] for tool in merged["tools"]] == ["a_t0", "c_t0"]
    assert missing(merged) == [("b", "size")]


async def test_instructions_have_a_budget(beside: Caller, server: McpServer) -> None:
    async def talks(seen: Seen, _request: web.Request) -> web.StreamResponse:
        return result(seen, {"capabilities": {"tools": {}}, "instructions": "\n" * 300_000})

    server.reply = talks
    found = await listed(beside, "server/discover")
    assert (missing(found)[0], "instructions" in found) == (("bad", "size"), False)


async def test_a_list_whose_pages_come_one_by_one_is_given_up_within_the_timeout(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    good, slow = await start_server(), await start_server()
    good.reply = listing([{"name": "a"}])

    async def pages(seen: Seen, _request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        return result(seen, {"tools": [], "nextCursor": str(len(slow.seen))})

    slow.reply = pages
    caller = await start_gateway(
        servers={"slow": {"url": slow.url, "timeout": "500ms"}, "good": {"url": good.url}}
    )
    merged = await listed(caller)
    assert (merged["tools"], missing(merged)) == ([{"name": "good_a0"}], [("slow", "timeout")])
    assert len(slow.seen) <= 3


LINK = {"type": "resource_link", "uri": "a:1"}


def answering_raw(raw_result: str) -> Reply:
    async def reply(seen: Seen, _request: web.Request) -> web.StreamResponse:
        text = f'{{"jsonrpc":"2.0","id":{seen.body["id"]},"result":{raw_result}}}'
        return web.Response(text=text, content_type="application/json")

    return reply


async def test_links_of_a_large_result_are_renamed(caller: Caller, server: McpServer) -> None:
    text = {"type": "text", "text": 'say "hi" \\ é {[' * 50_000}
    server.reply = answering_raw(json.dumps({"content": [LINK, text, LINK], "structuredContent": LINK}))
    answered = await caller.ask("tools/call", {"name": "s_get"})
    here = LINK | {"uri": "s+a:1"}
    assert answered.json()["result"] == {"content": [here, text, here], "structuredContent": LINK}


async def test_links_of_a_large_streamed_result_are_renamed(caller: Caller, server: McpServer) -> None:
    content = [LINK, {"type": "text", "text": "x" * LARGE}]

    async def streamed(seen: Seen, _request: web.Request) -> web.StreamResponse:
        whole = result(seen, {"content": content}).text
        return web.Response(text=f"data: {whole}\n\n", content_type="text/event-stream")

    server.reply = streamed
    answered = await caller.ask("tools/call", {"name": "s_get"})
    data = answered.text.partition("data: ")[2]
    assert json.loads(data)["result"]["content"] == [LINK | {"uri": "s+a:1"}, content[1]]


@pytest.mark.parametrize("door", ["/mcp", "/servers/s/mcp"])
async def test_a_large_result_is_checked_at_each_door(caller: Caller, server: McpServer, door: str) -> None:
    server.reply = answering_raw('{},"id":2,"x":["%s"]' % ("x" * LARGE))
    answered = await caller.ask("tools/call", {"name": "s_get"}, path=door)
    assert (answered.status_code, answered.json()["error"]["code"]) == (502, -32012)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"uri":"a:1"},' * (MOST_LINKS + 1), f"it has more than {MOST_LINKS} links to resources"),
        ('{"uri":"a:1"},' + "[]," * 500_000, "links are looked for in no more than 500000 parts of a result"),
    ],
)
async def test_a_result_made_of_links_or_brackets_is_refused(
    caller: Caller, server: McpServer, content: str, problem: str
) -> None:
    server.reply = answering_raw(f'{{"content":[{content}1]}}')
    answered = await caller.ask("tools/call", {"name": "s_get"})
    assert answered.json()["error"] == {"code": -32012, "message": f"server s: {problem}"}


async def test_while_a_large_result_is_translated_others_are_answered(
    start_gateway: StartGateway, start_server: StartServer, server: McpServer
) -> None:
    good = await start_server()
    server.reply = answering_raw('{"content":[{"uri":"a:1"},%s1]}' % ("[]," * 200_000))
    caller = await start_gateway(servers={"bad": {"url": server.url}, "good": {"url": good.url}})
    large = asyncio.create_task(caller.ask("tools/call", {"name": "bad_x"}))
    answered = 0
    while not large.done():
        assert (await caller.ask("tools/call", {"name": "good_x"})).status_code == 200
        answered += 1
    assert (large.result().status_code, answered > 5) == (200, True)


async def test_many_large_answers_at_once_wait_for_room(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = answering_raw(json.dumps({"content": [LINK], "x": "x" * LARGE}))
    caller = await start_gateway(servers={"s": {"url": server.url}}, limits={"held_answer_bytes": LARGE})
    answers = await asyncio.gather(*[caller.ask("tools/call", {"name": "s_x"}) for _ in range(16)])
    assert {answer.status_code for answer in answers} == {200}


async def test_who_leaves_while_they_wait_for_room_takes_none(
    start_gateway: StartGateway, server: McpServer
) -> None:
    begun = asyncio.Semaphore(0)

    async def unfinished(seen: Seen, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "application/json", "content-length": "900000"})
        await answer.prepare(request)
        await answer.write(b"x" * 500_000)
        begun.release()
        await asyncio.get_running_loop().create_future()
        return answer

    server.reply = unfinished
    caller = await start_gateway(servers={"s": {"url": server.url}}, limits={"held_answer_bytes": LARGE})
    leaving = [asyncio.create_task(caller.ask("tools/call", {"name": "s_x"})) for _ in range(8)]
    for _ in range(2):
        await begun.acquire()
    for task in leaving:
        task.cancel()
    await asyncio.gather(*leaving, return_exceptions=True)
    server.reply = answering_raw(json.dumps({"x": "x" * LARGE}))
    assert (await caller.ask("tools/call", {"name": "s_x"})).status_code == 200


async def test_an_event_that_has_gone_on_takes_no_room_from_others(
    start_gateway: StartGateway, server: McpServer
) -> None:
    """However slowly its caller takes it, and however long the stream is silent then."""

    async def long_and_silent(seen: Seen, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b'data: {"jsonrpc":"2.0","method":"x","params":{"x":"%s"}}\n\n' % (b"x" * LARGE))
        await asyncio.get_running_loop().create_future()
        return answer

    server.reply = long_and_silent
    caller = await start_gateway(servers={"s": {"url": server.url}}, limits={"held_answer_bytes": LARGE})
    async with caller.streaming("tools/call", {"name": "s_x"}) as streamed:
        size, chunks = 0, streamed.aiter_bytes()
        while size <= LARGE:
            size += len(await anext(chunks))
        server.reply = answering_raw(json.dumps({"x": "x" * LARGE}))
        async with asyncio.timeout(20):
            assert (await caller.ask("tools/call", {"name": "s_x"})).status_code == 200


async def test_one_caller_s_lists_that_wait_for_a_slow_server_hide_nothing_from_others(
    start_gateway: StartGateway, start_server: StartServer, server: McpServer
) -> None:
    slow, go_on = await start_server(), asyncio.Event()
    server.reply = listing([{"name": "a", "description": "x" * 90_000}])

    async def slowly(seen: Seen, _request: web.Request) -> web.StreamResponse:
        await go_on.wait()
        return result(seen, {"tools": [{"name": "b"}]})

    slow.reply = slowly
    greedy = await start_gateway(
        servers={"long": {"url": server.url}, "slow": {"url": slow.url}}, limits={"list_bytes": 100_000}
    )
    from_elsewhere = httpx2.AsyncHTTPTransport(local_address="127.0.0.2")
    async with httpx2.AsyncClient(transport=from_elsewhere) as http:
        flood = [asyncio.create_task(listed(greedy)) for _ in range(25)]
        async with asyncio.timeout(20):
            while len(server.seen) < 25:  # noqa: ASYNC110 - the server sets no event
                await asyncio.sleep(0.01)
        other = asyncio.create_task(listed(Caller(http, greedy.origin)))
        async with asyncio.timeout(20):
            while len(slow.seen) < 26:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        go_on.set()
        assert missing(await other) == []
        assert any(missing(merged) == [("long", "size")] for merged in await asyncio.gather(*flood))


async def test_whoever_leaves_while_lists_come_leaves_nothing_of_them_behind() -> None:
    """What comes in the very turn in which they leave was held for them for ever."""
    lists, come = HeldLists("s", ListBudget()), inline_coroutines.InlineFuture[None]()

    async def whole_list(held: ExitStack) -> None:
        await come
        lists.hold(1000, "a caller", held)

    with ExitStack() as held:
        listing = as_future(whole_list(held))
        listing.cancel()
    come.set(None)
    await asyncio.sleep(0)
    assert lists._held == 0


async def test_an_error_is_no_result_however_long_it_is(caller: Caller, server: McpServer) -> None:
    async def failing(seen: Seen, _request: web.Request) -> web.StreamResponse:
        return error(seen, -32000, '"uri" ' * 100_000)

    server.reply = failing
    answered = await caller.ask("tools/call", {"name": "s_get"})
    assert answered.json()["error"] == {"code": -32000, "message": '"uri" ' * 100_000}


async def test_one_at_a_time_in_the_order_in_which_they_came() -> None:
    turns, done = OneAtATime(), []

    async def take(number: int) -> None:
        async with turns:
            done.append(number)

    takers = [as_future(take(number)) for number in range(6)]
    takers[0].cancel()  # who is in
    takers[2].cancel()  # who waits
    await asyncio.sleep(0)
    takers[3].cancel()
    await asyncio.gather(takers[1], takers[4], takers[5])
    await as_future(take(7))
    assert done == [1, 4, 5, 7]
