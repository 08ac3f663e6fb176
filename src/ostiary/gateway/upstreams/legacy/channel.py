"""One conversation with a legacy server, over whatever carries it.

A session speaks JSON-RPC and knows no transport; a channel carries messages and reads none. Streamable HTTP,
HTTP+SSE and stdio are channels: each session opens one, begins with `initialize`, and closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import Headers
    from ostiary.transport.upstream import Room, UpstreamAnswer, UpstreamFailed


class ConversationLost(Exception):
    """The server knows this conversation no more, and has done nothing of what it was sent.

    A session the server forgot, a child that has ended: the message may go out again on a new channel.
    """


RequestId = int
"""The id of a request of ours: a session counts from 1, and uses none twice."""


class Postage(NamedTuple):
    """What a message travels with. A transport without headers has no use for them."""

    attached: Headers
    """The headers of the server's credential."""
    lines: bytes
    """What goes on of the caller's headers, each with its line break."""
    account: Hashable
    """On whose account it goes."""
    most_bytes: int
    """The longest message that may come back."""
    timeout: float | None = None
    """Seconds until an answer, where it is not what all have."""


class Receiver(Protocol):
    """Whoever hears what comes on a channel: the session that opened it."""

    def received(self, message: bytes, request: RequestId | None, room: Room | None = None) -> None:
        """One message of the server: an answer, a notification or a request, not yet looked at.

        message: KEEP_ALIVE (see `mcp.events`) for a sign of life on the stream of a request. request: that of
        ours on whose own stream it came; None where all comes on one stream, and for what a server says on a
        stream that belongs to no request. room: what is held for a message that is large.
        """

    def ended(self, request: RequestId, error: UpstreamFailed) -> None:
        """Nothing more comes for this request, which was neither answered nor forgotten."""

    def deaf(self, error: UpstreamFailed) -> None:
        """Nothing more comes unasked: the credential with which we listened is refused. Calls go on."""

    def closed(self, error: UpstreamFailed) -> None:
        """Nothing more comes at all: a child has ended, the one stream is gone. Told once, and never after
        `close`. What had been asked is lost; a new conversation needs a new channel."""


class Channel(Protocol):
    """One conversation. Everything on it is bounded: what is written and not yet taken, what is read."""

    has_own_streams: bool
    """Whether what belongs to a request comes on a stream of that request alone."""

    @property
    def has_session(self) -> bool:
        """Whether the server knows who it has shaken hands with: without, it asks and announces nothing."""

    async def send(
        self, message: bytes, request: RequestId | None, postage: Postage
    ) -> UpstreamAnswer | None:
        """Send one message, without line breaks: a request with this id, or a notification or an answer.

        Gives what the transport has in one piece: the server's answer as JSON, or a refusal with its status
        and headers (401, 403, 404, 429 and so on; 4xx and 5xx alike). None says that the message was taken:
        what follows from it is told to the receiver. Raises UpstreamFailed, CallerBusy, ConversationLost. An
        inline coroutine (see `inline_coroutines`): in a task it goes through `as_future`. Cancelling it is
        `forget`.
        """

    def agreed(self, version: str) -> None:
        """The handshake has settled on this version."""

    async def listen(self, postage: Postage) -> None:
        """Hear from now on what the server says unasked, and go on after each break, until `stop_listening`.

        Done when the server has taken it or refused it; at once where that comes anyway. Called again, it
        hears on with this postage. A server that lets nobody listen (405) is no failure. Awaited in a task.
        """

    def stop_listening(self) -> None:
        """Nobody would hear it. Nothing to do where it comes anyway."""

    def pause(self, request: RequestId) -> None:
        """Let what comes on the stream of this request wait, which is not overdue meanwhile: its caller reads
        slowly, or a person is being asked. Nothing to do where all comes on one stream."""

    def resume(self, request: RequestId) -> None:
        """Read on."""

    def forget(self, request: RequestId) -> None:
        """Nothing more is wanted of this request: it was answered, or its caller has left.

        That it was cancelled, the session says to the server; the channel lets go of what it holds for it.
        """

    def close(self, postage: Postage | None = None) -> None:
        """End the conversation. postage: to tell so to a server that keeps sessions; None leaves it."""


OpenChannel = Callable[[Receiver], Channel]
"""Makes a channel, and connects to nobody before the first message."""
