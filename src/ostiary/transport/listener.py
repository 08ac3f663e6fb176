"""What every listener refuses: framing tricks, floods, slow senders, and readers who do not read.

uvicorn's httptools protocol, with bounds on head, body, framing and time, and one reading of where a message
ends (RFC 9112 section 6: two Content-Lengths, or one beside Transfer-Encoding, is how requests are smuggled).

What was decided on the head stays decided: trailers are counted and dropped. What has arrived is read no
further than it can be answered, so that a sender who is ahead of us waits, as bytes that a budget counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from enum import IntEnum
from http import HTTPStatus
from operator import itemgetter
from typing import Any, cast

import httptools
from starlette.responses import PlainTextResponse
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ostiary.transport.byte_budget import ByteBudget
from ostiary.transport.limits import Limits
from ostiary.transport.request_head import (
    OPTIONAL_WHITESPACE,
    RequestRefused,
    check_coding,
    check_expectation,
    check_repeated,
    check_size,
    foreign_host,
    split_absolute_form,
    too_long_body,
    too_long_head,
)


class Phase(IntEnum):
    """Where in a request the sender is."""

    BETWEEN = 0
    HEAD = 1
    BODY = 2
    LEAVING = 3


BETWEEN, HEAD, BODY, LEAVING = Phase
LINGER_SECONDS = 2.0
"""How long we read on after refusing something: closing on unread bytes would destroy our answer."""
SLICE = 4096
"""Bytes that are parsed at once where a message may end in them: what begins behind it is early."""
TURN_SECONDS = 0.005
"""How long what has come on one connection is parsed before others have their turn."""
BODY_SLICE = 64 * 1024
"""The same inside of a body whose end is known."""
FRAMING_BYTES = 64 * 1024
FRAMING_PER_BODY_BYTE = 8
"""What frames a chunked body may be so long, and so much longer for each of its bytes: a byte in a chunk of
its own has five."""
UNSENT_BYTES = 32 * 1024
"""With more than this waiting for its reader, a connection is not read on."""
LEAST_READ = 32 * 1024
"""A reader who takes at least this of what waits for it within `write_timeout` is only slow."""


class _Flow(FlowControl):
    """Tells when uvicorn wants more of a request, some of which may have come already."""

    def __init__(self, transport: asyncio.Transport, resumed: Callable[[], None]) -> None:
        super().__init__(transport)
        self._resumed = resumed

    def resume_reading(self) -> None:
        super().resume_reading()
        self._resumed()


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
        unproven: ByteBudget,
    ) -> None:
        """unproven: what is held for all connections together of whose senders nothing is known yet."""
        super().__init__(config, server_state, app_state, _loop)
        # Without this the parser goes on reading after a message that closes the connection.
        self.parser = httptools.HttpRequestParser(self)
        self.limits = limits
        self.hosts = hosts
        self.unproven = unproven
        self.budget = unproven
        self.held = 0
        self.phase = HEAD
        self.since: float | None = None
        self.is_proven = False
        self.unread = b""
        self.is_feeding = False
        self.is_deaf = False
        self.is_draining = False
        self.slice_bytes = 0
        self.slice_body_bytes = 0
        self.head_bytes = 0
        self.body_bytes = 0
        self.declared_bytes = 0
        self.framing_bytes = 0
        self.bytes_without_body = 0
        self.unsent: tuple[int, float] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.flow = _Flow(transport, self._read_on_if_resumed)
        transport.set_write_buffer_limits(UNSENT_BYTES)
        self.since = self.loop.time()
        if len(self.connections) > self.limits.connections:
            self.make_room_among(self.connections, self.limits.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_reading()
        self.hold(0)
        super().connection_lost(exc)

    # deadlines

    def expire(self, now: float) -> None:
        """Close if whatever the other side owes is overdue. Called about once a second."""
        if self not in self.connections:
            return  # it was lost in this turn
        self.settle()
        if self._reads_too_slowly(now):
            self.transport.abort()
        elif self.since is not None and not (self.flow.read_paused or self.transport.is_closing()):
            self._expire_sender(now - self.since)

    def _expire_sender(self, waited: float) -> None:
        if self.phase is HEAD and waited > self.limits.head_timeout:
            self.refuse(RequestRefused(HTTPStatus.REQUEST_TIMEOUT, "the request head took too long"))
        elif self.phase is BODY and waited > self.limits.body_timeout:
            self.refuse(RequestRefused(HTTPStatus.REQUEST_TIMEOUT, "the request body took too long"))
        elif (self.phase is BETWEEN and waited > self.limits.idle_timeout) or (
            self.phase is LEAVING and waited > LINGER_SECONDS
        ):
            self.transport.close()

    def _reads_too_slowly(self, now: float) -> bool:
        """Whether too much of what waits for the reader still does; also after we closed."""
        waiting = self.transport.get_write_buffer_size()
        if not waiting:
            self.unsent = None
        elif self.unsent is None or waiting <= self.unsent[0] - LEAST_READ:
            self.unsent = (waiting, now)
        return self.unsent is not None and now - self.unsent[1] > self.limits.write_timeout

    def pause_writing(self) -> None:
        """The reader is behind: what waits for it is held, too."""
        super().pause_writing()
        self.settle()

    def resume_writing(self) -> None:
        """The reader has caught up."""
        super().resume_writing()
        self.unsent = None  # however much waits by the next look, it is not what waited before
        if self.unread:
            self.read_on_soon()

    # reading

    def data_received(self, data: bytes) -> None:
        if self.is_deaf:
            return
        if self.unread or len(data) > SLICE or self.is_behind():
            self.unread += data
            self.read_on()
        else:
            self._feed(data)
            if self.held or self.phase is not BETWEEN:
                self.settle()

    def is_behind(self) -> bool:
        """Whether what came must be answered, or taken, before more is read."""
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if self.phase is BODY:  # whoever sends one may read the answer when all of it is sent
            return is_busy and len(self.cycle.body) > HIGH_WATER_LIMIT
        return self.flow.write_paused or (self.phase is BETWEEN and is_busy)

    def read_on(self) -> None:
        """Parse what has arrived, as far as it can be answered, and no longer than others can wait."""
        self.is_feeding = True
        until = time.monotonic() + TURN_SECONDS
        arrived, position = memoryview(self.unread), 0
        while position < len(arrived) and not (self.is_deaf or self.is_behind()):
            left = self.declared_bytes - self.body_bytes if self.phase is BODY else 0
            size = max(SLICE, min(left, BODY_SLICE))
            self._feed(arrived[position : position + size])
            position += size
            self.flush()  # or nobody knew that the answers pile up
            if time.monotonic() > until:
                self.loop.call_soon(self._read_on_unless_lost)
                break
        self.is_feeding = False
        self.unread = b"" if self.is_deaf else bytes(arrived[position:])
        if not self.transport.is_closing():
            if self.unread:
                self.flow.pause_reading()
            elif not self.is_deaf:
                self.flow.resume_reading()
            self.settle()

    def flush(self) -> None:
        """Hand over to the system what was answered."""

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()  # a timer of uvicorn's, which sees no call; `expire` does this
        if not self.transport.is_closing():
            if self.is_deaf and self.cycle.response_complete:
                self.linger()  # the last answer that was owed
            self.settle()

    def read_on_soon(self) -> None:
        """Something was answered, or taken: more can be read. Not from here: many would be many deep."""
        if not self.is_feeding:
            self.loop.call_soon(self._read_on_unless_lost)

    def _read_on_if_resumed(self) -> None:
        if self.unread:
            self.read_on_soon()

    def _read_on_unless_lost(self) -> None:
        if not self.transport.is_closing():
            self.read_on()

    def _feed(self, data: bytes | memoryview) -> None:
        self.slice_bytes = size = len(data)
        if self.phase is HEAD:
            self.head_bytes += size
        self.slice_body_bytes = 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            self._refuse_for(error)
            return
        except httptools.HttpParserError:
            self.refuse(RequestRefused(HTTPStatus.BAD_REQUEST, "this is not a well-formed HTTP request"))
            return
        if self.phase is HEAD and self.head_bytes - SLICE > self.limits.head_bytes:
            self.refuse(too_long_head(self.limits.head_bytes))
        elif self.phase is BODY:
            self._count_framing(size - self.slice_body_bytes)

    def _count_framing(self, size: int) -> None:
        """Bound what is neither head nor body: chunk sizes, extensions, trailers."""
        self.framing_bytes += size
        self.bytes_without_body = 0 if self.slice_body_bytes else self.bytes_without_body + size
        if self.bytes_without_body - SLICE > self.limits.head_bytes:
            self.refuse(
                RequestRefused(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    f"a chunk extension or the trailers are longer than {self.limits.head_bytes} bytes",
                )
            )
        elif self.framing_bytes > FRAMING_BYTES + FRAMING_PER_BODY_BYTE * self.body_bytes:
            self.refuse(
                RequestRefused(
                    HTTPStatus.BAD_REQUEST, "the request has far more framing than body; send longer chunks"
                )
            )

    def settle(self) -> None:
        """After all that came was parsed: what does its sender still owe, and what is held of it?"""
        if self.is_deaf:
            self.hold(self.transport.get_write_buffer_size())
            return
        if self.since is None and not (self.phase is BETWEEN and self.is_answering()):
            self.since = self.loop.time()
        self.hold_what_there_is()

    def hold_what_there_is(self) -> None:
        """Note how much is held: to be written, to be read, and of requests."""
        self.hold(self.transport.get_write_buffer_size() + len(self.unread) + self.partial_bytes())

    def partial_bytes(self) -> int:
        """How much is held of the request that is not whole, or not answered yet."""
        if self.phase is HEAD:
            return self.head_bytes
        is_busy = self.cycle is not None and not self.cycle.response_complete
        return self.body_bytes if is_busy else 0  # a page may keep what it was given until it answers

    def hold(self, size: int) -> None:
        """Note how much is held for this connection."""
        if size != self.held:
            account = self.account() if size else self.budget
            if account is not self.budget:
                self.budget.hold(self, 0)
                self.budget = account
            self.held = size
            account.hold(self, size)

    def account(self) -> ByteBudget:
        """Whose budget what is held counts in."""
        return self.unproven

    def evict(self) -> None:
        """Others need the room."""
        self.held = 0
        if self.transport.get_write_buffer_size():
            self.loop.call_soon(self.transport.abort)
            return
        crowded = RequestRefused(
            HTTPStatus.SERVICE_UNAVAILABLE, "too much is being sent at once; try again later"
        )
        self.loop.call_soon(self.refuse, crowded)  # what holds too much may be in the middle of a step

    def on_message_begin(self) -> None:
        self.phase = HEAD
        self.since = None
        self.head_bytes = self.slice_bytes  # an upper bound, so that the exact sum is rarely needed
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.phase is HEAD:  # a trailer is no header: what the head says was decided on (RFC 9110 6.5.1)
            self.headers.append((name.lower(), value.rstrip(OPTIONAL_WHITESPACE)))

    def on_headers_complete(self) -> None:
        headers = dict(self.headers)
        self.head_is_read(headers)
        self.hand_on(headers)

    def head_is_read(self, headers: dict[bytes, bytes]) -> None:
        """Raise Refused unless the head is within bounds, ends in one place, and is meant for us."""
        if self.head_bytes > self.limits.head_bytes or len(self.headers) > self.limits.header_count:
            check_size(
                self.url,
                self.headers,
                most_bytes=self.limits.head_bytes,
                most_fields=self.limits.header_count,
            )
        if len(headers) != len(self.headers):
            check_repeated(self.headers)
        if self.parser.should_upgrade():  # the parser would take the body for another protocol, or request
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "nothing is upgraded here; leave out Upgrade")
        coding = headers.get(b"transfer-encoding")
        self.declared_bytes = 0
        if coding is not None:
            check_coding(coding, self.parser.get_http_version(), has_length=b"content-length" in headers)
        else:
            self.declared_bytes = int(headers.get(b"content-length", 0))
            if self.declared_bytes > self.limits.body_bytes:
                raise too_long_body(self.limits.body_bytes)
        if b"expect" in headers:
            check_expectation(headers, self.parser.get_http_version())
        host = headers.get(b"host", b"")
        if not host:
            raise foreign_host()
        if not self.url.startswith(b"/") and self.url != b"*":
            self._take_absolute_form(headers)
        elif self.hosts is not None and host not in self.hosts and host.lower() not in self.hosts:
            raise foreign_host()
        self.phase = BODY
        self.since = None
        self.body_bytes = self.framing_bytes = self.bytes_without_body = 0

    def _take_absolute_form(self, headers: dict[bytes, bytes]) -> None:
        """Read a whole URL as the path it is here; its authority counts, and not Host (RFC 9112 3.2.2)."""
        parts = split_absolute_form(self.url)
        if parts is None:
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "the request names no readable target")
        authority, self.url = parts
        if self.hosts is not None and authority not in self.hosts:
            raise RequestRefused(HTTPStatus.MISDIRECTED_REQUEST, "the request is for another host")
        headers[b"host"] = authority
        self.headers = [(name, authority if name == b"host" else value) for name, value in self.headers]

    def hand_on(self, headers: dict[bytes, bytes]) -> None:
        """Let uvicorn make an ASGI request of the head that was read."""
        url, lines = self.url, self.headers
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.expect_100_continue = url, b"expect" in headers
        self.headers.extend(lines)
        try:
            HttpToolsProtocol.on_headers_complete(self)
        except httptools.HttpParserInvalidURLError:
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "the request names no readable target") from None
        if self.is_draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self.count_body(len(body))
        self.hand_on_body(body)

    def hand_on_body(self, body: bytes) -> None:
        """Let uvicorn have this piece of the body."""
        super().on_body(body)

    def count_body(self, size: int) -> None:
        """Add to the body's length; raises Refused when it is too long."""
        self.body_bytes += size
        self.slice_body_bytes += size
        if self.body_bytes > self.limits.body_bytes:
            raise too_long_body(self.limits.body_bytes)

    def on_message_complete(self) -> None:
        self.phase = BETWEEN
        self.since = None
        super().on_message_complete()

    # leaving

    def shutdown(self) -> None:
        """The listener drains: what is half read is read to its end and answered, or told it is too late."""
        self.is_draining = True
        if self.is_half_read():
            if self.phase is BODY and self.cycle is not None:
                self.cycle.keep_alive = False
            self.loop.call_later(self.limits.drain_timeout, self._give_up)
        else:
            super().shutdown()

    def is_half_read(self) -> bool:
        """Whether a request has begun to come and is not whole."""
        return self.phase is BODY or (self.phase is HEAD and self.head_bytes > 0)

    def _give_up(self) -> None:
        if self.is_half_read():
            self.refuse(
                RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, "the server is stopping; send it again")
            )
        elif not self.transport.is_closing():
            self.shutdown()  # what was half read is whole, and may have had its answer before

    def make_room_among(self, connections: Iterable[object], most: int) -> None:
        """Close those that have kept us waiting longest, strangers first; this one if there are none."""
        others = [other for other in connections if isinstance(other, GuardedProtocol) and other is not self]
        waiting = [
            (other.is_proven, other.is_half_read(), other.since, other)
            for other in others
            if other.may_make_way()
        ]
        waiting.sort(key=itemgetter(0, 1, 2))
        for *_, other in waiting[: max(1, most // 64)]:
            other.transport.close()
        if not waiting:
            self.refuse(
                RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again later")
            )
            self.transport.close()

    def may_make_way(self) -> bool:
        """Whether we wait for a next request, or for what a stranger still owes of one."""
        if self.since is None or self.transport.is_closing() or self.is_answering():
            return False
        return not (self.is_proven and self.is_half_read())

    def is_answering(self) -> bool:
        """Whether a whole request has no whole answer yet."""
        is_busy = self.cycle is not None and not self.cycle.response_complete
        return is_busy and (bool(self.pipeline) or not self.cycle.more_body)

    def refuse(self, refused: RequestRefused) -> None:
        """Answer and close, after the answers to whole requests that came before."""
        if self.transport.is_closing() or self.phase is LEAVING:
            return
        if self.is_answering():
            self._refuse_in_turn(refused)
            return
        has_begun = False
        if self.cycle is not None and not self.cycle.response_complete:
            has_begun = self.cycle.response_started
            self._abandon_page()
        if not has_begun:
            self.write_refusal(refused)
        self.linger()

    def write_refusal(self, refused: RequestRefused) -> None:
        """What is answered to a request that is not read."""
        body = f"{refused.reason}\n".encode()
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%s" % (refused.status, refused.status.phrase.encode(), len(body), body)
        )

    def _refuse_in_turn(self, refused: RequestRefused) -> None:
        """Answer what was whole, then what is refused if it was to be a page; else the end tells it."""
        self.stop_reading()
        if self.cycle.more_body:
            answer = PlainTextResponse(f"{refused.reason}\n", refused.status)
            self.pipeline[0] = (self.cycle, cast("ASGI3Application", answer))

    def _abandon_page(self) -> None:
        """The request that it answers is refused: for it, the caller has left."""
        self.cycle.disconnected = True
        self.cycle.body.clear()
        self.cycle.message_event.set()

    def stop_reading(self) -> None:
        """Whatever still comes is dropped unread."""
        self.is_deaf = True
        self.unread = b""

    def linger(self) -> None:
        """Close, and for a moment take what is still being sent, without reading it."""
        self.stop_reading()
        if self.transport.can_write_eof():
            with contextlib.suppress(OSError):  # the other end may have gone, unnoticed yet
                self.transport.write_eof()
            self.flow.resume_reading()
            self.phase, self.since = LEAVING, self.loop.time()
        else:
            self.transport.close()

    def _refuse_for(self, error: httptools.HttpParserCallbackError) -> None:
        cause = error.__context__
        if not isinstance(cause, RequestRefused):
            self.stop_reading()
            self.transport.close()
            raise error
        self.refuse(cause)
