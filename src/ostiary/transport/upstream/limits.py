"""How much one MCP server may make us hold, and how long we wait for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """Bounds of one server's connections. Times in seconds."""

    timeout: float = 30.0
    """From the request to the head of its answer, and between two pieces of it."""
    connect_timeout: float = 5.0
    connections: int = 256
    answer_bytes: int = 16 * 1024 * 1024
