"""A Google ID token, as a Cloud Run service with "Require authentication" wants it.

Where it comes from (`google_identity`):

    a service account's key              Google's token endpoint
    workload identity federation         iamcredentials, as the service account that its file names
    impersonate                          iamcredentials, as that service account
    none of these, on Google             the metadata server
    a person's login alone               nowhere: such tokens are for gcloud's own client
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from ostiary.credentials.google.id_token_source import GoogleIdTokenSource
from ostiary.credentials.google.settings import GoogleSettings
from ostiary.credentials.headers.token_headers import TokenHeaders
from ostiary.credentials.tokens.cache import TokenKey
from ostiary.oauth.canonical_url import UrlRefused, canonical_url

if TYPE_CHECKING:
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl


def _without_the_path(audience: str) -> str:
    try:
        url = canonical_url(audience)
    except UrlRefused:
        return audience  # a custom audience may be any text
    if url.host.endswith(".run.app") and (url.path or url.query is not None):
        raise ValueError(
            f"Cloud Run wants the service's address as audience, which has no path: write {url.origin}"
        )
    return audience


class GoogleIdToken(GoogleSettings):
    """Send a Google ID token; it is fetched once, kept, and renewed ahead of its expiry."""

    type: Literal["google_id_token"] = "google_id_token"
    """The kind of credential."""
    audience: (
        Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$"), AfterValidator(_without_the_path)] | None
    ) = None
    """Whom the token is for: the service's address without a path, or a custom audience of it.
    Default: the origin of the server's URL."""
    header: Literal["authorization", "x-serverless-authorization"] = "authorization"
    """Which header carries it. Cloud Run reads x-serverless-authorization first, and hands authorization on
    untouched: so a second credential can be for the server itself."""

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> TokenHeaders:
        """What a server at this URL is sent."""
        source = GoogleIdTokenSource(
            self.identity, self.audience or server_url.origin, proxies=runtime.fetcher.proxies
        )
        key = TokenKey(self.type, source)
        return TokenHeaders(source, key=key, cache=runtime.tokens, name=self.header)
