"""One connection whose calls are answered inside the protocol (see `inline_http`), over uvicorn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from ostiary.crash_text import crash_text
from ostiary.event_log import event_log
from ostiary.inline_coroutines import InlineFuture, InlineRunner
from ostiary.transport.address_shares import AddressShares
from ostiary.transport.byte_budget import BudgetsByOwner, ByteBudget
from ostiary.transport.forwarded import TrustedProxies
from ostiary.transport.inline_http import Answer, Caller, Door, Doors, Request, StreamedAnswer
from ostiary.transport.limits import Limits
from ostiary.transport.listener import BETWEEN, BODY, TURN_SECONDS, GuardedProtocol
from ostiary.transport.request_head import RequestRefused
from ostiary.transport.shown_certificates import shown_chain
from ostiary.transport.write_batch import WriteBatch

log = event_log("ostiary.transport")

LINED_UP_BYTES = 2048
"""What a request that waits for its turn is counted as, beside its body."""
NO_DOORS: Mapping[bytes, Door] = {}
STATUS_LINES = {int(status): f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
LAST_CHUNK = b"0\r\n\r\n"
PLAIN = b"content-type: text/plain; charset=utf-8\r\n"
NOTHING_REPEATED: frozenset[bytes] = frozenset()


class InlineHttpProtocol(GuardedProtocol):
    """One connection, on which calls are answered in the order they came."""

    def __init__(  # noqa: PLR0913 - uvicorn's, and ours by name
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: Limits,
        hosts: frozenset[bytes] | None,
        unproven: ByteBudget,
        doors: Doors,
        proxies: TrustedProxies,
        write_batch: WriteBatch,
        callers: BudgetsByOwner,
        shares: AddressShares,
        announced: str = "",
    ) -> None:
        """announced: whose connection it is, where a proxy said so ahead."""
        super().__init__(
            config, server_state, app_state, _loop, limits=limits, hosts=hosts, unproven=unproven
        )
        self.doors = doors
        self.proxies = proxies
        self.write_batch = write_batch
        self.callers = callers
        self.shares = shares
        self.caller: Caller | None = None
        self.reading: Request | None = None
        self.is_discarding = False
        self.body: bytes | bytearray = b""
        self.arrival: InlineFuture[bytes] | None = None
        self.waiting: deque[Request] = deque()
        self.current: Request | None = None
        self.runner: InlineRunner[Answer | StreamedAnswer] | None = None
        self.streaming: asyncio.Task[None] | None = None
        self.is_standing = False
        self.peer = announced
        self.certificate: bytes | None = None
        self.certificate_chain: tuple[bytes, ...] = ()
        self.connected_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        if not self.peer and self.client:
            self.peer = self.client[0]
        neighbours = self.shares.join(self.peer, self)
        if len(neighbours) > self.shares.most and not self.transport.is_closing():
            self.make_room_among(neighbours, self.shares.most)
        self.connected_at = self.loop.time()
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.certificate = tls.getpeercert(binary_form=True)
            self.certificate_chain = shown_chain(tls)

    # reading

    def is_behind(self) -> bool:
        if self.phase is BETWEEN and (self.current is not None or self.waiting):
            return True
        return super().is_behind()

    def flush(self) -> None:
        self.write_batch.flush()

    def partial_bytes(self) -> int:
        under_way = 0 if self.current is None else len(self.current.body or b"")
        lined_up = under_way + sum(LINED_UP_BYTES + len(request.body or b"") for request in self.waiting)
        if self.phase is not BODY:
            return lined_up + super().partial_bytes()
        if self.reading is not None:
            return lined_up + self.head_bytes + len(self.body)
        return lined_up if self.is_discarding else super().partial_bytes()

    def on_headers_complete(self) -> None:
        headers = dict(self.headers)
        self.head_is_read(headers)
        method = self.parser.get_method()
        doors = self.doors.get(method, NO_DOORS)
        door = doors.get(self.url)
        if door is None and b"?" in self.url:
            door = doors.get(self.url.partition(b"?")[0])
        if door is None:
            self._pass_on(headers)
        else:
            self._begin(door, method, headers)

    def on_body(self, body: bytes) -> None:
        self.count_body(len(body))
        if self.reading is None:
            if not self.is_discarding:
                self.hand_on_body(body)
        elif not self.body:
            self.body = body
        else:
            if type(self.body) is bytes:
                self.body = bytearray(self.body)
            self.body += body

    def on_message_complete(self) -> None:
        request = self.reading
        if request is None and not self.is_discarding:
            super().on_message_complete()
            return
        self.phase = BETWEEN
        self.since = self.loop.time() if self.is_discarding and self.current is None else None
        self.is_discarding = False
        if request is not None:
            self._is_whole(request)

    def _begin(self, door: Door, method: bytes, headers: dict[bytes, bytes]) -> None:
        if self.cycle and not self.cycle.response_complete:
            raise RequestRefused(
                HTTPStatus.BAD_REQUEST, "a call may not be pipelined behind another kind of request"
            )
        repeated = NOTHING_REPEATED if len(headers) == len(self.headers) else self._repeated()
        keep_alive = self.parser.should_keep_alive() and not self.is_draining
        self.reading = Request(door, headers, repeated, keep_alive=keep_alive, arriving=self._arriving)
        self.reading.method = method
        self.reading.peer = self.proxies.client(self.peer, headers.get(b"x-forwarded-for"))
        self.reading.certificate, self.reading.certificate_chain = self.certificate, self.certificate_chain
        self.reading.connected_at = self.connected_at
        query_at = self.url.find(b"?")
        if query_at >= 0:
            self.reading.query = self.url[query_at + 1 :]
        self.body = b""

    def settle(self) -> None:
        if self.reading is not None and self.current is None and not self.is_deaf:
            self._call(self.reading)  # its body is still to come: first the head decides
        super().settle()

    def account(self) -> ByteBudget:
        return self.unproven if self.caller is None else self.callers.of(self.caller.identity)

    def _arriving(self) -> InlineFuture[bytes]:
        request = self.current
        if request is not None:
            if b"expect" in request.headers and not self.body:
                self.write_batch.flush()
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._know(request)
        arrival: InlineFuture[bytes] = InlineFuture()
        self.arrival = arrival
        return arrival

    def _know(self, request: Request) -> None:
        """From now on, what is held is on account of whoever has proven to send this."""
        if request.caller is not None and request.caller is not self.caller:
            self.caller = request.caller
            self.is_proven = True
            self.hold(0)

    def _is_whole(self, request: Request) -> None:
        self.reading, body, self.body = None, self.body, b""
        request.body = bytes(body)
        if self.current is None:
            self._call(request)
        elif self.current is not request:
            self.waiting.append(request)
        elif self.arrival is not None:
            arrival, self.arrival = self.arrival, None
            arrival.set(request.body)

    def _discard_body(self, request: Request) -> None:
        """The head was enough for an answer: what still comes of the body is nobody's."""
        self.reading, self.body, self.arrival = None, b"", None
        self.is_discarding = True
        if b"expect" in request.headers:
            request.keep_alive = False  # it may come or not, and nobody could tell it from the next request

    def _pass_on(self, headers: dict[bytes, bytes]) -> None:
        if self.current is not None:
            raise RequestRefused(HTTPStatus.BAD_REQUEST, "only calls may be pipelined behind a call")
        self.client = (self.proxies.client(self.peer, headers.get(b"x-forwarded-for")), 0)
        self.hand_on(headers)

    def _repeated(self) -> frozenset[bytes]:
        names = [name for name, _ in self.headers]
        return frozenset(name for name in names if names.count(name) > 1)

    # answering

    def _call(self, request: Request) -> None:
        self.current = request
        self.runner = InlineRunner(request.door(request), self._finished)
        self.runner.start()

    def _finished(self, answer: Answer | StreamedAnswer | None, error: BaseException | None) -> None:
        request, self.runner = self.current, None
        if request is None or self.transport.is_closing():
            if isinstance(answer, StreamedAnswer):
                answer.close()
            return
        if answer is None:
            assert error is not None  # noqa: S101 - for the type checker: it is one or the other
            log.error("call_crashed", exception=crash_text(error))
            answer = Answer(500, b"something broke in the server; its log says what\n", PLAIN)
        self._know(request)
        if request.body is None:
            self._discard_body(request)
        if type(answer) is Answer:
            self._write(request, answer)
            self._next(request)
        elif isinstance(answer, StreamedAnswer):
            request.body = b""  # read, and streams may be long
            close = answer.close
            self.is_standing = answer.is_standing
            self.streaming = self.loop.create_task(self._stream(request, answer))
            self.streaming.add_done_callback(lambda _: close())

    def _write(self, request: Request, answer: Answer) -> None:
        self.write_batch.write(
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
            self.write_batch.flush()
            if self.is_discarding or self.is_deaf:  # more is on its way
                self.linger()
            else:
                self.transport.close()
        elif self.waiting:
            self.current = self.waiting.popleft()
            self.loop.call_soon(self._call_in_turn, self.current)  # not from here: many would be many deep
        elif self.unread or self.reading is not None:
            self.read_on_soon()
        elif self.phase is BETWEEN:
            self.since = self.loop.time()
        if self.held:
            self.hold_what_there_is()

    def _call_in_turn(self, request: Request) -> None:
        if self.current is request:  # unless the connection was lost meanwhile
            self._call(request)
            self.settle()

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
            until = self.loop.time() + TURN_SECONDS
            async for chunk in answer.chunks:
                if self.transport.is_closing():  # nobody reads: what is written is dropped, and never waits
                    return
                if chunk:
                    self.transport.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                    await self.flow.drain()
                if self.loop.time() > until:  # one who always has something, read as fast as it comes
                    await asyncio.sleep(0)
                    until = self.loop.time() + TURN_SECONDS
            self.transport.write(LAST_CHUNK)
        except Exception as error:  # noqa: BLE001 - the head is out: it can only end without its last chunk
            log.error("stream_broke", exception=crash_text(error))  # noqa: TRY400 - its text
            request.keep_alive = False
        finally:
            self.streaming = None
        self._next(request)

    # leaving

    def connection_lost(self, exc: Exception | None) -> None:
        self.shares.leave(self.peer, self)
        self.waiting.clear()
        self._forget_call()
        if self.streaming is not None:
            self.streaming.cancel()
        super().connection_lost(exc)

    def _forget_call(self) -> None:
        runner, self.runner, self.current = self.runner, None, None
        self.reading, self.body, self.arrival = None, b"", None
        if runner is not None:
            runner.cancel()

    def shutdown(self) -> None:
        self.write_batch.flush()
        if self.reading is not None:
            self.reading.keep_alive = False
        if self.current is not None:
            self.current.keep_alive = False
            self.waiting.clear()
        if self.streaming is not None and self.is_standing:
            self.streaming.cancel()
            self.transport.write(LAST_CHUNK)
            self.transport.close()
        elif self.current is None or self.is_half_read():
            super().shutdown()

    def is_answering(self) -> bool:
        return (self.current is not None and self.current is not self.reading) or super().is_answering()

    def evict(self) -> None:
        call = self.current
        if call is not None and 2 * len(call.body or b"") > self.held:
            self.loop.call_soon(self._give_up_call, call)  # it is most of what is held
        super().evict()

    def _give_up_call(self, request: Request) -> None:
        if self.current is request:
            self._forget_call()

    def stop_reading(self) -> None:
        super().stop_reading()
        self.waiting.clear()
        self.reading, self.body, self.arrival = None, b"", None

    def refuse(self, refused: RequestRefused) -> None:
        if self.transport.is_closing():
            return
        self.write_batch.flush()
        if self.current is not None and self.current is self.reading:
            self._forget_call()  # it is the very request that is refused, and its door still waits for it
        if self.current is not None:
            self.current.keep_alive = False  # the answer under way is still owed; what follows it is not read
            self.stop_reading()
            self.flow.pause_reading()
        elif self.is_discarding:
            self.linger()  # it has its answer
        else:
            super().refuse(refused)
