"""Several messages in one body: MCP 2025-03-26 alone."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gateway.sessions.conftest import RawClient, Workshop

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


async def test_a_batch_is_answered_in_a_session_of_its_revision(raw: RawClient) -> None:
    await raw.initialize("2025-03-26")
    answered = await raw.send(
        [
            PING,
            INITIALIZED,
            {"jsonrpc": "2.0", "id": "never", "result": {}},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "w_work"}},
            {"jsonrpc": "2.0", "id": 3, "method": "initialize", "params": {}},
            {"id": 4},
        ]
    )
    said = [line for line in answered.text.splitlines() if line.startswith("data: ")]
    assert said[0] == 'data: {"jsonrpc":"2.0","id":1,"result":{}}'
    assert "half done" in said[1]
    assert '"id":2' in said[2]
    assert "initialize stands in no batch" in said[3]
    assert "this is not JSON-RPC" in said[4]
    assert len(said) == 5


async def test_a_batch_without_a_request_is_taken(raw: RawClient) -> None:
    await raw.initialize("2025-03-26")
    answered = await raw.send([INITIALIZED] * 3)
    assert (answered.status_code, answered.content) == (202, b"")


@pytest.mark.parametrize(
    ("version", "size"), [("2025-03-26", 0), ("2025-03-26", 10_000), ("2025-11-25", 1), ("2024-11-05", 1)]
)
async def test_a_batch_that_is_not_taken(raw: RawClient, version: str, size: int) -> None:
    await raw.initialize(version)
    answered = await raw.send([PING] * size)
    assert (answered.status_code, answered.json()["error"]["code"]) == (400, -32600)


async def test_a_batch_bomb_is_refused_before_its_messages_are_held(raw: RawClient) -> None:
    await raw.initialize("2025-03-26")
    bomb = b"[%s]" % b",".join([b"1"] * 2_000_000)
    tracemalloc.start()
    answered = await raw.caller.post(bomb, raw.headers)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (answered.status_code, answered.json()["error"]["code"]) == (400, -32600)
    assert most < 5 * len(bomb)


async def test_a_batch_needs_a_session(raw: RawClient) -> None:
    answered = await raw.send([PING])
    assert answered.status_code == 400
    assert answered.json()["error"]["message"] == "a batch is not taken: send one request"


async def test_a_batch_whose_caller_leaves_is_given_up(raw: RawClient, workshop: Workshop) -> None:
    await raw.initialize("2025-03-26")
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "w_hang"}}
    sending = asyncio.create_task(raw.send([call, call]))
    await workshop.begun.wait()
    sending.cancel()
    async with asyncio.timeout(5):
        await workshop.cancelled.wait()
