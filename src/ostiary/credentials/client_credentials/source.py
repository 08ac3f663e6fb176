"""Fetch a token for one server and one set of scopes: client credentials, RFC 6749 section 4.4.2."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from ostiary.credentials.issuer.settings import resource_of
from ostiary.credentials.issuer.token_endpoint import DpopWanted, token_of
from ostiary.credentials.tokens.cache import TokenKey

if TYPE_CHECKING:
    from ostiary.credentials.client_credentials.settings import ClientCredentialsSettings
    from ostiary.credentials.issuer.discovery import FoundEndpoint
    from ostiary.credentials.runtime import Runtime
    from ostiary.credentials.tokens.dpop_key import DpopKey
    from ostiary.credentials.tokens.token import Token
    from ostiary.oauth.canonical_url import CanonicalUrl


class ClientCredentialsSource:
    """One server's tokens, with these scopes.

    scopes: None for those that the server names; dpop_key: what tokens are bound to when that is asked for,
    or in any case when `bound`.
    """

    def __init__(
        self,
        settings: ClientCredentialsSettings,
        server_url: CanonicalUrl,
        runtime: Runtime,
        *,
        scopes: tuple[str, ...] | None,
        dpop_key: DpopKey,
        bound: bool,
    ) -> None:
        self._settings = settings
        self._server_url = server_url
        self._runtime = runtime
        self._scopes = scopes
        self._dpop_key = dpop_key
        self._bound = bound
        self.credential = settings.type
        self.endpoint = server_url.origin

    @property
    def key(self) -> TokenKey:
        """Servers share a token when it is asked for in the same words."""
        settings = self._settings
        words = {name: getattr(settings, name) for name in type(settings).model_fields}
        words |= {"parameters": tuple(sorted(settings.parameters.items())), "scopes": self._scopes}
        server_matters = settings.resource is None or (settings.token_url or settings.issuer) is None
        server = self._server_url if server_matters else None
        return TokenKey(tuple(words.items()), server, self._bound)

    @property
    def shareable(self) -> bool:
        """The client's, wherever that runs; unless bound to a key, which never leaves the process."""
        return not self._bound

    def version(self) -> Hashable:
        """As the client's secrets are now."""
        return self._settings.version()

    async def fetch(self) -> Token:
        """Ask the issuer. Raises CredentialError."""
        settings = self._settings
        found = await settings.find(self._server_url, self._runtime, self.credential)
        asked = found.server is not None and found.server.wants_dpop
        if self._bound or (asked and settings.dpop is None):
            return await self._ask(found, self._dpop_key)
        try:
            return await self._ask(found, None)
        except DpopWanted:
            if settings.dpop is False:
                raise
            return await self._ask(found, self._dpop_key)

    async def _ask(self, found: FoundEndpoint, dpop_key: DpopKey | None) -> Token:
        scopes = self._scopes_at(found)
        endpoint = self._settings.at(found, self._server_url, self._runtime, self.credential, dpop=dpop_key)
        response = await endpoint.request(self._form(found, scopes))
        return token_of(response, now=self._runtime.clock(), dpop_key=dpop_key, scopes=scopes)

    def _scopes_at(self, found: FoundEndpoint) -> tuple[str, ...]:
        """As configured; else as MCP's authorization says: the challenge's, else all that are known."""
        if self._scopes is not None:
            return self._scopes
        return found.challenge_scopes or (() if found.server is None else found.server.scopes)

    def _form(self, found: FoundEndpoint, scopes: tuple[str, ...]) -> Mapping[str, str]:
        settings = self._settings
        form = {"grant_type": "client_credentials", **settings.parameters}
        if scopes:
            form["scope"] = " ".join(scopes)
        resource = resource_of(settings.resource, found, self._server_url)
        if resource is not None:
            form["resource"] = resource
        if settings.audience is not None:
            form["audience"] = settings.audience
        return form
