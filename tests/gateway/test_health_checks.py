"""Servers that are asked now and then whether they are there, with the credential of calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.gateway.conftest import MODERN_SERVER, SECRET, result
from tests.gateway.test_listening import until

from ostiary.gateway.catalog.health_checks import check
from ostiary.gateway.status import gateway_state

if TYPE_CHECKING:
    from aiohttp import web
    from tests.gateway.conftest import Caller, McpServer, Seen, StartGateway

    from ostiary.gateway.upstreams.server import Server

EVERY_HOUR = {"health": {"every": "1h"}}


async def well(seen: Seen, _request: web.Request) -> web.StreamResponse:
    return result(seen, MODERN_SERVER)


async def hangs(_seen: Seen, _request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


def server_of(caller: Caller) -> Server:
    assert caller.gateway is not None
    assert caller.gateway.plan is not None
    return caller.gateway.plan.servers["s"]


def health_of(caller: Caller) -> str:
    assert caller.gateway is not None
    state = gateway_state(caller.gateway)
    assert state is not None
    return state.servers[0].health


async def test_a_check_has_the_credential_of_calls_and_says_that_a_server_is_there(
    start_gateway: StartGateway, server: McpServer, monkeypatch: Any
) -> None:
    monkeypatch.setenv("THE_KEY", SECRET)
    server.reply = well
    key = {"type": "bearer", "token": {"env": "THE_KEY"}}
    caller = await start_gateway(servers={"s": {"url": server.url, "credential": key, **EVERY_HOUR}})
    await until(lambda: health_of(caller) == "up")
    await until(lambda: any(seen.method == "server/discover" for seen in server.seen))
    assert {seen.header("authorization") for seen in server.seen} == {f"Bearer {SECRET}"}


async def test_a_server_that_says_nothing_to_a_check_is_left_out_and_one_that_does_again_is_back(
    start_gateway: StartGateway, server: McpServer
) -> None:
    server.reply = well
    caller = await start_gateway(servers={"s": {"url": server.url, "timeout": "100ms"}})
    await check(server_of(caller))
    server.reply = hangs
    await check(server_of(caller))
    assert health_of(caller) == "unreachable"
    listed = (await caller.ask("tools/list")).json()["result"]
    assert [one["step"] for one in listed["_meta"]["dev.ostiary/unavailable"]] == ["timeout"]
    server.reply = well
    await check(server_of(caller))
    assert health_of(caller) == "up"


async def test_a_dead_server_is_found_by_checks_before_anybody_calls(start_gateway: StartGateway) -> None:
    caller = await start_gateway(servers={"s": {"url": "http://127.0.0.1:1/mcp", **EVERY_HOUR}})
    await until(lambda: health_of(caller) == "unreachable")


async def test_a_server_that_wants_its_callers_accounts_is_not_asked_and_not_called_ill(
    start_gateway: StartGateway, server: McpServer
) -> None:
    credential = {
        "type": "token_exchange", "issuer": "http://127.0.0.1:1", "subject": "inbound",
        "client_id": "ostiary", "auth_method": "none",
    }  # fmt: skip
    caller = await start_gateway(servers={"s": {"url": server.url, "credential": credential, **EVERY_HOUR}})
    await asyncio.sleep(0.05)
    assert health_of(caller) == "needs_user"
    assert server.seen == []


async def test_a_reload_begins_and_ends_checks(start_gateway: StartGateway, server: McpServer) -> None:
    server.reply = well
    plain = {"url": server.url}
    caller = await start_gateway(servers={"s": plain})
    assert caller.gateway is not None
    caller.reload(servers={"s": {**plain, **EVERY_HOUR}})
    await until(lambda: any(seen.method == "server/discover" for seen in server.seen))
    assert len(caller.gateway._checks._running) == 1
    caller.reload(servers={"s": plain})
    assert caller.gateway._checks._running == {}
