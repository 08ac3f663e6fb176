"""The HTTP headers that a message needs: its version and, for modern requests, method, name and parameters.

A modern message says its version itself; a legacy one has that which was agreed on at `initialize`. Which
arguments of a tool go into headers, its schema says when tools are listed (`x-mcp-header`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    encode_header_value,
    find_invalid_x_mcp_header,
    mcp_param_headers,
    x_mcp_header_map,
)
from mcp_types import JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse, RequestId

from ostiary.mcp.eras import VERSION_KEY

ParameterHeaders = dict[tuple[str, ...], str]


class Routing:
    """Sees every message that passes, and knows what the next one needs."""

    def __init__(self) -> None:
        self._agreed: str | None = None
        self._asked: dict[RequestId, str] = {}
        self._parameters: dict[str, ParameterHeaders] = {}

    def to_server(self, message: JSONRPCMessage) -> dict[str, str]:
        """The headers of this message."""
        if not isinstance(message, JSONRPCRequest | JSONRPCNotification):
            return self._legacy()
        params = message.params or {}
        if isinstance(message, JSONRPCRequest) and message.method in {"initialize", "tools/list"}:
            self._asked[message.id] = message.method
        version = _version(params)
        if version is None:
            return {} if message.method == "initialize" else self._legacy()
        return {MCP_PROTOCOL_VERSION_HEADER: version, MCP_METHOD_HEADER: message.method} | self._named(
            message.method, params
        )

    def to_client(self, message: JSONRPCMessage) -> None:
        """Learn from an answer."""
        if not isinstance(message, JSONRPCResponse):
            return
        match self._asked.pop(message.id, None):
            case "initialize":
                version = message.result.get("protocolVersion")
                self._agreed = version if isinstance(version, str) else None
            case "tools/list":
                self._learn_tools(message.result)

    def _legacy(self) -> dict[str, str]:
        return {MCP_PROTOCOL_VERSION_HEADER: self._agreed} if self._agreed else {}

    def _named(self, method: str, params: Mapping[str, Any]) -> dict[str, str]:
        name = params.get(NAME_BEARING_METHODS.get(method, ""))
        if not isinstance(name, str):
            return {}
        headers = {MCP_NAME_HEADER: encode_header_value(name)}
        if method == "tools/call" and name in self._parameters:
            headers |= mcp_param_headers(self._parameters[name], params.get("arguments") or {})
        return headers

    def _learn_tools(self, result: Mapping[str, Any]) -> None:
        for tool in result.get("tools") or ():
            schema = tool.get("inputSchema")
            if find_invalid_x_mcp_header(schema) is None:
                self._parameters[str(tool.get("name"))] = x_mcp_header_map(schema)


def _version(params: Mapping[str, Any]) -> str | None:
    meta = params.get("_meta")
    version = meta.get(VERSION_KEY) if isinstance(meta, Mapping) else None
    return version if isinstance(version, str) else None
