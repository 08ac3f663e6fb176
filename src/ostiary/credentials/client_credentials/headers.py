"""The headers of one server for client credentials: they widen when the server asks for more.

step-up   403 insufficient_scope: a token with the scopes so far and those that the server names
          (MCP authorization, Step-Up Authorization Flow); what the issuer doesn't give is not asked
          for again, and other calls keep the token that they had
DPoP      401 with a DPoP challenge alone: a token bound to a key (RFC 9449 section 7.1)
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.credentials.client_credentials.source import ClientCredentialsSource
from ostiary.credentials.error import CredentialError, CredentialMisconfigured
from ostiary.credentials.headers.token_headers import TokenHeaders
from ostiary.credentials.tokens.dpop_key import DpopKey
from ostiary.oauth.challenge import Challenge, read_challenges

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostiary.credentials.client_credentials.settings import ClientCredentialsSettings
    from ostiary.credentials.headers.headers import Headers, OutgoingRequest, ServerRefusal
    from ostiary.credentials.runtime import Runtime
    from ostiary.credentials.tokens.held_token import TokenStatus
    from ostiary.oauth.canonical_url import CanonicalUrl

MOST_STEP_UPS = 5
"""How often one server can make us ask for more."""

logger = logging.getLogger("ostiary.credentials")


class ClientCredentialsHeaders:
    """One credential at one server."""

    def __init__(
        self, settings: ClientCredentialsSettings, server_url: CanonicalUrl, runtime: Runtime
    ) -> None:
        self._settings = settings
        self._server_url = server_url
        self._runtime = runtime
        self._dpop_key = DpopKey(runtime.clock)
        self._bound = settings.dpop is True
        self._step_ups = 0
        self._added: set[str] = set()
        self._not_given: set[str] = set()
        self._narrower: TokenHeaders | None = None
        self._headers = self._with(settings.scopes)

    def ready(self, request: OutgoingRequest) -> Headers | None:
        """The headers when a token is at hand."""
        return self._headers.ready(request)

    async def get(self, request: OutgoingRequest) -> Headers:
        """The headers, their token fetched when needed. Raises CredentialError."""
        headers = self._headers
        narrower = self._narrower
        try:
            ready = await headers.get(request)
        except CredentialError as error:
            if narrower is None:
                raise
            if headers is self._headers:
                self._take_back(narrower, error)
            return await narrower.get(request)
        if headers is self._headers:
            self._narrower = None
        return ready

    def refused(self, request: OutgoingRequest, headers: Headers, refusal: ServerRefusal) -> bool:
        """Drop what was refused, or ask for what the server misses. True when another try makes sense."""
        challenges = read_challenges(refusal.challenge)
        if refusal.status == HTTPStatus.FORBIDDEN:
            return self._step_up(headers, challenges)
        schemes = {challenge.scheme for challenge in challenges}
        if "dpop" in schemes and "bearer" not in schemes and self._may_bind():
            self._bound = True
            self._headers = self._with(self._scopes)
            return True
        return self._headers.refused(request, headers, refusal)

    def accepted(self, request: OutgoingRequest, headers: Headers) -> None:
        """After a refusal, hear that the new token is good."""
        self._headers.accepted(request, headers)

    def status(self) -> TokenStatus | None:
        """How it stands with the token; None before it was first needed."""
        return self._headers.status()

    @property
    def _scopes(self) -> tuple[str, ...] | None:
        token = self._headers.token
        return self._settings.scopes if token is None else token.scopes

    def _may_bind(self) -> bool:
        token = self._headers.token
        bound = self._bound or (token is not None and token.dpop_key is not None)
        return self._settings.dpop is None and not bound

    def _with(self, scopes: tuple[str, ...] | None) -> TokenHeaders:
        source = ClientCredentialsSource(
            self._settings,
            self._server_url,
            self._runtime,
            scopes=scopes,
            dpop_key=self._dpop_key,
            bound=self._bound,
        )
        return TokenHeaders(source, key=source.key, cache=self._runtime.tokens)

    def _step_up(self, headers: Headers, challenges: Iterable[Challenge]) -> bool:
        wanted = _missing_scopes(challenges)
        if not wanted:
            return False
        if not self._headers.made(headers):
            return not self._not_given.intersection(wanted)  # another call has stepped up meanwhile
        had = self._scopes or ()
        hopeless = set(wanted) <= set(had) or self._not_given.intersection(wanted)
        if hopeless or self._step_ups == MOST_STEP_UPS:
            return False
        self._step_ups += 1
        self._added = set(wanted).difference(had)
        self._narrower = self._headers
        self._headers = self._with(tuple(dict.fromkeys((*had, *wanted))))
        return True

    def _take_back(self, narrower: TokenHeaders, error: CredentialError) -> None:
        """Wider scopes could not be had: the calls that don't need them go on without."""
        logger.warning("no token with the scopes that %s asks for: %s", self._server_url, error)
        if isinstance(error, CredentialMisconfigured):
            self._not_given.update(self._added)
        self._headers, self._narrower = narrower, None


def _missing_scopes(challenges: Iterable[Challenge]) -> tuple[str, ...]:
    for challenge in challenges:
        if challenge.error == "insufficient_scope":
            return challenge.scopes
    return ()
