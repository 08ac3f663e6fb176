"""Requests answered inside the protocol, without ASGI: a gateway's calls, an authorization server's tokens.

A `Door` is a path whose POST requests are read whole and handed to a coroutine, which is stepped in
place and gives back an `Answer` or a `StreamedAnswer`. A door may be for GET instead: a document that
everybody asks for. All else on the listener goes on to ASGI.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog

from ostiary.transport.forwarded import TrustedProxies
from ostiary.transport.listener import BETWEEN, GuardedProtocol, Refused
from ostiary.transport.outbox import Outbox
from ostiary.transport.stepping import Stepped, Stepper

log = structlog.get_logger("ostiary.transport")

MOST_PIPELINED = 16


class Request:
    """One request to a door, whole. Header names are lower case; `repeated` says that some came twice."""

    __slots__ = ("body", "certificate", "door", "headers", "keep_alive", "peer", "repeated")

    def __init__(
        self, door: Door, headers: dict[bytes, bytes], repeated: frozenset[bytes], keep_alive: bool
    ) -> None:
        self.door = door
        self.headers = headers
        self.repeated = repeated
        self.keep_alive = keep_alive
        self.body = b""
        self.peer = ""
        """The address at the other end, beyond the proxies that the operator named."""
        self.certificate: bytes | None = None
        """The client's certificate in DER, where TLS asked for one and checked it."""


@dataclass(slots=True)
class Answer:
    """A whole answer. `headers` are ready-made lines, each with its line break."""

    status: int
    body: bytes
    headers: bytes = b"content-type: application/json\r\n"


@dataclass(slots=True)
class StreamedAnswer:
    """An answer that goes out as it is made.

    close: called when no more of it is wanted, also when none of it ever was.
    """

    status: int
    chunks: AsyncIterator[bytes]
    headers: bytes
    close: Callable[[], None]


Door = Callable[[Request], Stepped[Answer | StreamedAnswer]]
"""What answers one kind of request of one path. It raises nothing: whatever goes wrong is an Answer."""
Doors = Mapping[bytes, Door]
"""Path → door, as the request line has it."""
NO_DOORS: Doors = {}

