"""One connection to an MCP server, with one request under way at a time.

A connection that says anything unasked, or more than was asked, is dropped: what follows an answer on
the wire could otherwise be taken for the answer to the next request.

Every byte is counted, as content or as what is none (see `limits`), and much at once is read in turns
with all else that the event loop has to do.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Protocol, cast

import httptools

from ostiary.inline_coroutines import InlineFuture
from ostiary.transport.request_head import OPTIONAL_WHITESPACE
from ostiary.transport.unpacking import WIDE, NotUnpacked, Unpacker, unpacker
from ostiary.transport.upstream.answer import Stream, UpstreamAnswer, by_name
from ostiary.transport.upstream.errors import CallStep, UpstreamFailed
from ostiary.transport.upstream.held import LARGE, HeldAnswers, Room
from ostiary.transport.upstream.limits import FRAME_BYTES, UpstreamLimits
from ostiary.transport.upstream.loop_share import LoopShare
from ostiary.transport.upstream.turns import Calls
from ostiary.transport.upstream.unpacked import WIDE_STREAMS, UnpackedStream, UnpackedTooLong, Unpacking
from ostiary.transport.write_batch import WriteBatch

READ_AT_ONCE = 8 * 1024
"""More than most answers have; what takes longest to parse in it takes a millisecond or two."""
FAULTS = (httptools.HttpParserError, httptools.HttpParserUpgrade)
SWITCHING_PROTOCOLS = 101
NOBODY: InlineFuture[UpstreamAnswer] = InlineFuture()
"""Who waits for an answer while none is under way."""


class Owner(Protocol):
    """The pool, as its connections see it."""

    limits: UpstreamLimits
    write_batch: WriteBatch
    held: HeldAnswers
    loop_share: LoopShare
    wide_streams: int

    def release(self, connection: Connection, *, keep: bool) -> None:
        """Its answer is complete; `keep` says that it may carry another request."""

    def forget(self, connection: Connection) -> None:
        """It is closed."""

    def touch(self, connection: Connection) -> None:
        """Its stream is alive."""

    def failed(self, step: CallStep, reason: str) -> UpstreamFailed:
        """An error of this server at this step."""


class State(Enum):
    """What a connection is doing."""

    IDLE = "idle"
    AWAITING = "awaiting"
    STREAMING = "streaming"
    CLOSED = "closed"


IDLE, AWAITING, STREAMING, CLOSED = State


class Connection(asyncio.Protocol):
    """One connection. `send` starts a request, whose answer `future` gives."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.loop_share = owner.loop_share
        self.timeout = owner.limits.timeout
        """Seconds, of the request that is under way."""
        self.most_bytes = 0
        self.most_besides = owner.limits.head_bytes
        self.most_headers = owner.limits.header_count
        self.state = IDLE
        self.transport: asyncio.Transport
        self.parser = httptools.HttpResponseParser(self)
        self.future = NOBODY
        self.answer: UpstreamAnswer | None = None
        self.fields: list[tuple[bytes, bytes]] = []
        self.head_begins = 0
        self.body: bytes | bytearray = b""
        self.size = 0
        self.content = 0
        self.besides = 0
        self.rest: memoryview | None = None
        self.complete = False
        self.reusable = False
        self.idle_since = 0.0
        self.calls: Calls[Connection] = Calls()
        """Those of the caller whose call is under way here."""
        self.paused = False
        self.room: Room | None = None
        self.unpacker: Unpacker | None = None
        self.unpacking: Unpacking | None = None

    # asked by the pool

    def send(self, message: bytes, most_bytes: int) -> InlineFuture[UpstreamAnswer]:
        """Write a whole request, whose answer may be so long. The future fails with UpstreamFailed."""
        self.state = AWAITING
        self.most_bytes = most_bytes
        self.future = InlineFuture(self.drop)
        self.answer = None
        self.complete = False
        self.unpacker = None
        self.fields = []
        self.body = b""
        self.size = self.content = self.besides = 0
        self.owner.write_batch.write(self.transport, message)
        return self.future

    def drop(self, error: UpstreamFailed | None = None) -> None:
        """Close now; what is under way fails with the error."""
        if self.state is not CLOSED:
            self.transport.abort()
            self._closed(error or self.owner.failed(CallStep.ANSWER, "the call was cancelled"))

    def pause(self) -> None:
        """The reader of the stream is behind."""
        if not self.paused and self.state is STREAMING:
            self.paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """The reader of the stream has caught up."""
        if self.paused and self.state is not CLOSED:
            self.paused = False
            if self.rest is None and not self.transport.is_closing():
                self.transport.resume_reading()

    def is_rightly_silent(self) -> bool:
        """Whether it is no fault of the server's that nothing comes: its reader is slow, or patient."""
        if self.state is not STREAMING or self.answer is None or self.answer.stream is None:
            return False
        return self.paused or self.answer.stream.is_patient

    # told by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but class

    def data_received(self, data: bytes) -> None:
        if self.size + len(data) <= READ_AT_ONCE or self.state is IDLE:
            self._read(data)
        else:
            self.rest = memoryview(data)
            self.transport.pause_reading()
            self.loop_share.wait(self._go_on)

    def connection_lost(self, exc: Exception | None) -> None:
        while self.rest and self.state is not CLOSED:
            self._read_piece(self.rest)
        self.rest = None
        if self.unpacking is not None:  # all of it is here; a closed connection carries nothing else
            return
        if exc is None and self._ends_with_the_connection():
            self._completed()
            return
        reason = "the connection was lost" if exc else "it closed the connection"
        self._closed(self.owner.failed(CallStep.ANSWER, f"{reason} before its answer was complete"))

    # told by the parser

    def on_message_begin(self) -> None:
        if self.complete:
            raise self.owner.failed(CallStep.ANSWER, "it sent more than one answer")
        self.head_begins = len(self.fields)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.rstrip(OPTIONAL_WHITESPACE)))

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if len(self.fields) > self.most_headers:
            raise self._too_many_fields()
        if status == SWITCHING_PROTOCOLS:
            raise self.owner.failed(CallStep.ANSWER, "it switched to another protocol (101), unasked")
        if status < 200:
            return
        fields = self.fields[self.head_begins :] if self.head_begins else self.fields
        headers = dict(fields)
        if len(headers) != len(fields):
            headers = by_name(fields)
        self.answer = answer = UpstreamAnswer(status, headers)
        if b"content-encoding" in headers:
            self._begin_to_unpack(answer)
        if status == 200 and answer.content_type == b"text/event-stream":
            answer.stream = Stream(self) if self.unpacker is None else self._unpacked_stream(self.unpacker)
            self.state = STREAMING
            self.future.set(answer)

    def on_body(self, body: bytes) -> None:
        if self.answer is None:
            return
        self.content += len(body)
        if self.answer.stream is not None:
            self.answer.stream.feed(body)
        elif not self.body:
            self.body = body
        else:
            self._add(body)

    def on_message_complete(self) -> None:
        self.complete = self.answer is not None
        self.reusable = bool(self.parser.should_keep_alive())  # the parser forgets it after this callback

    # inside

    def _read(self, data: bytes | memoryview, *, more: bool = False) -> None:
        """Take a piece. more: something follows it."""
        if self.state is IDLE:
            self.drop()
            return
        self.size += len(data)
        if self.size > self.most_bytes and self.state is AWAITING:
            self.drop(self._too_long())
            return
        content = self.content
        try:
            self.parser.feed_data(data)
        except FAULTS as error:
            self.drop(self._fault(error))
            return
        if self.complete and self.size <= READ_AT_ONCE and not more:
            self._completed()
        elif self.state is not CLOSED:
            self._count(len(data), self.content - content, more=more)

    def _count(self, size: int, content: int, *, more: bool) -> None:
        """Go on after a piece of this size, of which so much was content, unless there is too much else."""
        besides = self.besides + size - content
        self.besides = max(0, besides - FRAME_BYTES * content)
        if besides > self.most_besides:
            self.drop(self._too_long_besides())
        elif len(self.fields) > self.most_headers:
            self.drop(self._too_many_fields())
        elif self.complete and more:
            self.drop(self.owner.failed(CallStep.ANSWER, "it sent more than one answer"))
        elif self.complete:
            self._completed()
        elif self.state is STREAMING:
            self.owner.touch(self)

    def _go_on(self) -> bool:
        """Read a piece in our turn, and wait for the next one. Part of the turn may be left for others."""
        if self.rest and self.state is not CLOSED:
            self._read_piece(self.rest)
        if self.rest and self.state is not CLOSED:
            self.loop_share.wait(self._go_on)
        elif self.rest is not None:
            self.rest = None
            if not self.paused and self.state is not CLOSED:
                self.transport.resume_reading()
        return False

    def _read_piece(self, rest: memoryview) -> None:
        piece, self.rest = rest[:READ_AT_ONCE], rest[READ_AT_ONCE:]
        self._read(piece, more=bool(self.rest))

    def _add(self, body: bytes) -> None:
        if not isinstance(self.body, bytearray):
            self.body = bytearray(self.body)
        self.body += body
        if self.content > LARGE and self.room is None and not self.paused:
            self._ask_for_room()

    def _ask_for_room(self) -> None:
        self.paused = True
        self.transport.pause_reading()
        declared = self.answer.headers.get(b"content-length", b"") if self.answer else b""
        size = int(declared) if declared.isdigit() and self.unpacker is None else self.most_bytes
        self.owner.held.ask(min(size, self.most_bytes), self._has_room)

    def _has_room(self, room: Room) -> None:
        if self.state is AWAITING:
            self.room = room
            self.resume()
            if self.unpacking is not None:
                self.loop_share.wait(self._unpack)

    def _ends_with_the_connection(self) -> bool:
        return (
            self.state is AWAITING
            and self.answer is not None
            and not self.answer.headers.keys() & {b"content-length", b"transfer-encoding"}
        )

    def _fault(self, error: Exception) -> UpstreamFailed | None:
        if isinstance(error, httptools.HttpParserCallbackError):
            return error.__context__ if isinstance(error.__context__, UpstreamFailed) else None
        step = CallStep.HTTP if self.answer is None else CallStep.ANSWER
        return self.owner.failed(step, "its answer is not HTTP")

    def _too_many_fields(self) -> UpstreamFailed:
        return self.owner.failed(
            CallStep.ANSWER, f"its answer has more than {self.most_headers} header fields"
        )

    def _too_long_besides(self) -> UpstreamFailed:
        where = "the head of its answer" if self.answer is None else "what its answer has besides content"
        return self.owner.failed(CallStep.ANSWER, f"{where} is longer than {self.most_besides} bytes")

    def _too_long(self) -> UpstreamFailed:
        return self.owner.failed(CallStep.SIZE, f"its answer is longer than {self.most_bytes} bytes")

    # what comes compressed

    def _begin_to_unpack(self, answer: UpstreamAnswer) -> None:
        coding = answer.headers[b"content-encoding"].decode("latin-1")
        self.unpacker = unpacker(coding)
        if self.unpacker is not None:
            del answer.headers[b"content-encoding"]

    def _unpacked_stream(self, unpacker: Unpacker) -> Stream:
        owner = self.owner
        is_wide = unpacker.coding in WIDE
        if is_wide and owner.wide_streams >= WIDE_STREAMS:
            raise owner.failed(
                CallStep.ANSWER,
                f"more than {WIDE_STREAMS} of its streams are compressed by {unpacker.coding}: use gzip",
            )
        owner.wide_streams += is_wide

        def ended() -> None:
            owner.wide_streams -= is_wide

        return UnpackedStream(self, unpacker, owner.failed, ended)

    def _unpack(self) -> bool:
        """Make a piece of the content in our turn, and wait for the next one."""
        unpacking = self.unpacking
        if unpacking is None or self.state is CLOSED:
            return False
        try:
            if unpacking.goes_on():
                self._unpack_more(unpacking)
                return False
        except NotUnpacked as error:
            self.drop(self.owner.failed(CallStep.ANSWER, str(error)))
        except UnpackedTooLong:
            self.drop(self._too_long())
        else:
            self.unpacker = self.unpacking = None
            self.body = unpacking.content
            self._completed()
        return False

    def _unpack_more(self, unpacking: Unpacking) -> None:
        if len(unpacking.content) > LARGE and self.room is None:
            self._ask_for_room()
        else:
            self.loop_share.wait(self._unpack)

    def _completed(self) -> None:
        if self.unpacker is not None and self.body and self.unpacking is None:
            if not self.transport.is_closing():
                self.transport.pause_reading()
                self.paused = True
            self.unpacking = Unpacking(self.unpacker, bytes(self.body), self.most_bytes)
            self.body = b""
            self._unpack()
            return
        answer, future = self.answer, self.future
        assert answer is not None  # noqa: S101 - complete says so
        self.answer, self.future = None, NOBODY  # who idles holds nothing
        keep = self.complete and self.reusable
        if self.transport.get_write_buffer_size():  # what follows would wait behind the rest
            keep = False
        self.state = IDLE
        if self.paused:
            self.resume()
        if answer.stream is None:
            answer.body = self.body if type(self.body) is bytes else bytes(self.body)
            answer.room = self.room
            self.body, self.room = b"", None
        self.owner.release(self, keep=keep)
        if answer.stream is not None:
            answer.stream.end()
        else:
            future.set(answer)

    def _closed(self, error: UpstreamFailed) -> None:
        if self.state is CLOSED:
            return
        before, self.state = self.state, CLOSED
        self.body, self.room, self.unpacking = b"", None, None
        self.owner.forget(self)
        if before is STREAMING and self.answer is not None and self.answer.stream is not None:
            self.answer.stream.end(error)
        elif before is AWAITING:
            self.future.fail(error)
        self.answer, self.future = None, NOBODY
