"""Writes of one turn of the event loop, made together at its end.

Whoever is written to wakes up, and on an idle core waking costs more than the write. Written one after
another, many answers wake their reader once; written each as it is made, they would wake it each time.
"""

from __future__ import annotations

import asyncio


class WriteBatch:
    """What is to be written to any number of transports, in the order it was handed over."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: list[tuple[asyncio.WriteTransport, bytes]] = []

    def write(self, transport: asyncio.WriteTransport, data: bytes) -> None:
        """Write before the loop waits again. Whoever writes to it otherwise, or closes it, flushes first."""
        if not self._pending:
            self._loop.call_soon(self.flush)
        self._pending.append((transport, data))

    def flush(self) -> None:
        """Write now."""
        pending, self._pending = self._pending, []
        for transport, data in pending:
            if not transport.is_closing():
                transport.write(data)
