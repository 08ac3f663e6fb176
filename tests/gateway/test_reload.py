"""New settings while callers call, and while they listen: nothing under way is cut off."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.conftest import result
from tests.gateway.sessions.conftest import RawClient
from tests.gateway.test_federation import answering, tools
from tests.gateway.test_listening import Telling, acknowledged, listening, notice, until
from tests.gateway.test_troubles import failing

from ostiary.gateway import gateway as gateway_module
from ostiary.gateway.catalog import change_feed
from ostiary.gateway.config import GatewaySettings, LimitSettings
from ostiary.gateway.live_settings import taken_over
from ostiary.gateway.plan import listener_limits
from ostiary.gateway.sessions import listening as legacy_listening
from ostiary.operator_error import OperatorError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web
    from tests.gateway.conftest import McpServer, Seen, StartGateway

    StartServer = Callable[[], Awaitable[McpServer]]

CALL = ("tools/call", {"name": "s_get"})
TOOLS_CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_feed, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(change_feed, "TOGETHER", 0.01)
    monkeypatch.setattr(legacy_listening, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(gateway_module, "RETIRED_LOOK_SECONDS", 0.01)


class Waiting:
    """A server that answers when it is let."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.ports: list[int] = []

    async def __call__(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self.ports.append(request.transport.get_extra_info("peername")[1])
        await self.go_on.wait()
        return result(seen, {"content": [], "from": "before"})


def said(name: str) -> Any:
    return answering({**tools("a"), "tools/call": {"content": [], "from": name}})


async def test_a_call_under_way_ends_where_it_began_and_the_next_one_goes_to_the_new_place(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    before, after = await start_server(), await start_server()
    before.reply = waiting = Waiting()
    after.reply = said("after")
    caller = await start_gateway(servers={"s": {"url": before.url}}, drain_timeout="10s")
    calling = asyncio.create_task(caller.ask(*CALL))
    await until(lambda: bool(waiting.ports))
    assert caller.reload(servers={"s": {"url": after.url}}) == []
    assert (await caller.ask(*CALL)).json()["result"]["from"] == "after"
    waiting.go_on.set()
    assert (await calling).json()["result"]["from"] == "before"
    assert caller.gateway is not None
    retiring = caller.gateway._retiring
    await until(lambda: not retiring)


async def test_a_call_that_does_not_end_at_a_server_that_is_gone_is_ended_in_time(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = waiting = Waiting()
    caller = await start_gateway(servers={"s": {"url": server.url}}, drain_timeout="50ms")
    calling = asyncio.create_task(caller.ask(*CALL))
    await until(lambda: bool(waiting.ports))
    caller.reload(servers={})
    assert (await calling).status_code == 502
    assert (await caller.ask(*CALL)).json()["error"]["code"] == -32602
    await server.left.wait()


async def test_a_server_of_which_nothing_changed_keeps_its_connections_health_and_lists(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    one, two = await start_server(), await start_server()
    one.reply = waiting = Waiting()
    waiting.go_on.set()
    caller = await start_gateway(servers={"s": {"url": one.url}})
    await caller.ask(*CALL)
    assert caller.gateway is not None
    assert caller.gateway.plan is not None
    before = caller.gateway.plan
    caller.reload(servers={"s": {"url": one.url, "prefix": "other_"}, "two": {"url": two.url}})
    after = caller.gateway.plan
    assert after.servers["s"] is before.servers["s"]
    assert (before.generation, after.generation) == (1, 2)
    answered = await caller.ask("tools/call", {"name": "other_get"})
    assert answered.json()["result"]["from"] == "before"
    assert len(set(waiting.ports)) == 1
    assert after.endpoints.routes["/servers/s/mcp"] is before.endpoints.routes["/servers/s/mcp"]


async def test_a_list_of_a_server_that_fails_is_shown_across_a_reload_and_never_as_another_servers(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    one, two = await start_server(), await start_server()
    one.reply = two.reply = said("s")
    caller = await start_gateway(servers={"s": {"url": one.url}})
    await caller.ask("tools/list")
    one.reply = two.reply = failing(500)
    caller.reload(servers={"s": {"url": one.url}}, list_timeout="2s")
    listed = (await caller.ask("tools/list")).json()["result"]
    assert [tool["name"] for tool in listed["tools"]] == ["s_a"]
    caller.reload(servers={"s": {"url": two.url}})
    assert (await caller.ask("tools/list")).json()["result"]["tools"] == []


async def test_who_listens_is_told_that_lists_are_others_and_hears_on(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    one, two = await start_server(), await start_server()
    first, second = Telling(tools("a")), Telling(tools("b"))
    one.reply, two.reply = first, second
    caller = await start_gateway(servers={"one": {"url": one.url}})
    async with listening(caller, "mine", toolsListChanged=True) as heard:
        assert await heard.next() == acknowledged("mine", toolsListChanged=True)
        await until(lambda: bool(first.streams))
        both = {"one": {"url": one.url}, "two": {"url": two.url}}
        for expected in (both, {"one": {"url": one.url, "prefix": "x_"}}, both):
            caller.reload(servers=expected)
            assert await heard.next() == notice("mine", "tools/list_changed")
        await until(lambda: bool(second.streams))
        await until(lambda: any(seen.method == "tools/list" for seen in two.seen))
        await asyncio.sleep(0.05)
        second.lists = tools("b", "more")
        await second.tell("tools/list_changed")
        assert await heard.next() == notice("mine", "tools/list_changed")
        assert len(first.streams) == 1
    await until(lambda: not first.streams and not second.streams)


async def test_who_listens_where_nothing_changed_is_told_nothing(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    one, two = await start_server(), await start_server()
    one.reply = telling = Telling(tools("a"))
    only_one: dict[str, Any] = {"virtual_servers": {"v": {"include": ["one"]}}}
    caller = await start_gateway(servers={"one": {"url": one.url}}, **only_one)
    assert caller.gateway is not None
    assert caller.gateway.plan is not None
    before = caller.gateway.plan.endpoints.routes
    async with listening(caller, "mine", resourceSubscriptions=["one+x:1"]) as heard:
        await heard.next()
        await until(lambda: bool(telling.streams))
        caller.reload(servers={"one": {"url": one.url}, "two": {"url": two.url}}, **only_one)
        await telling.tell("resources/updated", uri="x:1")
        assert await heard.next() == notice("mine", "resources/updated", uri="one+x:1")
    after = caller.gateway.plan.endpoints.routes
    assert after["/virtual/v/mcp"] is before["/virtual/v/mcp"]
    assert after["/mcp"] is not before["/mcp"]


async def test_who_listens_to_a_server_that_is_gone_is_told_that_there_is_no_more(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = telling = Telling(tools("a"))
    caller = await start_gateway(servers={"s": {"url": server.url}})
    path = f"{caller.origin}/servers/s"
    caller.origin, own = path, caller.origin
    async with listening(caller, "mine", toolsListChanged=True) as heard:
        await heard.next()
        await until(lambda: bool(telling.streams))
        caller.reload(servers={})
        ended = await heard.next()
        assert (ended["id"], ended["result"]["resultType"]) == ("mine", "complete")
    caller.origin = own


async def test_a_session_of_a_legacy_client_goes_on_and_its_stream_hears_of_the_change(
    start_gateway: StartGateway, start_server: StartServer
) -> None:
    one, two = await start_server(), await start_server()
    first, second = Telling(tools("a")), Telling(tools("b"))
    one.reply, two.reply = first, second
    caller = await start_gateway(servers={"one": {"url": one.url}})
    client = RawClient(caller)
    await client.initialize()
    async with client.listening() as events:
        await until(lambda: bool(first.streams))
        caller.reload(servers={"two": {"url": two.url}})
        told = [await events.next() for _ in range(3)]
        assert TOOLS_CHANGED in told
        listed = (await client.post("tools/list")).json()["result"]["tools"]
        assert [tool["name"] for tool in listed] == ["two_b"]


async def test_who_is_trusted_no_more_hears_no_more(start_gateway: StartGateway, server: McpServer) -> None:
    server.reply = telling = Telling(tools("a"))
    caller = await start_gateway(servers={"s": {"url": server.url}})
    client = RawClient(caller)
    await client.initialize()
    async with client.listening() as old, listening(caller, "mine", toolsListChanged=True) as new:
        await new.next()
        await until(lambda: bool(telling.streams))
        issuer = {"issuer": "https://auth.example.com", "audience": "https://mcp.example.com/mcp"}
        caller.reload(servers={"s": {"url": server.url}}, inbound=[issuer])
        assert await old.next() is None
        assert (await new.next())["result"]["resultType"] == "complete"
    assert (await caller.ask(*CALL)).status_code == 401
    assert (await client.post("tools/list")).status_code == 401


async def test_what_cannot_be_made_leaves_everything_as_it_was(
    start_gateway: StartGateway, server: McpServer, tmp_path: Path
) -> None:
    server.reply = said("before")
    caller = await start_gateway(servers={"s": {"url": server.url}})
    broken = {"url": "https://mcp.example.com/mcp", "ca_file": str(tmp_path / "none.pem")}
    with pytest.raises(OperatorError, match=r"none\.pem"):
        caller.reload(servers={"s": broken})
    assert (await caller.ask(*CALL)).json()["result"]["from"] == "before"
    assert caller.gateway is not None
    assert caller.gateway.plan is not None
    assert caller.gateway.plan.generation == 1


async def test_what_wants_a_restart_is_named_and_the_rest_is_taken(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = said("s")
    caller = await start_gateway(servers={})
    stay = caller.reload(
        listen="127.0.0.1:1", limits={"body_bytes": 10, "list_items": 5}, servers={"s": {"url": server.url}}
    )
    assert stay == ["gateway.listen", "gateway.limits.body_bytes"]
    assert (await caller.ask(*CALL)).json()["result"]["from"] == "s"
    assert caller.gateway is not None
    assert caller.gateway.settings.limits.list_items == 5


@pytest.mark.parametrize("name", sorted(LimitSettings.model_fields))
def test_a_limit_of_the_listener_is_named_when_it_changes(name: str) -> None:
    running = GatewaySettings.model_validate({"allow_unauthenticated": True})
    is_time = isinstance(getattr(running.limits, name), timedelta)
    changed = {name: timedelta(seconds=1) if is_time else 1}
    wanted = running.model_copy(update={"limits": running.limits.model_copy(update=changed)})
    taken, stay = taken_over(running, wanted)
    is_listeners = listener_limits(wanted) != listener_limits(running)
    assert listener_limits(taken) == listener_limits(running)
    assert not is_listeners or stay == [f"gateway.limits.{name}"]
    assert (taken.limits == running.limits) is bool(stay)
