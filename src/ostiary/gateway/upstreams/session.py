"""What carries messages to one MCP server, in whatever era and over whatever transport it speaks."""

from __future__ import annotations

from collections.abc import Awaitable, Hashable
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import Headers
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.transport.upstream import UpstreamAnswer
    from ostiary.transport.upstream.held import HeldAnswers


class OutgoingMessage(msgspec.Struct, frozen=True):
    """A message for a server: modern, whatever the server speaks. Quick to make: each call makes one."""

    lines: bytes
    """Its headers `Mcp-Method` and `Mcp-Name`, and what goes on of the caller's; each with its line break."""
    body: bytes
    account: Hashable
    """On whose account it is."""
    session: Hashable = None
    """The caller's own session, whose state at the server is nobody else's."""
    most_bytes: int | None = None
    """The longest answer; None for what all may have."""
    timeout: float | None = None
    """Seconds until it has to begin, and between two pieces of it; None for what all have."""


class UpstreamSession(Protocol):
    """One server, as far as bytes go. It knows neither callers' tokens nor whether the server is well."""

    @property
    def url(self) -> CanonicalUrl:
        """The server's MCP endpoint."""

    @property
    def timeout(self) -> float:
        """Seconds until an answer has to begin."""

    @property
    def answer_bytes(self) -> int:
        """The longest answer."""

    @property
    def version(self) -> str | None:
        """The revision of MCP that it spoke last; None while nobody knows."""

    @property
    def held(self) -> HeldAnswers:
        """What is held at once of long answers."""

    def exchange(self, message: OutgoingMessage, attached: Headers) -> Awaitable[UpstreamAnswer]:
        """Send one message and give its answer.

        attached: the headers of the server's credential. Raises UpstreamFailed, CallerBusy. To be awaited in
        an inline coroutine.
        """

    def is_outdated(self, answer: UpstreamAnswer) -> bool:
        """Whether an answer, with a status of 400 or more, says that the server is no longer what it was.

        Then that is forgotten, and the message wants to be sent once more.
        """

    @property
    def is_busy(self) -> bool:
        """Whether something is under way."""

    def close(self) -> None:
        """Drop all connections."""
