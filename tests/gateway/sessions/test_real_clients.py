"""Clients of before MCP 2026-07-28 as they are in the field, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.peers.npm import npm_peer
from tests.peers.venvs import venv_python

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.gateway.conftest import Caller

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
CLIENTS = Path(__file__).with_name("clients")
TYPESCRIPT = "@modelcontextprotocol/sdk@1.32.2"
FOUND = {
    "tools": 8,
    "add": "3",
    "work": "done",
    "greet": "Hello Ada",
    "cheese": "cheese",
    "folders": "file:///work",
    "resource": "the first note",
    "error": -32002,
    "progress": [1, 2, 3],
    "logged": ["half done"],
}
ENDPOINTS = pytest.mark.parametrize(
    ("path", "prefix"),
    [("/mcp", "w_"), ("/servers/w/mcp", ""), ("/mcp/sse", "w_"), ("/servers/w/mcp/sse", "")],
)


async def found_by(*command: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the client prints."""
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=PIPE)
    async with asyncio.timeout(60):
        printed, _ = await process.communicate()
    found: dict[str, Any] = json.loads(printed)
    assert "notifications/resources/updated" in found.pop("heard")
    return found


@ENDPOINTS
async def test_the_python_client(gateway: Caller, path: str, prefix: str) -> None:
    python = venv_python("mcp1")
    found = await found_by(python, str(CLIENTS / "python_1.py"), gateway.origin + path, prefix)
    assert found == {**FOUND, "version": "2025-11-25"}


@ENDPOINTS
async def test_the_typescript_client(gateway: Caller, path: str, prefix: str, tmp_path: Path) -> None:
    peer = npm_peer("mcp-typescript-1", TYPESCRIPT)
    script = tmp_path / "client.mjs"
    script.write_text((CLIENTS / "typescript.mjs").read_text("utf-8"))
    (tmp_path / "node_modules").symlink_to(peer.directory / "node_modules")
    found = await found_by("node", str(script), gateway.origin + path, prefix, env=peer.environment)
    if path.endswith("/sse"):  # it forgets who wants to hear of progress as soon as it has read the answer
        found["progress"] = FOUND["progress"]
    assert found == {**FOUND, "aborted": True}
