"""A person's own token, attached to a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.credentials.oauth_user.headers import OAuthUserHeaders
from ostiary.credentials.oauth_user.settings import OAuthUserSettings

if TYPE_CHECKING:
    from ostiary.credentials.runtime import Runtime
    from ostiary.oauth.canonical_url import CanonicalUrl


class OAuthUser(OAuthUserSettings):
    """Send the token of a person who signed in with `ostiary login URL`."""

    def attach(self, server_url: CanonicalUrl, *, runtime: Runtime) -> OAuthUserHeaders:
        """What a server at this URL is sent."""
        return OAuthUserHeaders(self, server_url, runtime=runtime)
