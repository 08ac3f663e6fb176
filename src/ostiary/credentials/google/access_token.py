"""A Google access token, for Google's own APIs and the MCP servers beside them.

It comes from the same places as a Google ID token (`google_identity`), and a person's login gives one, too.
Not for Cloud Run: its front end wants an ID token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ostiary.credentials.google.access_token_source import GoogleAccessTokenSource
from ostiary.credentials.google.caller_identity import EVERYTHING
from ostiary.credentials.google.settings import GoogleSettings
from ostiary.credentials.headers.token_headers import TokenHeaders
from ostiary.credentials.issuer.client_settings import Scope
from ostiary.credentials.tokens.cache import TokenKey

if TYPE_CHECKING:
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl


class GoogleAccessToken(GoogleSettings):
    """Send a Google access token; it is fetched once, kept, and renewed ahead of its expiry."""

    type: Literal["google_access_token"] = "google_access_token"
    """The kind of credential."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)] = EVERYTHING
    """What the token may be used for. Default: all that the identity's roles allow."""

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> TokenHeaders:
        """What a server at this URL is sent."""
        source = GoogleAccessTokenSource(
            self.identity, server_url.origin, scopes=self.scopes, proxies=runtime.fetcher.proxies
        )
        key = TokenKey(self.type, source.identity, source.scopes)
        return TokenHeaders(source, key=key, cache=runtime.tokens)
