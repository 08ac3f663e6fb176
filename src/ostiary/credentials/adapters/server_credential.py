"""A credential as adapters see it: attached to one server, asked for headers, told of refusals."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ostiary.credentials.credential import as_one
from ostiary.credentials.runtime import Runtime
from ostiary.oauth.canonical_url import CanonicalUrl, UrlRefused, canonical_url

if TYPE_CHECKING:
    from ostiary.credentials import Credential
    from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal


class ServerCredential:
    """What the server at this URL, and no other, is sent. Raises UrlRefused for a URL that is none."""

    def __init__(
        self, credential: Credential, server_url: str | CanonicalUrl, runtime: Runtime | None = None
    ) -> None:
        self.url = server_url if isinstance(server_url, CanonicalUrl) else canonical_url(server_url)
        self.origin = self.url.origin
        self._headers = as_one(credential).attach(self.url, runtime=runtime or Runtime())

    async def headers(self, request: OutgoingRequest) -> Headers:
        """What to put on it. Raises CredentialError."""
        ready = self._headers.ready(request)
        return await self._headers.get(request) if ready is None else ready

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """Hear that the server did not take these; True when another try makes sense."""
        return self._headers.refused(request, headers, refusal)

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """Hear that the server took these after it had refused others."""
        self._headers.accepted(request, headers)


def url_as_sent(origin: str, target: str) -> CanonicalUrl | None:
    """A request's URL: its origin read as we read it, its path and query as the client sends them.

    None when it is not a URL that everybody reads alike, and so no server of ours.
    """
    root = _root(origin)
    if root is None:
        return None
    path, _, query = target.partition("?")
    path = "" if path == "/" else path
    return CanonicalUrl(root.scheme, root.host, root.port, path, query if "?" in target else None)


@lru_cache(maxsize=256)
def _root(origin: str) -> CanonicalUrl | None:
    try:
        root = canonical_url(origin)
    except UrlRefused:
        return None
    return None if root.path or root.query is not None else root
