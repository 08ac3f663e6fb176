"""The errors of JSON-RPC 2.0 and MCP 2026-07-28, with the HTTP status each is sent with.

McpError
├── ParseError -32700 · InvalidRequest -32600 · InvalidParams -32602                  400
│                         └── NotOneRequest
├── MethodNotFound -32601                                                             404
├── HeaderMismatch -32020 · UnsupportedProtocolVersion -32022                         400
├── MissingCapability -32021                                                          400
└── InternalError -32603                                                              500
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec


class McpError(Exception):
    """An answer of the protocol. The message goes to the caller: no secrets, nothing of other callers."""

    code: ClassVar[int] = -32603
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data

    def to_json(self, request_id: bytes = b"null", *, code: int | None = None) -> bytes:
        """The JSON-RPC error response.

        request_id: the id as it stood in the request; code: another one, for clients of other revisions.
        """
        error: dict[str, Any] = {"code": self.code if code is None else code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return b'{"jsonrpc":"2.0","id":%s,"error":%s}' % (request_id, msgspec.json.encode(error))


class ParseError(McpError):
    """The body is not JSON."""

    code, status = -32700, 400


class InvalidRequest(McpError):
    """The body is JSON, but not one JSON-RPC request that everybody reads alike."""

    code, status = -32600, 400


class MethodNotFound(McpError):
    """Nobody here answers this method."""

    code, status = -32601, 404


class NotOneRequest(InvalidRequest):
    """The body is a batch, or an answer: what only clients of earlier revisions send, in a session."""


class InvalidParams(McpError):
    """The parameters are not what the method wants."""

    code, status = -32602, 400


class HeaderMismatch(McpError):
    """A header is missing, or says something else than the body (MCP 2026-07-28, transports)."""

    code, status = -32020, 400


class MissingCapability(McpError):
    """The caller did not declare what this takes. `data` says what to declare."""

    code, status = -32021, 400


class UnsupportedProtocolVersion(McpError):
    """The caller speaks a version of MCP that is not spoken here. `data` lists those that are."""

    code, status = -32022, 400


class InternalError(McpError):
    """Something broke here. What it was is in the log, not in the answer."""

    code, status = -32603, 500
