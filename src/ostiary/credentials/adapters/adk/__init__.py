"""MCP servers for agents of Google's ADK: a fresh token on every request, and nobody is asked for consent.

    mcp_toolset            an McpToolset for one server and its credential
    from_service_account   the credential that ADK's own ServiceAccount stands for
    CredentialAuth         the auth object of its HTTP client

    toolset           failures reach the caller, where ADK would run the agent without tools
    service_account   the converter

Needs `google-adk[mcp]` 2.13 or newer, with `mcp` 2.
"""

from ostiary.credentials.adapters.adk.service_account import from_service_account
from ostiary.credentials.adapters.adk.toolset import CredentialToolset, mcp_toolset
from ostiary.credentials.adapters.httpx2 import CredentialAuth

__all__ = ["CredentialAuth", "CredentialToolset", "from_service_account", "mcp_toolset"]
