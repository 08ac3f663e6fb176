"""The official TypeScript SDK's client, in a program of ours."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.peers.mcp_clients.client import PATIENCE, OpenUrl, free_port
from tests.peers.mcp_clients.opening import opening
from tests.peers.npm import npm_peer

PACKAGE = "@modelcontextprotocol/client@2.4.0"
SCRIPT = Path(__file__).with_suffix(".mjs")
LONGEST_LINE = 16 * 1024 * 1024


class TypeScriptSdk:
    """See McpClient."""

    def __init__(self) -> None:
        self._peer = npm_peer("mcp-typescript", PACKAGE)
        self._port = free_port()

    @property
    def redirect_uri(self) -> str:
        return f"http://127.0.0.1:{self._port}/callback"

    @asynccontextmanager
    async def session(
        self, server_url: str, *, open_url: OpenUrl, store: Path, client_metadata_url: str | None = None
    ) -> AsyncIterator[_Session]:
        settings = {
            "modules": str(self._peer.directory / "node_modules"),
            "server": server_url,
            "store": str(store / "typescript-sdk.json"),
            "port": self._port,
            "metadata": client_metadata_url,
        }
        async with opening(open_url) as show:
            process = await asyncio.create_subprocess_exec(
                "node", str(SCRIPT), env=self._peer.environment, stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE
            )
            try:
                session = _Session(process, show)
                await session.say(settings, until="connected")
                yield session
            finally:
                if process.returncode is None:
                    process.kill()
                await process.communicate()


class _Session:
    def __init__(self, process: Process, show: Callable[[str], None]) -> None:
        self._process = process
        self._show = show

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = await self.say({"tool": tool, "arguments": arguments}, until="result")
        return result

    async def say(self, message: Mapping[str, Any], *, until: str) -> Any:
        """Send a message; the answer of that kind."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            while line := await self._process.stdout.readline():
                answer = json.loads(line)
                if "open" in answer:
                    self._show(answer["open"])
                elif until in answer:
                    return answer[until]
                else:
                    raise AssertionError(answer)
        raise AssertionError("the program ended")
