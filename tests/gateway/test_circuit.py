"""Servers that cannot be reached are left alone, what may be is sent once more, and calls have their time."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.gateway.conftest import Clock, result
from tests.gateway.test_federation import answering
from tests.gateway.test_listening import until

from ostiary.gateway.upstreams import server as server_module
from ostiary.gateway.upstreams.health import Health
from ostiary.gateway.upstreams.repetition import may_be_repeated
from ostiary.transport.upstream import CallStep

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.gateway.conftest import Caller, McpServer, Seen, StartGateway

    StartServer = Callable[[], Awaitable[McpServer]]

CALL = ("tools/call", {"name": "s_get"})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "PAUSES", (0.0, 0.001))


class Now:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


# the rule


def opened(now: Now, failures: int = 3) -> Health:
    health = Health("s", now, most_failures=failures, longest_pause=8)
    for _ in range(failures):
        assert health.refuse() is None
        health.failed(CallStep.CONNECT)
    return health


def test_after_so_many_failures_calls_are_refused_until_the_pause_is_over() -> None:
    now = Now()
    health = opened(now)
    refused = health.refuse()
    assert refused is not None
    assert (refused.step, refused.since, refused.next_try) == ("connect", 1000, 1001)
    now.seconds += 0.9
    assert health.refuse() is refused


def test_after_the_pause_one_call_tries_it_and_others_wait_for_that() -> None:
    now = Now()
    health = opened(now)
    now.seconds += 1
    assert health.refuse() is None
    assert [health.refuse() is None for _ in range(3)] == [False] * 3
    assert health.skip() is not None
    health.failed(CallStep.CONNECT)
    refused = health.refuse()
    assert refused is not None
    assert refused.next_try == now.seconds + 2
    now.seconds += 2
    assert health.refuse() is None
    health.succeeded()
    assert [health.refuse() for _ in range(3)] == [None] * 3


def test_a_call_that_tries_it_and_never_comes_back_keeps_nobody_out_for_long() -> None:
    now = Now()
    health = opened(now)
    now.seconds += 1
    assert health.refuse() is None
    now.seconds += 5
    assert health.refuse() is None


def test_a_burst_of_failures_makes_no_longer_pause_than_one() -> None:
    now = Now()
    health = opened(now)
    for _ in range(100):
        health.failed(CallStep.CONNECT)
    assert health.state is not None
    assert health.state.next_try == now.seconds + 1


def test_pauses_have_an_end() -> None:
    now = Now()
    health = opened(now)
    for pause in (1, 2, 4, 8, 8, 8):
        assert health.state is not None
        assert health.state.next_try == now.seconds + pause
        now.seconds += pause
        assert health.refuse() is None
        health.failed(CallStep.CONNECT)


@pytest.mark.parametrize("step", [CallStep.TIMEOUT, CallStep.ANSWER, CallStep.SIZE, "credential", "account"])
def test_one_callers_slow_tool_or_bad_credential_opens_no_circuit(step: str) -> None:
    health = Health("s", Now(), most_failures=1)
    for _ in range(100):
        health.failed(step)
    assert health.refuse() is None


def test_a_clock_that_jumps_back_keeps_no_server_closed() -> None:
    now = Now()
    health = opened(now)
    assert health.refuse() is not None
    now.seconds -= 3600
    assert health.refuse() is None
    assert opened(now, failures=1).skip() is not None


READ, CALLED = b"resources/read", b"tools/call"


@pytest.mark.parametrize(
    ("method", "step", "changes_nothing", "is_repeated"),
    [
        (READ, CallStep.CONNECT, False, True),
        (CALLED, CallStep.CONNECT, False, True),
        (READ, CallStep.ANSWER, False, True),
        (b"tools/list", CallStep.ANSWER, False, True),
        (CALLED, CallStep.ANSWER, True, True),
        (CALLED, CallStep.ANSWER, False, False),
        (b"tasks/cancel", CallStep.ANSWER, False, False),
        (READ, CallStep.TIMEOUT, False, False),
        (CALLED, CallStep.TIMEOUT, True, False),
        (READ, CallStep.SIZE, False, False),
    ],
)
def test_only_what_cannot_have_been_received_or_may_come_twice_is_sent_again(
    method: bytes, step: CallStep, changes_nothing: bool, is_repeated: bool
) -> None:
    assert may_be_repeated(method, step, changes_nothing=changes_nothing) is is_repeated


# at a gateway


async def test_callers_of_a_dead_server_are_answered_at_once_and_told_when_it_is_tried_again(
    start_gateway: StartGateway, server: McpServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clock = Clock()
    dead = {"url": f"http://127.0.0.1:{port}/mcp"}
    caller = await start_gateway(clock, servers={"s": dead, "well": {"url": server.url}})
    assert [(await caller.ask(*CALL)).status_code for _ in range(5)] == [502] * 5
    refused = await caller.ask(*CALL)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    problem = refused.json()["error"]
    assert (problem["code"], problem["message"]) == (
        -32015,
        "server s: it cannot be reached, and is tried again in 1 s",
    )
    assert problem["data"].items() >= {"server": "s", "step": "connect"}.items()
    assert problem["data"]["next_try"] - problem["data"]["since"] == pytest.approx(1, abs=0.5)
    listed = (await caller.ask("tools/list")).json()["result"]["_meta"]["dev.ostiary/unavailable"]
    assert "s" in [one["server"] for one in listed]
    assert (await caller.ask("tools/call", {"name": "well_get"})).status_code == 200
    clock.ahead = 2
    app = web.Application()
    app.router.add_post("/mcp", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        assert [(await caller.ask(*CALL)).status_code for _ in range(2)] == [200, 200]
    finally:
        await runner.cleanup()


async def test_a_circuit_can_be_turned_off(start_gateway: StartGateway) -> None:
    server = {"url": "http://127.0.0.1:1/mcp", "circuit_breaker": {"failures": 0}}
    caller = await start_gateway(servers={"s": server})
    assert {(await caller.ask(*CALL)).status_code for _ in range(8)} == {502}


class Leaving:
    """A server that hangs up on so many requests, and answers those after them."""

    def __init__(self, times: int, lists: dict[str, Any]) -> None:
        self.times = times
        self.left: list[str] = []
        self._answered = answering(lists)

    async def __call__(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        if self.times and seen.method != "tools/list":
            self.times -= 1
            self.left.append(seen.method)
            assert request.transport is not None
            request.transport.abort()
        return await self._answered(seen, request)


LISTED: dict[str, Any] = {"tools/call": {"content": []}, "resources/read": {"contents": []}}


def hinted(**hints: bool) -> dict[str, Any]:
    tool = {"name": "get", "inputSchema": {"type": "object"}, "annotations": hints}
    return {**LISTED, "tools/list": {"tools": [tool], "ttlMs": 0, "cacheScope": "private"}}


async def test_a_call_that_may_have_been_received_is_never_sent_twice(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = leaving = Leaving(1, hinted(destructiveHint=True))
    caller = await start_gateway(servers={"s": {"url": server.url}})
    await caller.ask("tools/list")
    assert (await caller.ask(*CALL)).status_code == 502
    assert [seen.method for seen in server.seen if seen.method == "tools/call"] == ["tools/call"]
    assert leaving.left == ["tools/call"]


@pytest.mark.parametrize("hint", ["readOnlyHint", "idempotentHint"])
async def test_a_call_that_its_server_says_may_come_twice_is_sent_again_once(
    start_gateway: StartGateway, server: McpServer, hint: str
) -> None:
    server.reply = leaving = Leaving(1, hinted(**{hint: True}))
    caller = await start_gateway(servers={"s": {"url": server.url}})
    await caller.ask("tools/list")
    assert (await caller.ask(*CALL)).status_code == 200
    leaving.times = 2
    assert (await caller.ask(*CALL)).status_code == 502
    assert len(leaving.left) == 3


async def test_what_only_reads_is_sent_again_once(start_gateway: StartGateway, server: McpServer) -> None:
    server.reply = leaving = Leaving(1, LISTED)
    caller = await start_gateway(servers={"s": {"url": server.url}})
    assert (await caller.ask("resources/read", {"uri": "s+x:1"})).status_code == 200
    assert leaving.left == ["resources/read"]


# time


async def hangs(_seen: Seen, _request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def test_methods_and_tools_have_timeouts_of_their_own(
    start_gateway: StartGateway, server: McpServer
) -> None:
    times = {"timeout": "10s", "timeouts": {"tools/call": "300ms"}, "tools": {"slow": {"timeout": "600ms"}}}
    caller = await start_gateway(servers={"s": {"url": server.url, **times}})
    server.reply = hangs

    async def told(path: str, name: str) -> str:
        answered = await caller.ask("tools/call", {"name": name}, path=path)
        assert answered.status_code == 504
        return str(answered.json()["error"]["message"])

    assert await told("/mcp", "s_quick") == "server s: no answer within 0.3 s"
    assert await told("/servers/s/mcp", "quick") == "server s: no answer within 0.3 s"
    assert await told("/mcp", "s_slow") == "server s: no answer within 0.6 s"
    reading = asyncio.create_task(caller.ask("resources/read", {"uri": "s+x:1"}))
    await until(lambda: any(seen.method == "resources/read" for seen in server.seen))
    await asyncio.sleep(0.7)
    assert not reading.done()
    reading.cancel()


async def test_a_server_has_its_own_share_of_calls_at_once(
    start_gateway: StartGateway, server: McpServer
) -> None:
    going = asyncio.Event()

    async def reply(seen: Seen, _request: web.Request) -> web.StreamResponse:
        await going.wait()
        return result(seen, {"content": []})

    server.reply = reply
    few = {"url": server.url, "connections": 2, "caller_connections": 2}
    caller: Caller = await start_gateway(servers={"s": few})
    calls = [asyncio.create_task(caller.ask(*CALL)) for _ in range(6)]
    await until(lambda: len(server.seen) == 2)
    await asyncio.sleep(0.05)
    assert len(server.seen) == 2
    going.set()
    assert {(await call).status_code for call in calls} == {200}


async def test_a_queue_that_is_full_is_told_and_who_has_none_waiting_still_gets_in() -> None:
    from ostiary.transport.upstream import CallerBusy, UpstreamLimits  # noqa: PLC0415 - one test's
    from ostiary.transport.upstream.turns import Turns  # noqa: PLC0415 - one test's

    turns: Turns[None] = Turns("s", UpstreamLimits(queue=3))
    greedy = turns.begin("greedy")
    for _ in range(3):
        turns.wait(greedy, 0, 1)
    with pytest.raises(CallerBusy, match="too many calls wait there"):
        turns.wait(greedy, 0, 1)
    for number in range(3):
        turns.wait(turns.begin(number), 0, 1)
    with pytest.raises(CallerBusy):
        turns.wait(turns.begin("one more"), 0, 1)
    assert turns.next() is not None
    turns.wait(turns.begin("another"), 0, 1)
