"""How much one MCP server may make us hold, and how long we wait for it."""

from __future__ import annotations

from dataclasses import dataclass

FRAME_BYTES = 8
"""For each byte of content, so many more may frame it: chunks of one byte have five."""


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """Bounds of one server's connections. Times in seconds."""

    timeout: float = 30.0
    """From the request to the head of its answer, and between two pieces of it."""
    connect_timeout: float = 5.0
    connections: int = 256
    """How many calls may be under way at once."""
    caller_connections: int = 32
    """How many of them may be one caller's."""
    waiting_calls: int = 1024
    """How many more calls of one caller may wait."""
    queue: int = 8192
    """How many calls of all callers together may wait. Beyond, who has none waiting may have one."""
    waiting_bytes: int = 4 * 1024 * 1024
    """How long these may be together."""
    answer_bytes: int = 16 * 1024 * 1024
    """The longest answer, and the longest event of a stream."""
    held_bytes: int = 64 * 1024 * 1024
    """How much of large answers is held at once."""
    head_bytes: int = 64 * 1024
    """The longest head of an answer, with the heads before it (1xx); and how much else that is no content may
    come at once, be it trailers, chunk extensions or frames."""
    header_count: int = 200
    """The most header fields of an answer, of the heads before it and of its trailers."""
