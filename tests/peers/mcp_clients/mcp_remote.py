"""mcp-remote, a bridge to a server behind OAuth for programs that start their servers and speak stdio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from tests.peers.mcp_clients.client import PATIENCE, OpenUrl, free_port
from tests.peers.mcp_clients.opening import desktop, opening
from tests.peers.npm import npm_peer

PACKAGE = "mcp-remote@0.15.1"


class McpRemote:
    """See McpClient."""

    def __init__(self) -> None:
        self._peer = npm_peer("mcp-remote", PACKAGE)
        self._port = free_port()

    @property
    def redirect_uri(self) -> str:
        return f"http://127.0.0.1:{self._port}/oauth/callback"

    @asynccontextmanager
    async def session(
        self, server_url: str, *, open_url: OpenUrl, store: Path, client_metadata_url: str | None = None
    ) -> AsyncIterator[_Session]:
        published = () if client_metadata_url is None else ("--client-metadata-url", client_metadata_url)
        async with opening(open_url) as show, desktop(show) as environment:
            path = f"{environment['PATH']}{os.pathsep}{self._peer.environment['PATH']}"
            kept = {"MCP_REMOTE_CONFIG_DIR": str(store), "HOME": str(store)}
            server = StdioServerParameters(
                command=self._peer.program("mcp-remote"),
                args=[
                    server_url,
                    str(self._port),
                    *(
                        "--host",
                        "127.0.0.1",
                        "--transport",
                        "http-only",
                        "--protocol",
                        "auto",
                        "--auth-timeout",
                        str(PATIENCE),
                    ),
                    *published,
                ],
                env=self._peer.environment | environment | kept | {"PATH": path},
            )
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(PATIENCE):
                    client = await stack.enter_async_context(Client(server, mode="legacy"))
                yield _Session(client)


class _Session:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            result = await self._client.call_tool(tool, dict(arguments))
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)
