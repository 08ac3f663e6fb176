"""TLS connections accepted, with so many handshakes under way at once and no more.

A connection costs us most before anything is known of its other end. So whoever dawdles makes room: when
there are too many, the oldest handshake is dropped, and one that takes its milliseconds is never the oldest.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

MOST_HANDSHAKES = 256
OUT_OF_DESCRIPTORS_PAUSE = 0.1
"""Seconds until we look whether the system has some again."""


async def accept_tls(
    sock: socket.socket,
    protocol: Callable[[], asyncio.Protocol],
    context: ssl.SSLContext,
    *,
    handshake_timeout: float,
) -> None:
    """Accept connections of a listening socket until cancelled, which ends the handshakes under way.

    handshake_timeout: seconds that one may take.
    """
    loop = asyncio.get_running_loop()
    pending: dict[asyncio.Task[None], None] = {}

    async def shake(connection: socket.socket) -> None:
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.connect_accepted_socket(
                protocol, connection, ssl=context, ssl_handshake_timeout=handshake_timeout
            )
        except (OSError, asyncio.CancelledError):  # its own doing, or ours: there is nobody to tell
            connection.close()

    try:
        while True:
            try:
                connection, _ = await loop.sock_accept(sock)
            except OSError:
                await asyncio.sleep(OUT_OF_DESCRIPTORS_PAUSE)
                continue
            task = loop.create_task(shake(connection))
            pending[task] = None
            task.add_done_callback(lambda done: pending.pop(done, None))
            if len(pending) > MOST_HANDSHAKES:
                oldest = next(iter(pending))
                del pending[oldest]
                oldest.cancel()
    finally:
        for task in list(pending):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*pending)
