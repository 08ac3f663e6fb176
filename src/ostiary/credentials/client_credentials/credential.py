"""Client credentials, attached to a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.credentials.client_credentials.headers import ClientCredentialsHeaders
from ostiary.credentials.client_credentials.settings import ClientCredentialsSettings

if TYPE_CHECKING:
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl


class ClientCredentials(ClientCredentialsSettings):
    """Send a token that an OAuth issuer gives to this client; fetched once, kept, and renewed in time."""

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> ClientCredentialsHeaders:
        """What a server at this URL is sent."""
        return ClientCredentialsHeaders(self, server_url, runtime)
