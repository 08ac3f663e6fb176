"""`Authorization: Bearer`, with a token from the cache."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.credentials.error import CredentialUnreachable
from ostiary.credentials.header_value import is_header_value

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ostiary.credentials.headers import Headers, Outgoing, Refusal
    from ostiary.credentials.token import Token, TokenSource
    from ostiary.credentials.token_cache import TokenCache


class TokenHeaders:
    """The header for a token that is the same for every caller.

    key names the token among all in the cache, so that servers which want the same share it.
    """

    def __init__(self, source: TokenSource, *, key: Hashable, cache: TokenCache) -> None:
        self._source = source
        self._key = key
        self._cache = cache
        self._token: Token | None = None
        self._headers: Headers = ()

    def ready(self, request: Outgoing) -> Headers | None:
        """The header when a token is at hand."""
        token = self._cache.ready(self._key)
        if token is None:
            return None
        return self._headers if token is self._token else self._write(token)

    async def get(self, request: Outgoing) -> Headers:
        """The header, its token fetched when needed. Raises CredentialError."""
        token = await self._cache.get(self._key, self._source)
        return self._headers if token is self._token else self._write(token)

    def refused(self, request: Outgoing, headers: Headers, refusal: Refusal) -> bool:
        """After a 401, drop the token that these headers carried, unless a newer one is in use."""
        if refusal.status != HTTPStatus.UNAUTHORIZED:
            return False
        if self._token is None or headers != self._headers:
            return True
        return self._cache.drop(self._key, self._token)

    def _write(self, token: Token) -> Headers:
        value = f"Bearer {token.value.reveal()}"
        if not is_header_value(value):
            raise CredentialUnreachable(
                "the token has a line break or another character that no header may have",
                credential=self._source.credential,
                endpoint=self._source.endpoint,
                fix="see what its issuer answers",
            )
        self._token, self._headers = token, (("authorization", value),)
        return self._headers
