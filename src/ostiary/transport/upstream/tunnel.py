"""A connection through a proxy: CONNECT, and then it is as if there were none. RFC 9110 section 9.3.6."""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

from ostiary.oauth.canonical_url import CanonicalUrl
from ostiary.transport.proxies import Proxy
from ostiary.transport.upstream.errors import in_the_systems_words

MOST_HEAD = 16 * 1024
"""The longest answer of a proxy."""


class TunnelRefused(Exception):
    """The proxy did not connect us. The message says which, and why."""


async def open_tunnel(proxy: Proxy, url: CanonicalUrl) -> asyncio.Transport:
    """A transport to the URL's host and port, on which nothing has come yet and nothing is read.

    Raises TunnelRefused. Cancelling it closes the connection.
    """
    loop = asyncio.get_running_loop()
    try:
        transport, asking = await loop.create_connection(
            lambda: _Asking(loop.create_future()), proxy.host.strip("[]"), proxy.port
        )
    except OSError as error:
        raise _refused(proxy, f"cannot be reached: {in_the_systems_words(error)}") from None
    try:
        transport.write(_request(proxy, url))
        head = await asking.answer
        _require_connected(proxy, url, head)
    except BaseException:
        transport.abort()
        raise
    return transport


async def start_tls(
    loop: asyncio.AbstractEventLoop,
    transport: asyncio.Transport,
    protocol: asyncio.Protocol,
    tls: ssl.SSLContext,
    url: CanonicalUrl,
) -> asyncio.Transport:
    """Speak TLS with the server at the other end of a tunnel. Raises ssl.SSLError, OSError."""
    within = await loop.start_tls(transport, protocol, tls, server_hostname=url.host.strip("[]"))
    if within is None:  # the connection was closed meanwhile
        raise OSError
    return within


class _Asking(asyncio.Protocol):
    """Reads the proxy's head, and not a byte beyond it."""

    def __init__(self, answer: asyncio.Future[bytes]) -> None:
        self.answer = answer
        self._head = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self.answer.done():
            return
        if b"\r\n\r\n" in self._head or len(self._head) > MOST_HEAD:
            self._transport.pause_reading()
            self.answer.set_result(bytes(self._head))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_result(b"")


def _request(proxy: Proxy, url: CanonicalUrl) -> bytes:
    place = f"{url.host}:{url.port}"
    proof = "" if proxy.authorization is None else f"proxy-authorization: {proxy.authorization}\r\n"
    return f"CONNECT {place} HTTP/1.1\r\nhost: {place}\r\n{proof}\r\n".encode("latin-1")


def _require_connected(proxy: Proxy, url: CanonicalUrl, head: bytes) -> None:
    start, ends, rest = head.partition(b"\r\n\r\n")
    version, _, status = start.partition(b"\r\n")[0].partition(b" ")
    if not ends or not version.startswith(b"HTTP/1.") or not status[:3].isdigit():
        raise _refused(proxy, "gave no answer that is HTTP")
    if not 200 <= int(status[:3]) < 300:
        raise _refused(proxy, f"does not connect to {url.authority}: it answered {int(status[:3])}")
    if rest:
        raise _refused(proxy, f"sent more than its answer before {url.authority} was asked")


def _refused(proxy: Proxy, why: str) -> TunnelRefused:
    return TunnelRefused(f"{proxy.named} {why}")
