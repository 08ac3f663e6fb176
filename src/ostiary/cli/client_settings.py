"""How each MCP client wants to be told of a server: which file, and what goes into it.

All start the bridge as a command, so that no token stands in a file and none is frozen at the start.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ClientProgram(StrEnum):
    """The clients we know."""

    CLAUDE_CODE = "claude-code"
    GEMINI_CLI = "gemini-cli"
    VSCODE = "vscode"
    CURSOR = "cursor"
    INSPECTOR = "inspector"


@dataclass(frozen=True, slots=True)
class Bridge:
    """The command that a client starts."""

    command: tuple[str, ...]

    @property
    def entry(self) -> dict[str, Any]:
        """As most clients write it."""
        return {"command": self.command[0], "args": list(self.command[1:])}


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """What one client has to be told."""

    client: ClientProgram
    title: str
    file: str
    settings: dict[str, Any]
    or_run: str | None = None
    """A command that does the same, or that uses the file."""


def settings_for(client: ClientProgram, name: str, bridge: Bridge) -> ProgramSettings:
    """What goes where. name: how the client calls the server."""
    return _CLIENTS[client](name, bridge)


def _claude_code(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.CLAUDE_CODE,
        "Claude Code",
        ".mcp.json in the project",
        {"mcpServers": {name: {"type": "stdio", **bridge.entry}}},
        f"claude mcp add {name} -- {shlex.join(bridge.command)}",
    )


def _gemini_cli(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.GEMINI_CLI,
        "Gemini CLI",
        ".gemini/settings.json in the project, or in your home directory",
        {"mcpServers": {name: bridge.entry}},
    )


def _vscode(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.VSCODE,
        "VS Code",
        ".vscode/mcp.json in the project",
        {"servers": {name: {"type": "stdio", **bridge.entry}}},
    )


def _cursor(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.CURSOR,
        "Cursor",
        ".cursor/mcp.json in the project, or in your home directory",
        {"mcpServers": {name: bridge.entry}},
    )


def _inspector(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.INSPECTOR,
        "MCP Inspector",
        "mcp.json, or any file that you name",
        {"mcpServers": {name: {"type": "stdio", **bridge.entry}}},
        f"npx @modelcontextprotocol/inspector --config mcp.json --server {name}",
    )


_CLIENTS: dict[ClientProgram, Callable[[str, Bridge], ProgramSettings]] = {
    ClientProgram.CLAUDE_CODE: _claude_code,
    ClientProgram.GEMINI_CLI: _gemini_cli,
    ClientProgram.VSCODE: _vscode,
    ClientProgram.CURSOR: _cursor,
    ClientProgram.INSPECTOR: _inspector,
}
