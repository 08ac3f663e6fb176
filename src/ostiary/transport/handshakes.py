"""Connections that begin with a handshake, of TLS or with the header of a proxy: so many at once and no more.

A connection costs us most before anything is known of its other end. So whoever dawdles makes room: when
there are too many, the oldest handshake is dropped, and one that takes its milliseconds is never the oldest.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

from ostiary.event_log import event_log
from ostiary.transport.forwarded import NO_PROXIES, TrustedProxies
from ostiary.transport.proxy_protocol import LONGEST, ProxyHeaderRefused, read_proxy_header

log = event_log("ostiary.transport")

MOST_HANDSHAKES = 256
OUT_OF_DESCRIPTORS_PAUSE = 0.1
"""Seconds until we look whether the system has some again."""


async def accept_connections(
    sock: socket.socket,
    protocol: Callable[[str], asyncio.Protocol],
    *,
    tls: ssl.SSLContext | None,
    proxies: TrustedProxies = NO_PROXIES,
    handshake_timeout: float,
) -> None:
    """Accept connections of a listening socket until cancelled, which ends the handshakes under way.

    protocol: makes one for an address that a proxy announced, "" for none; handshake_timeout: seconds that
    each part of one may take.
    """
    loop = asyncio.get_running_loop()
    pending: dict[asyncio.Task[None], None] = {}

    async def shake(connection: socket.socket, peer: str) -> None:
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            announced = ""
            if proxies.announce and proxies.has(peer):
                async with asyncio.timeout(handshake_timeout):
                    announced = await _announced(connection) or ""
            await loop.connect_accepted_socket(
                lambda: protocol(announced),
                connection,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else handshake_timeout,
            )
        except ProxyHeaderRefused as refused:
            log.warning("proxy_header_refused", address=peer, reason=str(refused))
            connection.close()
        except (OSError, asyncio.CancelledError):  # its own doing, or ours: there is nobody to tell
            connection.close()

    try:
        while True:
            try:
                connection, address = await loop.sock_accept(sock)
            except OSError:
                await asyncio.sleep(OUT_OF_DESCRIPTORS_PAUSE)
                continue
            task = loop.create_task(shake(connection, address[0]))
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


async def _announced(connection: socket.socket) -> str | None:
    """The address in the header, which is taken off and nothing behind it. Raises ProxyHeaderRefused."""
    taken = b""
    while True:
        try:
            seen = connection.recv(LONGEST, socket.MSG_PEEK)
        except BlockingIOError:
            await _readable(connection)
            continue
        if not seen:
            raise ConnectionAbortedError  # somebody who only looked whether we listen
        header = read_proxy_header(taken + seen)
        if header is not None:
            connection.recv(header.length - len(taken))
            return header.address
        taken += connection.recv(len(seen))


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    there = loop.create_future()
    loop.add_reader(connection, there.set_result, None)
    try:
        await there
    finally:
        loop.remove_reader(connection)
