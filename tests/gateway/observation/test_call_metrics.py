"""Calls are counted by server, method and outcome, and by nothing that a caller could make up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from tests.gateway.conftest import Caller, McpServer, Seen, StartGateway, error, result
from tests.gateway.observation.conftest import counted
from tests.gateway.test_federation import answering, tools

from ostiary.gateway.observation.call_metrics import CallMetrics
from ostiary.mcp.eras import LEGACY_VERSIONS

if TYPE_CHECKING:
    from ostiary.gateway.observation.observer import Observer

CALLS, REFUSALS = "ostiary_gateway_calls_total", "ostiary_gateway_refusals_total"
CALL = ("tools/call", {"name": "s_get"})


async def own_error(seen: Seen, _request: web.Request) -> web.StreamResponse:
    return error(seen, -32602, "no such animal")


async def broken(_seen: Seen, _request: web.Request) -> web.StreamResponse:
    return web.Response(status=500)


async def silent(_seen: Seen, _request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def streamed(seen: Seen, request: web.Request) -> web.StreamResponse:
    stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await stream.prepare(request)
    body = result(seen, {"content": []}).text
    await stream.write(f"data: {body}\n\n".encode())
    return stream


async def half_a_stream(seen: Seen, request: web.Request) -> web.StreamResponse:
    stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await stream.prepare(request)
    return stream


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (answering({"tools/call": {"content": []}}), "ok"),
        (own_error, "server_error"),
        (broken, "bad_answer"),
        (silent, "server_timed_out"),
        (streamed, "ok"),
        (half_a_stream, "bad_answer"),
    ],
)
async def test_a_call_is_counted_with_what_became_of_it(
    caller: Caller, server: McpServer, observer: Observer, reply: object, outcome: str
) -> None:
    server.reply = reply  # type: ignore[assignment]
    await caller.ask(*CALL)
    assert counted(observer, CALLS) == {f'{{method="tools/call",outcome="{outcome}",server="s"}}': 1}
    durations = counted(observer, "ostiary_gateway_call_duration_seconds_count")
    assert durations == {'{method="tools/call",server="s"}': 1}


async def test_a_list_of_all_servers_is_of_none(
    caller: Caller, server: McpServer, observer: Observer
) -> None:
    server.reply = answering(tools("get"))
    await caller.ask("tools/list")
    assert counted(observer, CALLS) == {'{method="tools/list",outcome="ok",server=""}': 1}


async def test_a_tool_that_is_not_there_is_counted(caller: Caller, observer: Observer) -> None:
    await caller.ask("tools/call", {"name": "nobody_get"})
    assert counted(observer, CALLS) == {'{method="tools/call",outcome="invalid_params",server=""}': 1}


async def test_label_explosion_methods_and_names_of_strangers_are_no_labels(
    caller: Caller, server: McpServer, observer: Observer
) -> None:
    for number in range(20):
        await caller.ask(f"evil/{number}", path="/servers/s/mcp")
        await caller.ask("tools/call", {"name": f"s_{number}"})
        await caller.ask("tools/call", {"name": f"x{number}_get"})
    assert counted(observer, CALLS) == {
        '{method="other",outcome="ok",server="s"}': 20,
        '{method="tools/call",outcome="ok",server="s"}': 20,
        '{method="tools/call",outcome="invalid_params",server=""}': 20,
    }
    assert observer.metrics is not None
    assert len(list(observer.metrics.series)) == 3


async def test_who_is_turned_away_at_the_door_is_counted_by_reason(
    start_gateway: StartGateway, server: McpServer, observer: Observer
) -> None:
    caller = await start_gateway(
        observer=observer,
        servers={"s": {"url": server.url}},
        inbound=[{"issuer": "https://login.example.com", "jwks_url": "https://login.example.com/keys"}],
    )
    await caller.ask(*CALL)
    caller.token = "opaque"
    await caller.ask(*CALL)
    await caller.ask(*CALL, headers=[("origin", "https://evil.example")])
    await caller.http.delete(f"{caller.origin}/mcp", headers={"mcp-session-id": "x"})
    assert counted(observer, REFUSALS) == {
        '{reason="no_token"}': 2,
        '{reason="opaque_token"}': 1,
        '{reason="origin"}': 1,
    }
    assert counted(observer, CALLS) == {}


async def test_what_is_no_call_is_turned_away(caller: Caller, observer: Observer) -> None:
    await caller.post(b"{")
    assert counted(observer, REFUSALS) == {'{reason="parse_error"}': 1}


async def test_calls_of_earlier_revisions_are_counted_alike(
    caller: Caller, server: McpServer, observer: Observer
) -> None:
    server.reply = answering({**tools("get"), "tools/call": {"content": []}, "server/discover": {}})
    version = LEGACY_VERSIONS[-1]
    hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    begun = await caller.http.post(
        f"{caller.origin}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    )
    headers = {"mcp-session-id": begun.headers["mcp-session-id"], "mcp-protocol-version": version}
    body = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "s_get", "arguments": {}}}
    await caller.http.post(f"{caller.origin}/mcp", json=body, headers=headers)
    assert counted(observer, CALLS) == {
        '{method="server/discover",outcome="ok",server=""}': 1,
        '{method="tools/call",outcome="ok",server="s"}': 1,
    }


def test_a_duration_is_in_the_first_bucket_that_holds_it() -> None:
    metrics = CallMetrics()
    for seconds in (0.001, 0.002, 70.0):
        metrics.count("s", b"tools/call", "ok", seconds)
    [series] = metrics.series
    assert (series.buckets[0], series.buckets[1], series.buckets[-1]) == (1, 1, 1)
