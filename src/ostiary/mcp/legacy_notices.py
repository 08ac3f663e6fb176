"""What a server of MCP 2025-11-25 and before says of its own accord, and what it means to modern callers."""

from __future__ import annotations

from typing import NamedTuple

from ostiary.mcp.eras import PROGRESS_KEY
from ostiary.mcp.errors import McpError
from ostiary.mcp.raw_object import Raw, read_members, read_string, write_object

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Of log messages, the least important first (RFC 5424 section 6.2.1)."""
PROGRESS = "notifications/progress"
LOG = "notifications/message"
CANCELLED = "notifications/cancelled"
NOT_OF_MODERN = frozenset({"notifications/elicitation/complete", "notifications/tasks/status"})


def level_of(raw: Raw | None) -> int | None:
    """How important a raw level is, of `LEVELS`; None for what is none."""
    try:
        return LEVELS.index(read_string(raw, "level"))
    except (McpError, ValueError):
        return None


def log_level(params: Raw) -> int | None:
    """How important the log message with these parameters is."""
    try:
        return level_of(read_members(params).get("level"))
    except McpError:
        return None


class Progress(NamedTuple):
    """That of one request: its token, raw, and all the parameters."""

    token: bytes
    members: dict[str, Raw]

    def told(self, token: bytes) -> bytes:
        """The notification with the token that the caller chose."""
        params = write_object({**self.members, PROGRESS_KEY: token})
        return b'{"jsonrpc":"2.0","method":"%s","params":%s}' % (PROGRESS.encode(), params)


def read_progress(params: Raw) -> Progress | None:
    """None for what has no token."""
    try:
        members = read_members(params)
    except McpError:
        return None
    token = members.get(PROGRESS_KEY)
    return None if token is None else Progress(bytes(token), dict(members))


def cancelled_request(params: Raw) -> bytes | None:
    """The raw id of the request that its sender takes back."""
    try:
        raw = read_members(params).get("requestId")
    except McpError:
        return None
    return None if raw is None else bytes(raw)
