"""How much one caller may make a listener hold, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
CONNECTIONS = 10_000
TLS_CONNECTIONS = 2_000
"""Where we speak TLS ourselves: a connection holds 35 KiB then, and 7 otherwise."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a listener. Sizes in bytes, times in seconds."""

    body_bytes: int = 4 * MIB
    """The longest request body; a longer one is answered 413, also when it is only declared."""
    head_bytes: int = 32 * 1024
    """The longest request line and headers together; longer ones are answered 431, longer trailers too."""
    header_count: int = 100
    """The most headers of one request; more are answered 431."""
    head_timeout: float = 10.0
    """From the connection, or the first byte of a later request, to the end of its head."""
    body_timeout: float = 30.0
    """From the end of the head to the end of the body."""
    write_timeout: float = 30.0
    """How long a reader may take for 32 KiB that wait for it; one that takes longer is cut off."""
    idle_timeout: float = 75.0
    """How long a connection may wait for its next request."""
    drain_timeout: float = 4.0
    """How long a request that is half read may still take when the listener stops; then it is told 503."""
    finish_timeout: float | None = None
    """How long what is under way may still take when the listener stops; then it is cut off. Default: 5 s."""
    connections: int = CONNECTIONS
    """How many connections may be open at once; for further ones, idle ones are closed."""
    address_connections: int = CONNECTIONS
    """How many of them one address may have; for further ones, idle ones of its own are closed."""
    unproven_bytes: int = 64 * MIB
    """How much is held for all requests together of whose senders nothing is known yet."""
    caller_bytes: int = 128 * MIB
    """How much is held of all requests of one proven caller, until they are answered."""
    memory_bytes: int = 1024 * MIB
    """How much is held of all requests of all proven callers together."""
