"""The headers of one caller, served from memory only as long as their session is known to live."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from ostiary.credentials.error import CredentialUnreachable
from ostiary.credentials.headers.token_headers import TokenHeaders
from ostiary.credentials.upstream_token.source import KIND, UpstreamToken, UpstreamTokenSource, no_person

if TYPE_CHECKING:
    from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal
    from ostiary.credentials.tokens.cache import TokenCache
    from ostiary.credentials.tokens.held_token import TokenStatus
    from ostiary.credentials.tokens.token import Token

MOST_ENDS = 3
"""How often one request asks anew, because the session ended while it asked."""


class UpstreamTokenHeaders:
    """The headers of one caller's account. key: names its token among all in the cache."""

    def __init__(self, source: UpstreamTokenSource, *, key: Hashable, cache: TokenCache) -> None:
        self._source = source
        self._key = key
        self._cache = cache
        self._clock = source.clock
        self._tokens = TokenHeaders(source, key=key, cache=cache)

    def ready(self, request: OutgoingRequest) -> Headers | None:
        """The headers when a token is at hand, and news of its session."""
        headers = self._tokens.ready(request)
        return headers if headers is not None and self._holds(self._tokens.token) else None

    async def get(self, request: OutgoingRequest) -> Headers:
        """The headers, their token asked for when needed. Raises CredentialError."""
        for _ in range(MOST_ENDS):
            headers = await self._tokens.get(request)
            token = self._tokens.token
            if self._holds(token):
                return headers
            if token is not None:
                self._cache.forget(self._key, token)
        raise CredentialUnreachable(
            "the session ended again and again while its token was asked for",
            credential=KIND,
            endpoint=self._source.endpoint,
            fix="try again",
            retry_after=1.0,
        )

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """After a 401, drop the token that these headers carried, and say so when the next is asked for."""
        return self._tokens.refused(request, headers, refusal)

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """After a refusal, hear that the new token is good."""
        self._tokens.accepted(request, headers)

    def status(self) -> TokenStatus | None:
        """How it stands with the token; None before it was first needed."""
        return self._tokens.status()

    def _holds(self, token: Token | None) -> bool:
        """Whether its session lived a moment ago. By a clock that was moved back nobody can say."""
        if not isinstance(token, UpstreamToken):
            return False
        now, feed, heard_at = self._clock(), self._source.feed, token.asked_at
        if token.session is not None and feed is not None:
            if token.session.ended:
                return False
            feed.use(now)
            heard_at = max(heard_at, feed.heard_at)
        return 0 <= now - heard_at <= self._source.bound


class NoPersonsHeaders:
    """For a caller that has no account: nobody is asked."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def ready(self, request: OutgoingRequest) -> Headers | None:
        """Never."""
        return None

    async def get(self, request: OutgoingRequest) -> Headers:
        """Raises CallerIsNoPerson."""
        raise no_person(self._endpoint)

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """There is nothing else to try."""
        return False

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """Nothing was sent."""
