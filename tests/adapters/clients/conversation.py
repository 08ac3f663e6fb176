"""What every client does: call a tool, be told that time has passed, call again.

A line on standard input says how many seconds the client's clock is ahead; it is answered, after a call, by
the call's result in one line on standard output.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ostiary.credentials import GoogleIdToken
from ostiary.credentials.runtime import Runtime

URL = sys.argv[1]
TOOL = "get_animals_by_species"
ARGUMENTS = {"species": "penguin"}


class Clock:
    """The machine's time, and as much ahead as we were told."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


clock = Clock()
credential = GoogleIdToken()
runtime = Runtime(clock=clock)


async def converse(call: Callable[[], Awaitable[Any]]) -> None:
    """Call whenever we are told to, until there is nobody to tell us."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        clock.ahead = float(line)
        tell(await call())


def converse_blocking(call: Callable[[], Any]) -> None:
    """The same, without an event loop."""
    while line := sys.stdin.readline():
        clock.ahead = float(line)
        tell(call())


def tell(result: Any) -> None:
    print(" ".join(str(result).split()), flush=True)  # noqa: T201


class RawSession:
    """An MCP session by hand: the messages that a client of plain HTTP sends, and the headers they need."""

    def __init__(self) -> None:
        self.headers = {
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-protocol-version": "2025-11-25",
        }

    @property
    def initialize(self) -> dict[str, Any]:
        about = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "raw", "version": "1"},
        }
        return {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}

    @property
    def initialized(self) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "method": "notifications/initialized"}

    @property
    def call(self) -> dict[str, Any]:
        params = {"name": TOOL, "arguments": ARGUMENTS}
        return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}

    def begun(self, session_id: str) -> None:
        """Stay in the session that the server has opened."""
        self.headers["mcp-session-id"] = session_id
