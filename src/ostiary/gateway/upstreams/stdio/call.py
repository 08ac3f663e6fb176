"""One call of modern MCP to a process: its answer whole, or as a stream when something comes before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ostiary.inline_coroutines import InlineFuture
from ostiary.mcp.events import write_event
from ostiary.mcp.multiplexed import Multiplexed
from ostiary.transport.upstream import CallStep, Room, Stream, UpstreamAnswer

if TYPE_CHECKING:
    from ostiary.transport.upstream import UpstreamFailed
    from ostiary.transport.upstream.loop_share import LoopShare

JSON = {b"content-type": b"application/json"}
EVENTS = {b"content-type": b"text/event-stream"}
KEEP_ALIVE = b":\n\n"


class Asked(Protocol):
    """The conversation that it is part of."""

    loop_share: LoopShare
    timeout: float

    @property
    def now(self) -> float:
        """By the event loop's clock."""

    def drop(self, call: PendingCall) -> None:
        """Its caller has left."""

    def failed(self, step: CallStep, reason: str) -> UpstreamFailed:
        """An error of this server at this step."""


class PendingCall:
    """From the request to the end of its answer. done: called once, at that end."""

    def __init__(
        self,
        asked: Asked,
        request: Multiplexed,
        most_bytes: int,
        done: Callable[[], None],
        timeout: float | None = None,
    ) -> None:
        self.request = request
        self.sent_at = asked.now
        self.timeout = timeout or asked.timeout
        self.deadline = self.sent_at + self.timeout
        self.is_subscription = False
        self.future: InlineFuture[UpstreamAnswer] = InlineFuture(self.drop)
        self.loop_share = asked.loop_share
        self._asked = asked
        self._most_bytes = most_bytes
        self._done: Callable[[], None] | None = done
        self._stream: RoomyStream | None = None
        self._is_behind = False

    def notify(self, message: bytes) -> None:
        """Something that comes before the answer. Who is behind does not get it."""
        if not self._is_behind:
            self._begun_stream().feed(write_event(message))

    def answer(self, message: bytes, status: int, room: Room | None) -> None:
        """The answer."""
        if len(message) > self._most_bytes:
            self.fail(
                self._asked.failed(CallStep.SIZE, f"its answer is longer than {self._most_bytes} bytes")
            )
            return
        self._end()
        if self._stream is not None:
            self._stream.room = room
            self._stream.feed(write_event(message))
            self._stream.end()
            return
        answer = UpstreamAnswer(status, JSON)
        answer.body, answer.room = message, room
        self.future.set(answer)

    def fail(self, error: UpstreamFailed) -> None:
        """There will be no answer."""
        self._end()
        if self._stream is not None:
            self._stream.end(error)
        else:
            self.future.fail(error)

    def keep_alive(self) -> None:
        """Show whoever is between us and the caller that a quiet stream lives."""
        if self._stream is not None and not self._is_behind:
            self._stream.feed(KEEP_ALIVE)

    # told by the stream

    def pause(self) -> None:
        """The reader is behind: what is not the answer is not for them."""
        self._is_behind = True

    def resume(self) -> None:
        """The reader has caught up."""
        self._is_behind = False

    def drop(self) -> None:
        """Nobody waits any more."""
        self._end()
        self._asked.drop(self)

    def _end(self) -> None:
        done, self._done = self._done, None
        if done is not None:
            done()

    def _begun_stream(self) -> RoomyStream:
        if self._stream is None:
            answer = UpstreamAnswer(200, EVENTS)
            answer.stream = self._stream = RoomyStream(self)
            self.future.set(answer)
        return self._stream


class RoomyStream(Stream):
    """A stream whose last event may be large. Whoever reads it asks for room of their own at once."""

    room: Room | None = None

    async def __anext__(self) -> bytes:
        piece = await super().__anext__()
        self.room = None
        return piece
