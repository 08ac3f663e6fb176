"""How each MCP client wants to be told of a server: which file, and what goes into it.

All start the bridge as a command, so that no token stands in a file and none is frozen at the start. What the
bridge reads from its environment is handed on by each client in its own words: a program that is started from
a desktop has no shell's.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ClientProgram(StrEnum):
    """The clients we know."""

    CLAUDE_CODE = "claude-code"
    CLAUDE_DESKTOP = "claude-desktop"
    GEMINI_CLI = "gemini-cli"
    VSCODE = "vscode"
    CURSOR = "cursor"
    CODEX = "codex"
    WINDSURF = "windsurf"
    ZED = "zed"
    CLINE = "cline"
    GOOSE = "goose"
    INSPECTOR = "inspector"


TO_FILL_IN = "..."
"""What stands where a client takes nothing but the value itself."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """The command that a client starts, and the environment variables that its secrets come from."""

    command: tuple[str, ...]
    variables: tuple[str, ...] = ()

    @property
    def entry(self) -> dict[str, Any]:
        """As most clients write it."""
        return {"command": self.command[0], "args": list(self.command[1:])}

    def entry_with(self, reference: str) -> dict[str, Any]:
        """With an `env` block. reference: how the client writes the variable {name}."""
        return self.entry | ({"env": self.environment(reference)} if self.variables else {})

    def environment(self, reference: str) -> dict[str, str]:
        """Each variable, as the client is to find it."""
        return {name: reference.format(name=name) for name in self.variables}


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """What one client has to be told."""

    client: ClientProgram
    title: str
    file: str
    settings: dict[str, Any]
    or_run: str | None = None
    """A command that does the same, or that uses the file."""
    written: Callable[[Mapping[str, Any]], str] = lambda settings: json.dumps(
        settings, indent=2, ensure_ascii=False
    )
    """The settings in the language of the file."""

    @property
    def text(self) -> str:
        """What goes into the file."""
        return self.written(self.settings)


def settings_for(client: ClientProgram, name: str, bridge: Bridge) -> ProgramSettings:
    """What goes where. name: how the client calls the server."""
    return _CLIENTS[client](name, bridge)


def _claude_code(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.CLAUDE_CODE,
        "Claude Code",
        ".mcp.json in the project",
        {"mcpServers": {name: {"type": "stdio", **bridge.entry_with("${{{name}}}")}}},
        f"claude mcp add {name} -- {shlex.join(bridge.command)}",
    )


def _claude_desktop(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.CLAUDE_DESKTOP,
        "Claude Desktop",
        "claude_desktop_config.json, which Settings > Developer > Edit Config opens",
        {"mcpServers": {name: bridge.entry_with(TO_FILL_IN)}},
    )


def _gemini_cli(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.GEMINI_CLI,
        "Gemini CLI",
        ".gemini/settings.json in the project, or in your home directory",
        {"mcpServers": {name: bridge.entry_with("${name}")}},
    )


def _vscode(name: str, bridge: Bridge) -> ProgramSettings:
    settings: dict[str, Any] = {
        "servers": {name: {"type": "stdio", **bridge.entry_with("${{input:{name}}}")}}
    }
    if bridge.variables:  # it asks once, and keeps the answer where it keeps secrets
        settings["inputs"] = [
            {"type": "promptString", "id": variable, "description": variable, "password": True}
            for variable in bridge.variables
        ]
    return ProgramSettings(ClientProgram.VSCODE, "VS Code", ".vscode/mcp.json in the project", settings)


def _cursor(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.CURSOR,
        "Cursor",
        ".cursor/mcp.json in the project, or in your home directory",
        {"mcpServers": {name: bridge.entry_with("${{env:{name}}}")}},
    )


def _codex(name: str, bridge: Bridge) -> ProgramSettings:
    entry = bridge.entry | ({"env_vars": list(bridge.variables)} if bridge.variables else {})
    return ProgramSettings(
        ClientProgram.CODEX,
        "Codex",
        ".codex/config.toml in your home directory, or in a project that you trust",
        {"mcp_servers": {name: entry}},
        f"codex mcp add {name} -- {shlex.join(bridge.command)}",
        written=_toml,
    )


def _windsurf(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.WINDSURF,
        "Windsurf",
        ".codeium/windsurf/mcp_config.json in your home directory",
        {"mcpServers": {name: bridge.entry_with("${{env:{name}}}")}},
    )


def _zed(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.ZED,
        "Zed",
        "settings.json, which `zed: open settings` opens",
        {"context_servers": {name: bridge.entry_with(TO_FILL_IN)}},
    )


def _cline(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.CLINE,
        "Cline",
        "cline_mcp_settings.json, which MCP Servers > Configure opens",
        {"mcpServers": {name: {**bridge.entry_with(TO_FILL_IN), "disabled": False}}},
    )


def _goose(name: str, bridge: Bridge) -> ProgramSettings:
    entry = {
        "type": "stdio",
        "name": name,
        "enabled": True,
        "cmd": bridge.command[0],
        "args": list(bridge.command[1:]),
        "timeout": 300,
    }
    if bridge.variables:
        entry["env_keys"] = list(bridge.variables)
    return ProgramSettings(
        ClientProgram.GOOSE,
        "Goose",
        ".config/goose/config.yaml in your home directory",
        {"extensions": {name: entry}},
        written=_yaml,
    )


def _inspector(name: str, bridge: Bridge) -> ProgramSettings:
    return ProgramSettings(
        ClientProgram.INSPECTOR,
        "MCP Inspector",
        "mcp.json, or any file that you name",
        {"mcpServers": {name: {"type": "stdio", **bridge.entry}}},
        f"npx @modelcontextprotocol/inspector --config mcp.json --server {name}",
    )


def _toml(settings: Mapping[str, Any]) -> str:
    """Tables of tables of plain values, which TOML writes as JSON does."""
    lines: list[str] = []
    for table, entries in settings.items():
        for name, entry in entries.items():
            lines.append(f"[{table}.{name}]")
            lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
    return "\n".join(lines)


def _yaml(settings: Mapping[str, Any]) -> str:
    """The same; JSON is YAML."""
    lines: list[str] = []
    for table, entries in settings.items():
        lines.append(f"{table}:")
        for name, entry in entries.items():
            lines.append(f"  {json.dumps(name)}:")
            lines += [f"    {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
    return "\n".join(lines)


_CLIENTS: dict[ClientProgram, Callable[[str, Bridge], ProgramSettings]] = {
    ClientProgram.CLAUDE_CODE: _claude_code,
    ClientProgram.CLAUDE_DESKTOP: _claude_desktop,
    ClientProgram.GEMINI_CLI: _gemini_cli,
    ClientProgram.VSCODE: _vscode,
    ClientProgram.CURSOR: _cursor,
    ClientProgram.CODEX: _codex,
    ClientProgram.WINDSURF: _windsurf,
    ClientProgram.ZED: _zed,
    ClientProgram.CLINE: _cline,
    ClientProgram.GOOSE: _goose,
    ClientProgram.INSPECTOR: _inspector,
}
