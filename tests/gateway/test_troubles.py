"""The log has a line when a server begins to fail, and none for each call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from tests.captured_events import captured_events
from tests.gateway.conftest import Clock
from tests.gateway.test_federation import answering, tools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway.conftest import McpServer, Reply, Seen, StartGateway

CALL = ("tools/call", {"name": "s_get"})
GOOD = answering({**tools("a"), "tools/call": {"content": []}})


def failing(status: int) -> Reply:
    async def reply(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    return reply


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    """What the log says."""
    with captured_events() as found:
        yield found


def told(events: list[dict[str, Any]]) -> list[tuple[str, int | None]]:
    """Of servers since the last look: event and code."""
    found = [(one["event"], one.get("code")) for one in events if one["event"].startswith("server_")]
    events.clear()
    return found


FAILED, RECOVERED = "server_failed", ("server_recovered", None)


@pytest.mark.parametrize(("status", "code"), [(500, -32012), (401, -32014), (403, -32014)])
async def test_a_server_that_fails_has_one_line_until_it_answers_well(
    start_gateway: StartGateway, server: McpServer, events: list[dict[str, Any]], status: int, code: int
) -> None:
    clock = Clock()
    caller = await start_gateway(clock, servers={"s": {"url": server.url}})
    server.reply = failing(status)
    for _ in range(3):
        await caller.ask(*CALL)
        await caller.ask("tools/list")
    assert told(events) == [(FAILED, code)]
    server.reply = GOOD
    for _ in range(3):
        await caller.ask(*CALL)
    assert told(events) == [RECOVERED]
    clock.ahead = 61
    server.reply = failing(status)
    await caller.ask(*CALL)
    assert told(events) == [(FAILED, code)]


async def test_a_dead_server_has_one_line_and_another_when_it_fails_otherwise(
    start_gateway: StartGateway, server: McpServer, events: list[dict[str, Any]]
) -> None:
    dead = {"url": "http://127.0.0.1:1/mcp"}
    caller = await start_gateway(servers={"s": {"url": server.url, "timeout": "100ms"}, "dead": dead})
    server.reply = GOOD
    for _ in range(3):
        await caller.ask("tools/list")
        await caller.ask("tools/call", {"name": "dead_get"})
    assert told(events) == [(FAILED, -32010)]
    server.reply = failing(500)
    await caller.ask(*CALL)
    assert told(events) == [(FAILED, -32012)]

    async def hangs(_seen: Seen, _request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    server.reply = hangs
    for _ in range(2):
        await caller.ask(*CALL)
    assert told(events) == [(FAILED, -32011)]


async def test_calls_that_fail_between_others_that_do_not_have_a_line_a_minute(
    start_gateway: StartGateway, server: McpServer, events: list[dict[str, Any]]
) -> None:
    clock = Clock()
    caller = await start_gateway(clock, servers={"s": {"url": server.url}})
    for minute in range(3):
        clock.ahead = minute * 61.0
        for _ in range(5):
            server.reply = failing(500)
            await caller.ask(*CALL)
            server.reply = GOOD
            await caller.ask(*CALL)
        assert told(events) == [(FAILED, -32012), RECOVERED]
