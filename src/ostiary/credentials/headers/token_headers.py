"""A header with a token from the cache: `Bearer`, or `DPoP` with a proof when the token is bound to a key.

Bearer   RFC 6750 section 2.1   one header, the same for all requests while the token is the same
DPoP     RFC 9449 section 7.1   two, made anew for each request
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.credentials.error import CredentialUnreachable
from ostiary.credentials.headers.header_value import is_header_value
from ostiary.oauth.challenge import read_challenges
from ostiary.secrets import SecretUnavailable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal
    from ostiary.credentials.tokens.cache import TokenCache
    from ostiary.credentials.tokens.dpop_key import DpopKey
    from ostiary.credentials.tokens.held_token import TokenStatus
    from ostiary.credentials.tokens.token import Token, TokenSource


class TokenHeaders:
    """The headers for a token that is the same for every caller.

    key names the token among all in the cache, so that servers which want the same share it.
    """

    def __init__(
        self, source: TokenSource, *, key: Hashable, cache: TokenCache, name: str = "authorization"
    ) -> None:
        self._source = source
        self._name = name
        self._key = key
        self._cache = cache
        self._token: Token | None = None
        self._headers: Headers = ()

    def ready(self, request: OutgoingRequest) -> Headers | None:
        """The headers when a token is at hand."""
        token = self._cache.ready(self._key, self._source)
        if token is None:
            return None
        return self._of(token, request)

    async def get(self, request: OutgoingRequest) -> Headers:
        """The headers, their token fetched when needed. Raises CredentialError."""
        return self._of(await self._cache.get(self._key, self._source), request)

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """After a 401, drop the token that these headers carried, unless a newer one is in use."""
        if refusal.status != HTTPStatus.UNAUTHORIZED:
            return False
        token = self._token
        if token is None or not self.made(headers):
            return True
        if token.dpop_key is not None and refusal.dpop_nonce is not None:
            token.dpop_key.take_nonce(request.url.origin, refusal.dpop_nonce)
            if any(challenge.error == "use_dpop_nonce" for challenge in read_challenges(refusal.challenge)):
                return True  # the token is good; its proof lacked the nonce
        return self._cache.drop(self._key, token)

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """After a refusal, hear that the new token is good."""
        if self._token is not None and self.made(headers):
            self._cache.worked(self._key, self._token)

    @property
    def token(self) -> Token | None:
        """The one last sent."""
        return self._token

    def made(self, headers: Headers) -> bool:
        """Whether these headers carry that token."""
        return self._token is not None and headers[:1] == self._headers

    def status(self) -> TokenStatus | None:
        """How it stands with the token; None before it was first needed."""
        return self._cache.status(self._key)

    def _of(self, token: Token, request: OutgoingRequest) -> Headers:
        headers = self._headers if token is self._token else self._write(token)
        return headers if token.dpop_key is None else self._proven(headers, token, token.dpop_key, request)

    def _write(self, token: Token) -> Headers:
        scheme = "Bearer" if token.dpop_key is None else "DPoP"
        try:
            value = f"{scheme} {token.value.reveal()}"
        except SecretUnavailable:  # a NUL character, or nothing at all
            value = ""
        if not is_header_value(value):
            raise CredentialUnreachable(
                "the token has a line break or another character that no header may have",
                credential=self._source.credential,
                endpoint=self._source.endpoint,
                fix="see what its issuer answers",
            )
        self._token, self._headers = token, ((self._name, value),)
        return self._headers

    @staticmethod
    def _proven(headers: Headers, token: Token, key: DpopKey, request: OutgoingRequest) -> Headers:
        proof = key.proof(
            request.method, request.url, nonce_of=request.url.origin, access_token=token.value.reveal()
        )
        return (*headers, ("dpop", proof))
