"""How it stands with a gateway, for operators."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.conftest import SECRET, Caller, McpServer, StartGateway
from tests.gateway.test_federation import answering, tools

from ostiary.gateway.merged_status import merged_states
from ostiary.gateway.state_metrics import StateMetrics
from ostiary.gateway.status import gateway_state
from ostiary.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from ostiary.gateway.observation.observer import Observer


def state(caller: Caller) -> dict[str, Any]:
    assert caller.gateway is not None
    found = gateway_state(caller.gateway)
    assert found is not None
    return found.told()


async def test_a_server_is_unknown_until_somebody_has_called_it(caller: Caller, server: McpServer) -> None:
    [before] = state(caller)["servers"]
    assert (before["health"], before["era"], before["calls"]) == ("unknown", "unknown", 0)
    await caller.ask("tools/call", {"name": "s_get"})
    [after] = state(caller)["servers"]
    assert (after["health"], after["era"], after["version"]) == ("up", "modern", "2026-07-28")
    assert (after["calls"], after["failures"], after["place"]) == (1, 0, server.url)


async def test_one_that_cannot_be_reached_says_at_which_step_and_until_when(
    start_gateway: StartGateway, observer: Observer
) -> None:
    caller = await start_gateway(observer=observer, servers={"s": {"url": "http://127.0.0.1:9/mcp"}})
    await caller.ask("tools/call", {"name": "s_get"})
    [server] = state(caller)["servers"]
    assert (server["health"], server["step"], server["failures"]) == ("unreachable", "connect", 1)
    assert server["next_try"] > server["since"]


async def test_names_that_are_hidden_are_told(
    start_gateway: StartGateway, server: McpServer, observer: Observer
) -> None:
    server.reply = answering(tools("get", "get"))
    caller = await start_gateway(observer=observer, servers={"s": {"url": server.url}})
    await caller.ask("tools/list")
    assert state(caller)["hidden"] == ({"server": "s", "name": "get"},)


async def test_nothing_secret_is_told(
    start_gateway: StartGateway, server: McpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", SECRET)
    credential = {"type": "header", "name": "x-key", "value": {"env": "API_KEY"}}
    caller = await start_gateway(servers={"s": {"url": server.url, "credential": credential}})
    await caller.ask("tools/call", {"name": "s_get"})
    assert SECRET not in str(state(caller))
    assert state(caller)["servers"][0]["credential"]["type"] == "header"


async def test_gauges_say_the_same(caller: Caller) -> None:
    await caller.ask("tools/call", {"name": "s_get"})
    assert caller.gateway is not None
    lines = Metrics([StateMetrics(partial(gateway_state, caller.gateway))]).exposition().decode().splitlines()
    assert 'ostiary_gateway_server_up{server="s"} 1.0' in lines
    assert "ostiary_gateway_configuration_generation 1.0" in lines
    assert "ostiary_gateway_sessions 0.0" in lines


def of(name: str, **said: Any) -> dict[str, Any]:
    credential = {"type": "none", "last_error": None, "expires_at": None, **said.pop("credential", {})}
    usual = {"health": "up", "era": "modern", "version": "2026-07-28", "calls": 1, "failures": 0}
    return {"name": name, **usual, **said, "credential": credential}


def one(*servers: dict[str, Any], **said: Any) -> dict[str, Any]:
    usual = {"generation": 1, "refusals": {}, "hidden": [], "fetches": {}, "sessions": 1}
    usual |= {"streams": 0, "processes": 0}
    return {**usual, **said, "servers": list(servers)}


def test_of_several_processes_the_worst_is_told_and_what_is_counted_is_added_up() -> None:
    down = of("s", health="unreachable", calls=2, failures=2, credential={"last_error": "no"})
    hidden = [{"server": "s", "name": "a"}]
    well = {"refusals": {"no_token": 1}, "fetches": {"header": {"ok": 2}}}
    badly = {"refusals": {"no_token": 2, "origin": 1}, "fetches": {"header": {"ok": 1, "failed": 1}}}
    merged = merged_states(
        [one(of("s"), generation=2, hidden=hidden, **well), one(down, hidden=hidden, **badly)]
    )
    [server] = merged["servers"]
    assert (server["health"], server["calls"], server["failures"]) == ("unreachable", 3, 2)
    assert server["credential"]["last_error"] == "no"
    assert (merged["generation"], merged["sessions"]) == (1, 2)
    assert merged["fetches"] == {"header": {"ok": 3, "failed": 1}}
    assert merged["refusals"] == {"no_token": 3, "origin": 1}
    assert merged["hidden"] == [{"server": "s", "name": "a"}]


def test_a_server_of_which_one_process_has_not_heard_is_as_the_others_know_it() -> None:
    unknown = of("s", health="unknown", era="unknown", version=None, calls=0)
    [server] = merged_states([one(unknown), one(of("s"))])["servers"]
    assert (server["health"], server["era"], server["version"]) == ("up", "modern", "2026-07-28")
