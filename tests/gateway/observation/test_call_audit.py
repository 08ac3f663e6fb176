"""A line for each call: who did what, what became of it, and nothing that is not theirs to keep."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.conftest import Caller, McpServer, StartGateway
from tests.gateway.test_federation import answering, tools

from ostiary.gateway.observation.audit_events import GatewayEvent
from ostiary.gateway.observation.call_audit import CallAudit
from ostiary.gateway.observation.observer import Observer
from ostiary.telemetry.queued_audit import QueuedAudit

CALL = ("tools/call", {"name": "s_get", "arguments": {"species": "penguin"}})


class Audited:
    """An audit that is written, and read."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.queue = QueuedAudit(file, time.time, counted=[GatewayEvent.CALLER_REFUSED])

    async def lines(self) -> list[dict[str, Any]]:
        """All, without when they were written."""
        await self.queue.__aexit__(None, None, None)
        found = [json.loads(line) for line in self.file.read_text("utf-8").splitlines()]
        return [
            {name: value for name, value in one.items() if name not in {"time", "seconds"}} for one in found
        ]


@pytest.fixture
async def audited(tmp_path: Path) -> AsyncIterator[Audited]:
    audited = Audited(tmp_path / "audit.jsonl")
    async with audited.queue:
        yield audited


async def start(start_gateway: StartGateway, server: McpServer, audited: Audited, **options: Any) -> Caller:
    observer = Observer(audit=CallAudit(audited.queue, **options))
    return await start_gateway(observer=observer, servers={"s": {"url": server.url}})


async def test_a_call_is_a_line(start_gateway: StartGateway, server: McpServer, audited: Audited) -> None:
    server.reply = answering({**tools("get"), "tools/call": {"content": []}})
    caller = await start(start_gateway, server, audited)
    await caller.ask(*CALL)
    await caller.ask("tools/list")
    assert await audited.lines() == [
        {
            "event": "call",
            "address": "127.0.0.1",
            "server": "s",
            "method": "tools/call",
            "name": "get",
            "credential": "none",
            "outcome": "ok",
        },
        {"event": "call", "address": "127.0.0.1", "method": "tools/list", "outcome": "ok"},
    ]


async def test_an_error_has_its_code(
    start_gateway: StartGateway, server: McpServer, audited: Audited
) -> None:
    caller = await start(start_gateway, server, audited)
    await caller.ask("tools/call", {"name": "nobody_get"})
    assert await audited.lines() == [
        {
            "event": "call",
            "address": "127.0.0.1",
            "method": "tools/call",
            "name": "nobody_get",
            "outcome": "invalid_params",
            "code": -32602,
        }
    ]


async def test_arguments_are_there_by_choice(
    start_gateway: StartGateway, server: McpServer, audited: Audited
) -> None:
    caller = await start(start_gateway, server, audited, has_arguments=True)
    await caller.ask(*CALL)
    arguments = {"api_key": "hunter2", "note": "x" * 5000}
    await caller.ask("tools/call", {"name": "s_get", "arguments": {"api_key": "hunter2"}})
    await caller.ask("tools/call", {"name": "s_get", "arguments": arguments})
    first, second, third = await audited.lines()
    assert first["arguments"] == {"species": "penguin"}
    assert second["arguments"] == {"api_key": "***"}
    assert len(third["arguments"]) < 2100


async def test_a_caller_who_is_turned_away_is_a_line(
    start_gateway: StartGateway, server: McpServer, audited: Audited
) -> None:
    caller = await start_gateway(
        observer=Observer(audit=CallAudit(audited.queue)),
        servers={"s": {"url": server.url}},
        inbound=[{"issuer": "https://login.example.com", "jwks_url": "https://login.example.com/keys"}],
    )
    await caller.ask(*CALL)
    assert await audited.lines() == [
        {"event": "caller_refused", "reason": "no_token", "address": "127.0.0.1"}
    ]


async def test_a_flood_of_strangers_fills_no_disk(
    start_gateway: StartGateway, server: McpServer, audited: Audited
) -> None:
    caller = await start_gateway(
        observer=Observer(audit=CallAudit(audited.queue)),
        servers={"s": {"url": server.url}},
        inbound=[{"issuer": "https://login.example.com", "jwks_url": "https://login.example.com/keys"}],
    )
    for _ in range(30):
        await caller.ask(*CALL)
    written = await audited.lines()
    assert len(written) == 21
    assert written[-1] == {"event": "caller_refused", "address": "127.0.0.1", "more": 10}


async def test_while_nothing_can_be_written_nothing_is_done(
    start_gateway: StartGateway, server: McpServer, audited: Audited
) -> None:
    caller = await start(start_gateway, server, audited)
    audited.queue.failing = "the disk is full"
    refused = await caller.ask(*CALL)
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == -32015
    assert server.seen == []
    assert caller.gateway is not None
    assert await caller.gateway.readiness()["gateway.audit"]() == "the disk is full"
    audited.queue.failing = None
    assert (await caller.ask(*CALL)).status_code == 200
    assert [one["outcome"] for one in await audited.lines()] == ["ok"]


async def test_what_policies_decided_is_there(
    start_gateway: StartGateway, server: McpServer, audited: Audited, tmp_path: Path
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "all.cedar").write_text(
        'permit (principal, action, resource);\n@id("no_shouting")\n'
        'forbid (principal, action == Action::"call_tool", resource == Tool::"s/shout");\n'
    )
    caller = await start_gateway(
        observer=Observer(audit=CallAudit(audited.queue)),
        servers={"s": {"url": server.url}},
        policy=str(folder),
    )
    await caller.ask("tools/call", {"name": "s_shout"})
    await caller.ask(*CALL)
    denied, permitted = await audited.lines()
    assert (denied["decision"], denied["policies"]) == ("denied", ["no_shouting"])
    assert (denied["outcome"], denied["name"], denied["code"]) == ("not_permitted", "shout", -32003)
    assert (permitted["decision"], "policies" in permitted) == ("permitted", False)
