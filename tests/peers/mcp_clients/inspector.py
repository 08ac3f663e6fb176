"""The MCP Inspector from a command line: a process a call."""

from __future__ import annotations

import asyncio
import json
import os
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.peers.mcp_clients.client import PATIENCE, OpenUrl, free_port
from tests.peers.mcp_clients.opening import desktop, opening
from tests.peers.npm import npm_peer

PACKAGE = "@modelcontextprotocol/inspector@2.12.0"


class Inspector:
    """See McpClient."""

    def __init__(self) -> None:
        self._peer = npm_peer("inspector", PACKAGE)
        self._port = free_port()

    @property
    def redirect_uri(self) -> str:
        return f"http://127.0.0.1:{self._port}/oauth/callback"

    @asynccontextmanager
    async def session(
        self, server_url: str, *, open_url: OpenUrl, store: Path, client_metadata_url: str | None = None
    ) -> AsyncIterator[_Session]:
        published = () if client_metadata_url is None else ("--client-metadata-url", client_metadata_url)
        command = (
            *(self._peer.program("mcp-inspector"), "--cli", server_url, "--transport", "http", *published),
            *("--protocol-era", "auto"),
            *("--callback-url", self.redirect_uri, "--quiet", "--format", "json"),
        )
        async with opening(open_url) as show, desktop(show) as environment:
            path = f"{environment['PATH']}{os.pathsep}{self._peer.environment['PATH']}"
            kept = {
                "HOME": str(store),
                "MCP_STORAGE_DIR": str(store),
                "MCP_INSPECTOR_SECRET_STORE": "file",  # and not the keyring of who runs the tests
                "MCP_AUTO_OPEN_ENABLED": "true",  # though there is no terminal
            }
            yield _Session(command, self._peer.environment | environment | kept | {"PATH": path})


class _Session:
    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = command
        self._environment = environment

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *("--method", "tools/call", "--tool-name", tool, "--tool-args-json", json.dumps(arguments)),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, errors.decode()
        result: dict[str, Any] = json.loads(output)["result"]
        return result
