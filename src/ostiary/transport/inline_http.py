"""Requests answered inside the protocol, without ASGI: a gateway's calls, an authorization server's tokens.

A `Door` is a path whose requests of one method are handed to a coroutine, which runs inline and gives back
an `Answer` or a `StreamedAnswer`. Mostly a request is there whole; where its body is still to come, the door
decides on the head whether to wait for it. All else on the listener goes on to ASGI.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ostiary.inline_coroutines import InlineCoroutine, InlineFuture


class Caller(Protocol):
    """Somebody who has proven who they are."""

    @property
    def identity(self) -> Hashable:
        """The same for all that they send."""

    @property
    def client_id(self) -> str | None:
        """Which OAuth client sends it, if a token says so."""


class Request:
    """One request to a door. Header names are lower case; `repeated` says that some came twice."""

    __slots__ = (
        "_arriving",
        "body",
        "caller",
        "certificate",
        "certificate_chain",
        "connected_at",
        "door",
        "headers",
        "keep_alive",
        "method",
        "peer",
        "query",
        "repeated",
    )

    def __init__(
        self,
        door: Door,
        headers: dict[bytes, bytes],
        repeated: frozenset[bytes],
        *,
        keep_alive: bool,
        arriving: Callable[[], InlineFuture[bytes]],
    ) -> None:
        """arriving: begins to wait for the rest of the body."""
        self.door = door
        self.headers = headers
        self.repeated = repeated
        self.keep_alive = keep_alive
        self._arriving = arriving
        self.method = b"POST"
        self.body: bytes | None = None
        """None while some of it is still to come."""
        self.caller: Caller | None = None
        """Who has proven to send it, once a door knows: what is held for them is on their account."""
        self.peer = ""
        """The address at the other end, beyond the proxies that the operator named."""
        self.certificate: bytes | None = None
        """The client's certificate in DER, where TLS asked for one and checked it."""
        self.certificate_chain: tuple[bytes, ...] = ()
        """What the client showed beside it, on the way to an authority; in DER, and nobody vouches for it."""
        self.connected_at = 0.0
        """When its connection began, in seconds of the event loop."""
        self.query = b""
        """What stands behind the question mark of its target."""

    async def whole(self) -> bytes:
        """The body, when all of it has come."""
        if self.body is None:
            self.body = await self._arriving()
        return self.body


@dataclass(slots=True)
class Answer:
    """A whole answer. `headers` are ready-made lines, each with its line break."""

    status: int
    body: bytes
    headers: bytes = b"content-type: application/json\r\n"


@dataclass(slots=True)
class StreamedAnswer:
    """An answer that goes out as it is made, by somebody who gives way to others from time to time.

    close: called when no more of it is wanted, also when none of it ever was; is_standing: it has no end of
    its own, so that a listener which stops ends it.
    """

    status: int
    chunks: AsyncIterator[bytes]
    headers: bytes
    close: Callable[[], None]
    is_standing: bool = False


def close_stream(answer: Answer | StreamedAnswer) -> None:
    """Let go of an answer that nobody reads."""
    if isinstance(answer, StreamedAnswer):
        answer.close()


Door = Callable[[Request], InlineCoroutine[Answer | StreamedAnswer]]
"""What answers one kind of request of one path. It raises nothing: whatever goes wrong is an Answer."""
Doors = Mapping[bytes, Mapping[bytes, Door]]
"""Method → path → door, as the request line has them."""
