"""A fixed bearer token (RFC 6750 section 2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ostiary.credentials.headers.static import StaticHeaders
from ostiary.settings import SecretField, Settings

if TYPE_CHECKING:
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl


class Bearer(Settings):
    """Send `Authorization: Bearer` with a fixed token."""

    type: Literal["bearer"] = "bearer"
    """The kind of credential."""
    token: SecretField
    """The token, without the word Bearer."""

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> StaticHeaders:
        """What a server at this URL is sent."""
        return StaticHeaders(
            self.type, "authorization", self.token, prefix="Bearer ", endpoint=server_url.origin
        )
