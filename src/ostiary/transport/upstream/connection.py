"""One connection to an MCP server, with one request under way at a time.

A connection that says anything unasked, or more than was asked, is dropped: what follows an answer on
the wire could otherwise be taken for the answer to the next request.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Protocol, cast

import httptools

from ostiary.transport.outbox import Outbox
from ostiary.transport.stepping import Reply
from ostiary.transport.upstream.answer import Stream, UpstreamAnswer
from ostiary.transport.upstream.errors import Step, UpstreamFailed
from ostiary.transport.upstream.limits import UpstreamLimits


class Owner(Protocol):
    """The pool, as its connections see it."""

    limits: UpstreamLimits
    outbox: Outbox

    def release(self, connection: Connection, *, keep: bool) -> None:
        """Its answer is complete; `keep` says that it may carry another request."""

    def forget(self, connection: Connection) -> None:
        """It is closed."""

    def touch(self, connection: Connection) -> None:
        """Its stream is alive."""

    def failed(self, step: Step, reason: str) -> UpstreamFailed:
        """An error of this server at this step."""


class State(Enum):
    """What a connection is doing."""

    IDLE = "idle"
    AWAITING = "awaiting"
    STREAMING = "streaming"
    CLOSED = "closed"


IDLE, AWAITING, STREAMING, CLOSED = State


class Connection(asyncio.Protocol):
    """One connection. `send` starts a request, whose answer `reply` gives."""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.most_bytes = owner.limits.answer_bytes
        self.state = IDLE
        self.transport: asyncio.Transport
        self.parser = httptools.HttpResponseParser(self)
        self.reply: Reply[UpstreamAnswer] = Reply()
        self.answer: UpstreamAnswer | None = None
        self.headers: dict[bytes, bytes] = {}
        self.parts: list[bytes] = []
        self.size = 0
        self.complete = False
        self.reusable = False
        self.idle_since = 0.0
        self.paused = False

    # asked by the pool

    def send(self, message: bytes) -> Reply[UpstreamAnswer]:
        """Write a whole request. The reply fails with UpstreamFailed."""
        self.state = AWAITING
        self.reply = Reply(self.drop)
        self.answer = None
        self.complete = False
        self.parts = []
        self.size = 0
        self.owner.outbox.write(self.transport, message)
        return self.reply

    def drop(self, error: UpstreamFailed | None = None) -> None:
        """Close now; what is under way fails with the error."""
        if self.state is not CLOSED:
            self.transport.abort()
            self._closed(error or self.owner.failed(Step.ANSWER, "the call was cancelled"))

    def pause(self) -> None:
        """The reader of the stream is behind."""
        if not self.paused and self.state is STREAMING:
            self.paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """The reader of the stream has caught up."""
        if self.paused and self.state is not CLOSED:
            self.paused = False
            self.transport.resume_reading()

    # told by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but class

    def data_received(self, data: bytes) -> None:
        if self.state is IDLE:
            self.drop()
            return
        if self.state is AWAITING:
            self.size += len(data)
            if self.size > self.most_bytes:
                self.drop(self._too_long())
                return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            self.drop(error.__context__ if isinstance(error.__context__, UpstreamFailed) else None)
            return
        except httptools.HttpParserError:
            step = Step.HTTP if self.answer is None else Step.ANSWER
            self.drop(self.owner.failed(step, "its answer is not HTTP"))
            return
        if self.complete:
            self._completed()
        elif self.state is STREAMING:
            self.owner.touch(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None and self._ends_with_the_connection():
            self._completed()
            return
        reason = "the connection was lost" if exc else "it closed the connection"
        self._closed(self.owner.failed(Step.ANSWER, f"{reason} before its answer was complete"))

    # told by the parser

    def on_message_begin(self) -> None:
        if self.complete:
            raise self.owner.failed(Step.ANSWER, "it sent more than one answer")
        self.headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        known = self.headers.get(name)
        self.headers[name] = value if known is None else known + b", " + value

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if status < 200:
            return
        self.answer = answer = UpstreamAnswer(status, self.headers)
        if status == 200 and answer.content_type == b"text/event-stream":
            answer.stream = Stream(self)
            self.state = STREAMING
            self.reply.set(answer)

    def on_body(self, body: bytes) -> None:
        if self.answer is None:
            return
        if self.answer.stream is not None:
            self.answer.stream.feed(body)
        else:
            self.parts.append(body)

    def on_message_complete(self) -> None:
        self.complete = self.answer is not None
        self.reusable = bool(self.parser.should_keep_alive())  # the parser forgets it after this callback

    # inside

    def _ends_with_the_connection(self) -> bool:
        return (
            self.state is AWAITING
            and self.answer is not None
            and not self.headers.keys() & {b"content-length", b"transfer-encoding"}
        )

    def _too_long(self) -> UpstreamFailed:
        return self.owner.failed(Step.ANSWER, f"its answer is longer than {self.most_bytes} bytes")

    def _completed(self) -> None:
        answer, reply = self.answer, self.reply
        assert answer is not None  # noqa: S101 - complete says so
        keep = self.complete and self.reusable
        self.state = IDLE
        if answer.stream is not None:
            self.resume()
        else:
            answer.body = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.owner.release(self, keep=keep)
        if answer.stream is not None:
            answer.stream.end()
        else:
            reply.set(answer)

    def _closed(self, error: UpstreamFailed) -> None:
        if self.state is CLOSED:
            return
        before, self.state = self.state, CLOSED
        self.owner.forget(self)
        if before is STREAMING and self.answer is not None and self.answer.stream is not None:
            self.answer.stream.end(error)
        elif before is AWAITING:
            self.reply.fail(error)
