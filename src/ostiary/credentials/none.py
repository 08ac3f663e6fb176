"""No credential: the server is open, or something else vouches for us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ostiary.credentials.headers.headers import Headers, Outgoing, Refusal
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

    def ready(self, request: Outgoing) -> Headers:
        """Nothing."""
        return ()

    async def get(self, request: Outgoing) -> Headers:
        """Nothing."""
        return ()

    def refused(self, request: Outgoing, headers: Headers, refusal: Refusal) -> bool:
        """A second try would be the same."""
        return False

    def accepted(self, request: Outgoing, headers: Headers) -> None:
        """Nothing is learnt."""
