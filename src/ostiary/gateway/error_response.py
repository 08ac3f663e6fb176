"""Whatever went wrong → a typed answer."""

from __future__ import annotations

from ostiary.gateway.errors import GatewayError
from ostiary.mcp.errors import McpError
from ostiary.transport.inline_http import Answer

JSON = b"content-type: application/json\r\n"


def error_response(error: McpError, message_id: bytes | None) -> Answer:
    """The JSON-RPC error as an HTTP answer. message_id: as far as it was read."""
    headers = JSON + error.headers if isinstance(error, GatewayError) else JSON
    return Answer(error.status, error.to_json(message_id or b"null"), headers)
