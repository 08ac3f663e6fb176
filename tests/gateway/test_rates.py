"""How often callers may ask: by whom, which client, at which server, for which tool; lists included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.conftest import Clock
from tests.gateway.sessions.conftest import RawClient
from tests.gateway.test_federation import answering, tools

from ostiary.gateway.call import Call
from ostiary.gateway.catalog.routes import Federation
from ostiary.gateway.errors import TooOften
from ostiary.gateway.rate_limits import RateLimits
from ostiary.gateway.rate_settings import RateSettings
from ostiary.gateway.upstreams.server import Server
from ostiary.identity.principal import Principal
from ostiary.inline_coroutines import InlineFuture
from ostiary.mcp.messages import Message
from ostiary.rates import Buckets, read_rate
from ostiary.secrets import Secret
from ostiary.transport.inline_http import Answer, Request

if TYPE_CHECKING:
    import httpx2
    from tests.gateway.conftest import Caller, McpServer, StartGateway

CALL = ("tools/call", {"name": "s_get"})
OTHER = ("tools/call", {"name": "s_other"})
GOOD = answering({**tools("get"), "tools/call": {"content": []}})


def refusal(answered: httpx2.Response) -> dict[str, Any]:
    assert answered.status_code == 429
    problem: dict[str, Any] = answered.json()["error"]
    assert problem["code"] == -32019
    assert answered.headers["retry-after"] == str(problem["data"]["retryAfter"])
    return problem


async def statuses(caller: Caller, *asked: tuple[Any, ...]) -> list[int]:
    return [(await caller.ask(*one)).status_code for one in asked]


async def test_who_asks_more_often_is_told_by_which_setting_and_when_to_come(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply, clock = GOOD, Clock()
    caller = await start_gateway(clock, servers={"s": {"url": server.url}}, rates={"principal": "2/m"})
    assert await statuses(caller, CALL, ("tools/list",)) == [200, 200]
    refused = refusal(await caller.ask(*CALL))
    seconds = refused["data"].pop("retryAfter")
    assert 29 <= seconds <= 31
    setting = "gateway.rates.principal"
    assert refused["data"] == {"limit": setting, "rate": "2/m"}
    assert refused["message"] == f"you ask more often than {setting} allows (2/m): come again in {seconds} s"
    assert len([seen for seen in server.seen if seen.method == "tools/call"]) == 1
    clock.ahead = 31
    assert await statuses(caller, CALL) == [200]


def call_of(subject: str | None, client: str = "app", peer: str = "203.0.113.1") -> Call:
    principal = None
    if subject is not None:
        principal = Principal("https://auth", subject, client, frozenset(), {}, float("inf"), Secret(""))

    async def door(_: Request) -> Answer:
        raise AssertionError

    request = Request(door, {}, frozenset(), keep_alive=True, arriving=InlineFuture)
    request.peer = peer
    return Call(Message(b"tools/list", b"1", b"{}"), principal, request)


def is_let_in(limits: RateLimits, call: Call) -> bool:
    try:
        limits.take(call)
    except TooOften:
        return False
    return True


@pytest.mark.parametrize(
    ("setting", "same", "another"),
    [
        ("principal", call_of("alice", "other-app"), call_of("bob")),
        ("client", call_of("bob"), call_of("alice", "other-app")),
        ("everybody", call_of("bob", "other-app"), None),
    ],
)
def test_who_is_counted_as_one(setting: str, same: Call, another: Call | None) -> None:
    settings = RateSettings.model_validate({setting: "1/h"})
    limits = RateLimits.of(settings, "gateway.rates", lambda: 0.0)
    assert is_let_in(limits, call_of("alice"))
    assert not is_let_in(limits, same)
    assert another is None or is_let_in(limits, another)


@pytest.mark.parametrize("setting", ["principal", "client"])
def test_without_tokens_a_network_is_counted_as_one_however_many_addresses_it_has(setting: str) -> None:
    settings = RateSettings.model_validate({setting: "1/h"})
    limits = RateLimits.of(settings, "gateway.rates", lambda: 0.0)
    assert is_let_in(limits, call_of(None, peer="2001:db8::1"))
    assert not is_let_in(limits, call_of(None, peer="2001:db8::ffff:2"))
    assert is_let_in(limits, call_of(None, peer="203.0.113.1"))


async def test_one_server_and_one_tool_have_rates_of_their_own_and_lists_count_there(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = GOOD
    rates = {"everybody": "4/h", "tools": {"get": {"principal": "1/h"}}}
    caller = await start_gateway(servers={"s": {"url": server.url, "rates": rates}})
    assert await statuses(caller, CALL, CALL) == [200, 429]
    again = refusal(await caller.ask("tools/call", {"name": "get"}, path="/servers/s/mcp"))
    assert again["data"]["limit"] == "gateway.servers.s.rates.tools.get.principal"
    assert await statuses(caller, OTHER, ("tools/list",), OTHER) == [200] * 3
    assert refusal(await caller.ask(*OTHER))["data"]["limit"] == "gateway.servers.s.rates.everybody"
    listed = (await caller.ask("tools/list")).json()["result"]
    assert [tool["name"] for tool in listed["tools"]] == ["s_get"]
    missing = listed["_meta"]["dev.ostiary/unavailable"]
    assert [(one["server"], one["step"], one["stale"]) for one in missing] == [("s", "rate", True)]


async def test_a_refused_call_takes_nothing_from_others(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = GOOD
    rates = {"everybody": "3/h", "tools": {"get": {"everybody": "1/h"}}}
    caller = await start_gateway(servers={"s": {"url": server.url, "rates": rates}})
    assert await statuses(caller, CALL, *[CALL] * 5, OTHER, OTHER) == [200, *[429] * 5, 200, 200]


async def test_clients_of_earlier_revisions_are_counted_too(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = GOOD
    caller = await start_gateway(servers={"s": {"url": server.url}}, rates={"everybody": "3/h"})
    client = RawClient(caller)
    await client.initialize()
    told = [(await client.post("tools/list")).json() for _ in range(3)]
    assert [one.get("error", {}).get("code") for one in told] == [None, None, -32019]


async def test_who_asked_too_often_has_still_after_a_reload_that_changes_no_rate(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = GOOD
    rates = {"principal": "1/h"}
    caller = await start_gateway(servers={"s": {"url": server.url}}, rates=rates)
    assert await statuses(caller, CALL, CALL) == [200, 429]
    caller.reload(servers={"s": {"url": server.url, "prefix": "s_"}}, rates=rates, list_timeout="1s")
    assert await statuses(caller, CALL) == [429]
    caller.reload(servers={"s": {"url": server.url}})
    assert await statuses(caller, CALL, CALL) == [200, 200]


async def test_nothing_is_counted_where_nothing_is_configured(
    start_gateway: StartGateway, server: McpServer
) -> None:
    caller = await start_gateway(servers={"s": {"url": server.url}})
    assert caller.gateway is not None
    assert caller.gateway.plan is not None
    assert type(caller.gateway.plan.endpoints.routes["/mcp"]) is Federation
    assert type(caller.gateway.plan.servers["s"]) is Server


def test_a_clock_that_goes_back_gives_nothing_away_and_locks_nobody_out() -> None:
    buckets = Buckets(read_rate("2/s"))
    for _ in range(2):
        assert not buckets.wait("alice", 5000.0)
        buckets.take("alice", 5000.0)
    assert buckets.wait("alice", 1000.0) == 1
    assert buckets.wait("alice", 1001.0) == 0


def test_callers_without_number_fill_no_memory() -> None:
    buckets = Buckets(read_rate("2/s"), most=100)
    for number in range(1000):
        buckets.take(number, 0.0)
    assert len(buckets) == 100
