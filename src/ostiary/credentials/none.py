"""No credential: the server is open, or something else vouches for us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ostiary.credentials.headers import Headers
from ostiary.settings import Settings

if TYPE_CHECKING:
    from ostiary.credentials.token_cache import TokenCache
    from ostiary.identity.principal import Principal
    from ostiary.oauth.canonical_url import CanonicalUrl


class NoCredential(Settings):
    """Send nothing."""

    type: Literal["none"] = "none"
    """The kind of credential."""

    def attach(self, server_url: CanonicalUrl, *, cache: TokenCache) -> NoHeaders:  # noqa: ARG002 - every kind's signature
        """What a server at this URL is sent."""
        return NoHeaders()


class NoHeaders:
    """Always ready, always empty."""

    def ready(self, principal: Principal | None) -> Headers:  # noqa: ARG002 - nobody gets anything
        """Nothing."""
        return ()

    async def get(self, principal: Principal | None) -> Headers:  # noqa: ARG002
        """Nothing."""
        return ()

    def refused(self, headers: Headers) -> bool:  # noqa: ARG002
        """A second try would be the same."""
        return False
