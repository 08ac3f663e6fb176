"""How much one caller may make a listener hold, and for how long."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a listener. Sizes in bytes, times in seconds."""

    body_bytes: int = 4 * 1024 * 1024
    """The longest request body; a longer one is answered 413, also when it is only declared."""
    head_bytes: int = 32 * 1024
    """The longest request line and headers together; longer ones are answered 431."""
    header_count: int = 100
    """The most headers of one request; more are answered 431."""
    head_timeout: float = 10.0
    """From the connection, or the first byte of a later request, to the end of its head."""
    body_timeout: float = 30.0
    """From the end of the head to the end of the body."""
    idle_timeout: float = 75.0
    """How long a connection may wait for its next request."""
    connections: int = 10_000
    """How many connections may be open at once; further ones are answered 503."""