STATUS_LINES = {int(status): f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
NOTHING_REPEATED: frozenset[bytes] = frozenset()


class DirectProtocol(GuardedProtocol):
    """One connection, on which calls are answered in the order they came."""

    def __init__(
        self,
        *arguments: Any,
        doors: Doors,
        documents: Doors,
        proxies: TrustedProxies,
        outbox: Outbox,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.doors = {b"POST": doors, b"GET": documents}
        self.proxies = proxies
        self.outbox = outbox
        self.reading: Request | None = None
        self.body_parts: list[bytes] = []
        self.waiting: deque[Request] = deque()
        self.current: Request | None = None
        self.stepper: Stepper[Answer | StreamedAnswer] | None = None
        self.streaming: asyncio.Task[None] | None = None
        self.peer = ""
        self.certificate: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.peer = self.client[0] if self.client else ""
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.certificate = tls.getpeercert(binary_form=True)

    # reading

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        headers = dict(self.headers)
        self.head_is_read(headers)
        doors = self.doors.get(self.parser.get_method(), NO_DOORS)
        door = doors.get(self.url)
        if door is None and b"?" in self.url:
            door = doors.get(self.url.partition(b"?")[0])
        if door is None:
            self._hand_on(headers)
        else:
            self._begin(door, headers)

    def on_body(self, body: bytes) -> None:
        self.count_body(len(body))
        if self.reading is not None:
            self.body_parts.append(body)
        else:
            self.hand_on_body(body)

    def on_message_complete(self) -> None:
        request = self.reading
        if request is None:
            super().on_message_complete()
            return
        self.phase = BETWEEN
        self.since = None
        self.excused_bytes = self.chunk_bytes
        request.body = b"".join(self.body_parts)
        self.body_parts.clear()
        self.reading = None
        if self.current is None:
            self._call(request)
        else:
            self._line_up(request)

    def _begin(self, door: Door, headers: dict[bytes, bytes]) -> None:
        if self.cycle and not self.cycle.response_complete:
            raise Refused(
                HTTPStatus.BAD_REQUEST, "a call may not be pipelined behind another kind of request"
            )
        if b"expect" in headers and self.current is None:
            self.outbox.flush()
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        repeated = NOTHING_REPEATED if len(headers) == len(self.headers) else self._repeated()
        self.reading = Request(door, headers, repeated, self.parser.should_keep_alive())
        self.reading.peer = self.proxies.client(self.peer, headers.get(b"x-forwarded-for"))
        self.reading.certificate = self.certificate

    def _hand_on(self, headers: dict[bytes, bytes]) -> None:
        if self.current is not None:
            raise Refused(HTTPStatus.BAD_REQUEST, "only calls may be pipelined behind a call")
        self.client = (self.proxies.client(self.peer, headers.get(b"x-forwarded-for")), 0)
        self.expect_100_continue = headers.get(b"expect", b"").lower() == b"100-continue"
        self.hand_on()

    def _repeated(self) -> frozenset[bytes]:
        names = [name for name, _ in self.headers]
        return frozenset(name for name in names if names.count(name) > 1)

    # answering

    def _line_up(self, request: Request) -> None:
        self.waiting.append(request)
        if len(self.waiting) >= MOST_PIPELINED:
            self.flow.pause_reading()

    def _call(self, request: Request) -> None:
        self.current = request
        self.stepper = Stepper(request.door(request), self._finished)
        self.stepper.start()

    def _finished(self, answer: Answer | StreamedAnswer | None, error: BaseException | None) -> None:
        request, self.stepper = self.current, None
        if request is None or self.transport.is_closing():
            if isinstance(answer, StreamedAnswer):
                answer.close()
            return
        if answer is None:
            log.error("call_crashed", exception=_in_text(error))
            answer = Answer(
                500, b'{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"Internal error"}}'
            )
        if type(answer) is Answer:
            self._write(request, answer)
            self._next(request)
        elif isinstance(answer, StreamedAnswer):
            close = answer.close
            self.streaming = self.loop.create_task(self._stream(request, answer))
            self.streaming.add_done_callback(lambda _: close())

    def _write(self, request: Request, answer: Answer) -> None:
        self.outbox.write(
            self.transport,
            b"%s%scontent-length: %d\r\n%s\r\n%s"
            % (
                STATUS_LINES[answer.status],
                answer.headers,
                len(answer.body),
                b"" if request.keep_alive else b"connection: close\r\n",
                answer.body,
            ),
        )

    def _next(self, request: Request) -> None:
        self.current = None
        if not request.keep_alive:
            self.outbox.flush()
            self.transport.close()
        elif self.waiting:
            self.flow.resume_reading()
            self.current = self.waiting.popleft()
            self.loop.call_soon(self._call_in_turn, self.current)  # not from here: many would be many deep
        elif self.phase is BETWEEN:
            self.since = self.loop.time()

    def _call_in_turn(self, request: Request) -> None:
        if self.current is request:  # unless the connection was lost meanwhile
            self._call(request)

    async def _stream(self, request: Request, answer: StreamedAnswer) -> None:
        self.transport.write(
            b"%s%stransfer-encoding: chunked\r\n%s\r\n"
            % (
                STATUS_LINES[answer.status],
                answer.headers,
                b"" if request.keep_alive else b"connection: close\r\n",
            )
        )
        try:
            async for chunk in answer.chunks:
                if chunk:
                    self.transport.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    await self.flow.drain()
            self.transport.write(b"0\r\n\r\n")
        except Exception as error:  # noqa: BLE001 - the head is out: it can only end without its last chunk
            log.error("stream_broke", exception=_in_text(error))  # noqa: TRY400 - see _in_text
            request.keep_alive = False
        finally:
            self.streaming = None
        self._next(request)

    # leaving

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.clear()
        stepper, self.stepper, self.current = self.stepper, None, None
        if stepper is not None:
            stepper.cancel()
        if self.streaming is not None:
            self.streaming.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The listener drains: an idle connection closes, a call is answered first."""
        self.outbox.flush()
        if self.current is not None:
            self.current.keep_alive = False
            self.waiting.clear()
        else:
            super().shutdown()

    def refuse(self, refused: Refused) -> None:
        self.outbox.flush()
        if self.current is None:
            super().refuse(refused)
        else:
            self.current.keep_alive = False  # the answer under way is still owed; what follows it is not read
            self.waiting.clear()
            self.flow.pause_reading()


def _in_text(error: BaseException | None) -> str:
    """A renderer that is given the error itself may show local values, tokens among them."""
    return "".join(traceback.format_exception(error))
