"""What every real MCP client among the peers does: sign in at the server's authorization server, and call.

    python_sdk       the official SDK, in this process            2026-07-28
    typescript_sdk   the official SDK, a program of ours in Node   2026-07-28
    mcp_remote       a bridge for programs that speak only stdio   2026-07-28, and 2025-11-25 to the program
    inspector        the official debugger, from a command line    2026-07-28

Each registers dynamically, or names a Client ID Metadata Document, in which its redirect URI must stand.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

OpenUrl = Callable[[str], Awaitable[None]]
"""Shows a URL to the person, who does what its pages ask until a client has its answer."""

PATIENCE = 60
"""Seconds that a client may take for a call, with all that a person does meanwhile."""

NEVER_EPHEMERAL = 20_000, 32_000
"""Ports below those that Linux gives to whoever asks for any."""


class Session(Protocol):
    """A connection to one server."""

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a tool; its result as the protocol writes it: content, structuredContent, isError."""
        ...


class McpClient(Protocol):
    """A client on a person's machine. What it knows is in its store, and outlives its sessions."""

    @property
    def redirect_uri(self) -> str:
        """Where it waits for the authorization server's answer, in each of its sessions."""
        ...

    def session(
        self, server_url: str, *, open_url: OpenUrl, store: Path, client_metadata_url: str | None = None
    ) -> AbstractAsyncContextManager[Session]:
        """Connect, which asks the person when the store has nothing good for that server."""
        ...


def age(store: Path) -> None:
    """Make the access tokens in a client's store look as after their end, so that it has to refresh."""
    for file in store.rglob("*.json"):
        file.write_text(json.dumps(_aged(json.loads(file.read_text()))))


def _aged(value: Any) -> Any:
    if isinstance(value, list):
        return [_aged(item) for item in value]
    if isinstance(value, str) and value.startswith("{"):
        return json.dumps(_aged(json.loads(value)))
    if isinstance(value, dict):
        ended = {"access_token": "ended", "expires_at": 1}
        return {key: ended.get(key, _aged(item)) for key, item in value.items()}
    return value


def free_port() -> int:
    """A port at which nobody listens now, and which the system gives to no connection meanwhile."""
    while True:
        port = random.randrange(*NEVER_EPHEMERAL)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
