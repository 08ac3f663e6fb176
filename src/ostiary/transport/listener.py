"""What every listener refuses: framing tricks, floods, and slow senders.

uvicorn's httptools protocol, with bounds on head, body and time, and one reading of where a message
ends (RFC 9112 section 6: two Content-Lengths, or one beside Transfer-Encoding, is how requests are smuggled).
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ostiary.transport.limits import Limits

TOO_LONG = frozenset({HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE})


class Refused(Exception):
    """A request that is answered without being read further, and after which the connection closes."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Phase(IntEnum):
    """Where in a request the sender is."""

    BETWEEN = 0
    HEAD = 1
    BODY = 2
    LEAVING = 3


BETWEEN, HEAD, BODY, LEAVING = Phase
LINGER_SECONDS = 2.0
"""How long we read on after refusing something long: closing on unread bytes would destroy our answer."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection. Deadlines are watched by a sweep from outside (`expire`), not by a timer a request."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
        hosts: frozenset[bytes] | None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # Without this the parser goes on reading after a message that closes the connection.
        self.parser = httptools.HttpRequestParser(self)
        self.limits = limits
        self.hosts = hosts
        self.phase = HEAD
        self.since: float | None = None
        self.chunk_bytes = 0
        self.excused_bytes = 0
        self.head_bytes = 0
        self.body_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.since = self.loop.time()
        if len(self.connections) > self.limits.connections:
            self.refuse(Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again later"))

    def expire(self, now: float) -> None:
        """Close if whatever the sender owes is overdue. Called about once a second."""
        if self.since is None or self.transport.is_closing():
            return
        waited = now - self.since
        if self.phase is HEAD and waited > self.limits.head_timeout:
            self.refuse(Refused(HTTPStatus.REQUEST_TIMEOUT, "the request head took too long"))
        elif self.phase is BODY and waited > self.limits.body_timeout:
            self.refuse(Refused(HTTPStatus.REQUEST_TIMEOUT, "the request body took too long"))
        elif (self.phase is BETWEEN and waited > self.limits.idle_timeout) or (
            self.phase is LEAVING and waited > LINGER_SECONDS
        ):
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        self.chunk_bytes = len(data)
        if self.phase is HEAD:
            self.head_bytes += len(data)
        elif self.phase is LEAVING:
            return
        else:
            self.excused_bytes = 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            self._refuse_for(error)
            return
        except httptools.HttpParserError:
            self.refuse(Refused(HTTPStatus.BAD_REQUEST, "this is not a well-formed HTTP request"))
            return
        if self.phase is HEAD and self.head_bytes - self.excused_bytes > self.limits.head_bytes:
            self.refuse(_too_long_head(self.limits.head_bytes))
        elif self.phase is not BETWEEN and self.since is None:
            self.since = self.loop.time()

    def on_message_begin(self) -> None:
        self.phase = HEAD
        self.since = None
        self.head_bytes = self.chunk_bytes  # an upper bound, so that the exact sum is rarely needed
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        self.head_is_read(dict(self.headers))
        self.hand_on()

    def head_is_read(self, headers: dict[bytes, bytes]) -> None:
        """Raise Refused unless the head is within bounds, ends in one place, and is meant for us."""
        if self.head_bytes > self.limits.head_bytes or len(self.headers) > self.limits.header_count:
            self._check_size()
        if len(headers) != len(self.headers):
            self._check_repeated()
        if self.parser.should_upgrade():  # the parser would take the body for another protocol, or request
            raise Refused(HTTPStatus.BAD_REQUEST, "nothing is upgraded here; leave out Upgrade")
        coding = headers.get(b"transfer-encoding")
        if coding is not None:
            self._check_coding(coding, headers)
        elif int(headers.get(b"content-length", 0)) > self.limits.body_bytes:
            raise _too_long_body(self.limits.body_bytes)
        host = headers.get(b"host", b"")
        hosts = self.hosts
        if not host or (hosts is not None and host not in hosts and host.lower() not in hosts):
            raise Refused(HTTPStatus.BAD_REQUEST, "the request names no Host, or another one")
        self.phase = BODY
        self.since = None
        self.body_bytes = 0

    def hand_on(self) -> None:
        """Let uvicorn make an ASGI request of the head that was read."""
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.expect_100_continue = url, expect
        self.headers.extend(headers)
        try:
            HttpToolsProtocol.on_headers_complete(self)
        except httptools.HttpParserInvalidURLError:
            raise Refused(HTTPStatus.BAD_REQUEST, "the request names no readable target") from None

    def on_body(self, body: bytes) -> None:
        self.count_body(len(body))
        self.hand_on_body(body)

    def hand_on_body(self, body: bytes) -> None:
        """Let uvicorn have this piece of the body."""
        super().on_body(body)

    def count_body(self, size: int) -> None:
        """Add to the body's length; raises Refused when it is too long."""
        self.body_bytes += size
        if self.body_bytes > self.limits.body_bytes:
            raise _too_long_body(self.limits.body_bytes)

    def on_message_complete(self) -> None:
        self.phase = BETWEEN
        self.since = None
        self.excused_bytes = self.chunk_bytes  # a head that begins behind it has less than this of the chunk
        super().on_message_complete()

    def refuse(self, refused: Refused) -> None:
        """Answer and close, unless an answer is already on its way."""
        if self.transport.is_closing() or self.phase is LEAVING:
            return
        answering = bool(self.cycle) and self.cycle.response_started and not self.cycle.response_complete
        if not answering:
            body = f"{refused.reason}\n".encode()
            self.transport.write(
                b"HTTP/1.1 %d %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
                b"connection: close\r\n\r\n%s"
                % (refused.status, refused.status.phrase.encode(), len(body), body)
            )
        if refused.status in TOO_LONG and self.transport.can_write_eof():
            self.transport.write_eof()
            self.phase, self.since = LEAVING, self.loop.time()
        else:
            self.transport.close()

    def _refuse_for(self, error: httptools.HttpParserCallbackError) -> None:
        cause = error.__context__
        if not isinstance(cause, Refused):
            self.transport.close()
            raise error
        self.refuse(cause)

    def _check_size(self) -> None:
        if len(self.headers) > self.limits.header_count:
            reason = f"the request has more than {self.limits.header_count} headers"
            raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason)
        if (
            len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            > self.limits.head_bytes
        ):
            raise _too_long_head(self.limits.head_bytes)

    def _check_repeated(self) -> None:
        names = [name for name, _ in self.headers]
        for name in (b"host", b"content-length", b"transfer-encoding", b"authorization", b"content-type"):
            if names.count(name) > 1:
                raise Refused(HTTPStatus.BAD_REQUEST, f"the request has more than one {name.decode()} header")

    def _check_coding(self, coding: bytes, headers: dict[bytes, bytes]) -> None:
        if b"content-length" in headers:
            raise Refused(HTTPStatus.BAD_REQUEST, "the request has both Content-Length and Transfer-Encoding")
        if coding.lower() != b"chunked":
            raise Refused(HTTPStatus.BAD_REQUEST, "the only Transfer-Encoding taken is chunked")


def _too_long_head(limit: int) -> Refused:
    return Refused(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the request head is longer than {limit} bytes"
    )


def _too_long_body(limit: int) -> Refused:
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request body is longer than {limit} bytes")
