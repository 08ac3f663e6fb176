"""The bytes → one MCP message whose headers say what its body says."""

from __future__ import annotations

from ostiary.gateway.errors import Forbidden
from ostiary.mcp.errors import InvalidRequest
from ostiary.mcp.messages import Message, read_message
from ostiary.transport.inline_http import Request


def require_origin(request: Request, allowed: frozenset[bytes]) -> None:
    """Raise Forbidden for a browser's page that may not call (DNS rebinding, cross-site requests)."""
    if request.headers[b"origin"] not in allowed:
        error = Forbidden("pages of this origin may not call: allow it under allowed_origins")
        error.reason = "origin"
        raise error


def receive(request: Request, body: bytes) -> Message:
    """Read the message that the body is. Raises ParseError, InvalidRequest or InvalidParams."""
    content_type = request.headers.get(b"content-type", b"")
    if content_type != b"application/json" and not _is_json(content_type):
        raise InvalidRequest("the request's Content-Type is not application/json")
    return read_message(body)


def _is_json(content_type: bytes) -> bool:
    return content_type.partition(b";")[0].strip().lower() == b"application/json"
