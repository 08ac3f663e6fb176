"""The headers of a signed request: new ones for each, with keys from the cache."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.credentials.aws.sigv4 import signed_headers
from ostiary.credentials.aws.web_identity import AwsToken

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal
    from ostiary.credentials.runtime import Runtime
    from ostiary.credentials.tokens.token import Token, TokenSource

SAID_OF_OLD_KEYS = frozenset([HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN])
"""AWS answers 403 to an expired session, as it does to a role that may not."""


class AwsSigV4Headers:
    """Signatures with the keys of one subject's session."""

    def __init__(
        self, source: TokenSource, *, key: Hashable, runtime: Runtime, region: str, service: str
    ) -> None:
        self._source = source
        self._key = key
        self._cache = runtime.tokens
        self._clock = runtime.clock
        self._region = region
        self._service = service

    def ready(self, request: OutgoingRequest) -> Headers | None:
        """The signature, when keys are at hand."""
        token = self._cache.ready(self._key, self._source)
        return None if token is None else self._sign(request, token)

    async def get(self, request: OutgoingRequest) -> Headers:
        """The signature; keys are fetched when needed. Raises CredentialError."""
        return self._sign(request, await self._cache.get(self._key, self._source))

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """Drop the keys that signed these headers, unless newer ones are in use."""
        token = self._cache.ready(self._key)
        if refusal.status not in SAID_OF_OLD_KEYS:
            return False
        if token is None or not _signed_with(token, headers):
            return True
        return self._cache.drop(self._key, token)

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """After a refusal, hear that the new keys are good."""
        token = self._cache.ready(self._key)
        if token is not None and _signed_with(token, headers):
            self._cache.worked(self._key, token)

    def _sign(self, request: OutgoingRequest, token: Token) -> Headers:
        assert isinstance(token, AwsToken)  # noqa: S101 - for the type checker: our source gives no other
        return signed_headers(
            request.method,
            request.url,
            request.body,
            keys=token.keys,
            region=self._region,
            service=self._service,
            now=self._clock(),
        )


def _signed_with(token: Token, headers: Headers) -> bool:
    return ("x-amz-security-token", token.value.reveal()) in headers
