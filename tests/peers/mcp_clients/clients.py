"""Every MCP client among the peers, by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.peers.mcp_clients.client import McpClient
from tests.peers.mcp_clients.inspector import Inspector
from tests.peers.mcp_clients.mcp_remote import McpRemote
from tests.peers.mcp_clients.python_sdk import PythonSdk
from tests.peers.mcp_clients.typescript_sdk import TypeScriptSdk

CLIENTS: Mapping[str, Callable[[], McpClient]] = {
    "python-sdk": PythonSdk,
    "typescript-sdk": TypeScriptSdk,
    "mcp-remote": McpRemote,
    "inspector": Inspector,
}
