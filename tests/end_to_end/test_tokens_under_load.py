"""One fetch however many calls wait for a token, and no call that fails while a token is replaced."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from tests.captured_events import captured_events
from tests.end_to_end.conftest import open_gateway

if TYPE_CHECKING:
    from ostiary.cloudrun.emulator import Emulator

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
LIGHT = "light_anything"
ZOO = "zoo_get_animals_by_species"


async def call(http: aiohttp.ClientSession, url: str, tool: str) -> str:
    """Call a tool: "result", or what was answered instead."""
    params = {"name": tool, "arguments": {"species": "penguin"}, "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    headers = {
        "content-type": "application/json",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }
    async with http.post(url, data=body, headers=headers) as answered:
        text = await answered.text()
        return "result" if answered.status == 200 and '"result":{' in text else text


def connected(connections: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections))


async def test_a_thousand_calls_on_a_cold_cache_make_one_token_request(
    google: Emulator, tmp_path: Path
) -> None:
    async with open_gateway(google, tmp_path / "gateway.json") as url, connected(1000) as http:
        answers = await asyncio.gather(*(call(http, url, LIGHT) for _ in range(1000)))
    assert Counter(answers) == {"result": 1000}
    assert google.minted == {"id_token": 1}


async def steady_traffic(
    calls: int, connections: int, one_call: Callable[[], Awaitable[str]], every: int, then: Callable[[], None]
) -> Counter[str]:
    """So many calls on so many connections, and something that happens after every few of them."""
    answers: Counter[str] = Counter()
    left = iter(range(calls))

    async def go_on() -> None:
        for number in left:
            answers[await one_call()] += 1
            if number % every == 0:
                then()

    await asyncio.gather(*(go_on() for _ in range(connections)))
    return answers


@pytest.mark.parametrize(("tool", "calls"), [(LIGHT, 10_000), (ZOO, 1_000)])
async def test_no_call_fails_while_tokens_expire_under_it(
    google: Emulator, tmp_path: Path, tool: str, calls: int
) -> None:
    hours = 3

    def time_passes() -> None:
        google.clock.offset += timedelta(hours=hours) / 50

    async with open_gateway(google, tmp_path / "gateway.json") as url, connected(16) as http:
        with captured_events() as logs:
            answers = await steady_traffic(
                calls, 16, lambda: call(http, url, tool), every=calls // 50, then=time_passes
            )
    assert answers == {"result": calls}
    assert [entry for entry in logs if entry["log_level"] in {"warning", "error"}] == []
    assert google.minted["id_token"] in range(hours + 1, 2 * hours + 1)
