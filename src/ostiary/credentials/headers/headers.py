"""What one server wants to see on each request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ostiary.identity.principal import Principal
from ostiary.oauth.canonical_url import CanonicalUrl

if TYPE_CHECKING:
    from ostiary.credentials.tokens.held_token import TokenStatus

Headers = tuple[tuple[str, str], ...]

MOST_TRIES = 3
"""How often one request is sent at most: refused once for its token, once more for a nonce or a scope."""


class OutgoingRequest:
    """A request that is about to be sent. principal: the caller whom we act for, None when for ourselves."""

    __slots__ = ("body", "method", "principal", "url")

    def __init__(
        self, method: str, url: CanonicalUrl, body: bytes = b"", principal: Principal | None = None
    ) -> None:
        self.method = method
        self.url = url
        self.body = body
        self.principal = principal


class ServerRefusal:
    """How a server refused a request: 401, or 403 for want of scope.

    challenge: its WWW-Authenticate header, several joined by commas; dpop_nonce: its DPoP-Nonce header.
    """

    __slots__ = ("challenge", "dpop_nonce", "status")

    def __init__(self, status: int, challenge: str = "", dpop_nonce: str | None = None) -> None:
        self.status = status
        self.challenge = challenge
        self.dpop_nonce = dpop_nonce

    @staticmethod
    def is_one(status: int) -> bool:
        """Whether an answer with this status is worth hearing about."""
        return status in {401, 403}

    @staticmethod
    def is_none(status: int) -> bool:
        """Whether an answer with this status shows that the credential was good."""
        return status < 400


@runtime_checkable
class Dated(Protocol):
    """CredentialHeaders made of one token, which comes and ends."""

    def status(self) -> TokenStatus | None:
        """How it stands with the token; None before it was first needed."""


class CredentialHeaders(Protocol):
    """A credential attached to a server: asked for the headers of each request, and told of refusals."""

    def ready(self, request: OutgoingRequest) -> Headers | None:
        """What is at hand now, or None when `get` must be awaited.

        Called for every request inside the event loop. The same tuple object as long as the headers are the
        same.
        """

    async def get(self, request: OutgoingRequest) -> Headers:
        """Fetch what is needed, once for however many wait. Raises CredentialError."""

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """Hear that the server refused a request with these headers.

        What they were made of is dropped, unless it has been renewed since. True when another try makes
        sense.
        """

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """Hear that the server took these headers where it had refused others. Said of second tries only."""
