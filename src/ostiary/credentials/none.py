"""No credential: the server is open, or something else vouches for us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal
from ostiary.settings import Settings

if TYPE_CHECKING:
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl


class NoCredential(Settings):
    """Send nothing."""

    type: Literal["none"] = "none"
    """The kind of credential."""

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> NoHeaders:
        """What a server at this URL is sent."""
        return NoHeaders()


class NoHeaders:
    """Always ready, always empty."""

    def ready(self, request: OutgoingRequest) -> Headers:
        """Nothing."""
        return ()

    async def get(self, request: OutgoingRequest) -> Headers:
        """Nothing."""
        return ()

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """A second try would be the same."""
        return False

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """Nothing is learnt."""
