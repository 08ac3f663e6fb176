"""Messages to a server over streamable HTTP, stateless: MCP 2026-07-28."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from ostiary import __version__
from ostiary.mcp.eras import MODERN

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import Headers
    from ostiary.gateway.upstreams.session import OutgoingMessage
    from ostiary.transport.upstream import Upstream, UpstreamAnswer


class StreamableHttp:
    """An UpstreamSession over a pool of connections."""

    version = MODERN

    def __init__(self, pool: Upstream) -> None:
        self.url = pool.url
        self.timeout = pool.limits.timeout
        self.answer_bytes = pool.limits.answer_bytes
        self.held = pool.held
        self._pool = pool
        self._own_lines = (
            f"POST {pool.url.target} HTTP/1.1\r\nhost: {pool.url.authority}\r\n"
            f"user-agent: ostiary/{__version__}\r\ncontent-type: application/json\r\n"
            f"accept: application/json, text/event-stream\r\naccept-encoding: {pool.accept_encoding}\r\n"
            f"mcp-protocol-version: {MODERN}\r\n"
        ).encode()
        self._attached: tuple[Headers | None, bytes] = (None, self._own_lines)

    def exchange(self, message: OutgoingMessage, attached: Headers) -> Awaitable[UpstreamAnswer]:
        """As of every UpstreamSession."""
        if attached is not self._attached[0]:
            written = "".join(f"{name}: {value}\r\n" for name, value in attached)
            self._attached = (attached, self._own_lines + written.encode("latin-1"))
        body = message.body
        request = b"%s%scontent-length: %d\r\n\r\n%s" % (self._attached[1], message.lines, len(body), body)
        return self._pool.exchange(request, message.account, message.most_bytes, message.timeout)

    def is_outdated(self, _: UpstreamAnswer) -> bool:
        """As of every UpstreamSession."""
        return False

    @property
    def is_busy(self) -> bool:
        """As of every UpstreamSession."""
        return self._pool.is_busy

    def close(self) -> None:
        """Drop all connections."""
        self._pool.close()
