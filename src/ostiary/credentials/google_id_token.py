"""A Google ID token, as a Cloud Run service with "Require authentication" wants it.

Where it comes from, by google-auth's own flows:

    key_file        a service account's key, exchanged at the token endpoint that it names
    impersonate     a service account, acted as by whom key_file or the default credentials name
    neither         application default credentials: GOOGLE_APPLICATION_CREDENTIALS, else metadata server
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from ostiary.credentials.google_id_token_source import GoogleIdTokenSource
from ostiary.credentials.token_headers import TokenHeaders
from ostiary.oauth.canonical_url import UrlRefused, canonical_url
from ostiary.settings import ConfiguredPath, Settings

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


class GoogleIdToken(Settings):
    """Send a Google ID token; it is fetched once, kept, and renewed ahead of its expiry."""

    type: Literal["google_id_token"] = "google_id_token"
    """The kind of credential."""
    audience: (
        Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$"), AfterValidator(_without_the_path)] | None
    ) = None
    """Whom the token is for: the service's address without a path, or a custom audience of it.
    Default: the origin of the server's URL."""
    key_file: ConfiguredPath | None = None
    """A service account's key (JSON). Default: the application default credentials."""
    impersonate: Annotated[str, StringConstraints(pattern=r"^[^@/\s]+@[^@/\s]+$")] | None = None
    """E-mail address of a service account to act as; needs roles/iam.serviceAccountOpenIdTokenCreator"""

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> TokenHeaders:
        """What a server at this URL is sent."""
        audience = self.audience or server_url.origin
        source = GoogleIdTokenSource(audience, key_file=self.key_file, impersonate=self.impersonate)
        return TokenHeaders(source, key=repr(source), cache=runtime.tokens)
