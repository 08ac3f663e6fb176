"""The HTTP headers that a message needs: its version and, for modern requests, method, name and parameters.

A modern message says its version itself; a legacy one has that which was agreed on at `initialize`. Which
arguments of a tool go into headers, its schema says when tools are listed (`x-mcp-header`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.cli.mcp_client.messages import Message, MessageId, is_request
from ostiary.cli.mcp_client.routing_headers import VERSION, routing_headers
from ostiary.mcp.eras import VERSION_KEY
from ostiary.mcp.parameter_headers import (
    ParameterPath,
    annotation_fault,
    parameter_headers,
    parameter_names,
)


class Routing:
    """Sees every message that passes, and knows what the next one needs."""

    def __init__(self) -> None:
        self._agreed: str | None = None
        self._asked: dict[MessageId, str] = {}
        self._parameters: dict[str, dict[ParameterPath, str]] = {}

    def to_server(self, message: Message) -> dict[str, str]:
        """The headers of this message."""
        method = message.get("method")
        if method is None:
            return self._legacy()
        params = message.get("params") or {}
        if is_request(message) and method in {"initialize", "tools/list"}:
            self._asked[message["id"]] = method
        version = version_of(message)
        if version is None:
            return {} if method == "initialize" else self._legacy()
        headers = routing_headers(version, method, params)
        if method == "tools/call" and (names := self._parameters.get(str(params.get("name")))):
            headers |= parameter_headers(names, params.get("arguments"))
        return headers

    def to_client(self, message: Message) -> None:
        """Learn from an answer."""
        if "result" not in message:
            return
        match self._asked.pop(message["id"], None):
            case "initialize":
                version = message["result"].get("protocolVersion")
                self._agreed = version if isinstance(version, str) else None
            case "tools/list":
                self._learn_tools(message["result"].get("tools"))

    def _legacy(self) -> dict[str, str]:
        return {VERSION: self._agreed} if self._agreed else {}

    def _learn_tools(self, tools: Any) -> None:
        for tool in tools if isinstance(tools, list) else ():
            schema = tool.get("inputSchema") if isinstance(tool, dict) else None
            if schema is not None and annotation_fault(schema) is None:
                self._parameters[str(tool.get("name"))] = parameter_names(schema)


def version_of(message: Message) -> str | None:
    """The version that a modern message says of itself; None for a legacy one."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, Mapping) else None
    version = meta.get(VERSION_KEY) if isinstance(meta, Mapping) else None
    return version if isinstance(version, str) else None
