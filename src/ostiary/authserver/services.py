"""What the endpoints share, put together once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ostiary.authserver.background import Background
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.authserver.resources import Resources
from ostiary.authserver.signing.signing_keys import SigningKeys
from ostiary.authserver.verified_token_cache import VerifiedTokenCache
from ostiary.identity.key_sets import KeySets
from ostiary.identity.possession import Possession
from ostiary.oauth.server.endpoint_url import endpoint
from ostiary.storage.store import Store
from ostiary.telemetry.audit import Audit
from ostiary.transport.fetch import Fetcher

if TYPE_CHECKING:
    from ostiary.authserver.clients.authentication import ClientAuthenticator
    from ostiary.authserver.clients.registry import ClientRegistry
    from ostiary.authserver.idps.idp import UpstreamIdp
    from ostiary.authserver.rates import Rates


@dataclass(frozen=True, slots=True)
class Services:
    """One authorization server's services. clock: seconds since the epoch."""

    settings: AuthServerSettings
    store: Store
    signing: SigningKeys
    resources: Resources
    clients: ClientRegistry
    authenticator: ClientAuthenticator
    idps: Mapping[str, UpstreamIdp]
    audit: Audit
    rates: Rates
    fetcher: Fetcher
    key_sets: KeySets
    """Keys of others: of trusted issuers, of clients, of identity providers."""
    possession: Possession
    """Whether senders hold their keys."""
    clock: Callable[[], float]
    common_scopes: frozenset[str] = field(default=frozenset())
    """Scopes that are not of a resource."""
    background: Background = field(default_factory=Background)
    verified_tokens: VerifiedTokenCache = field(default_factory=VerifiedTokenCache)

    @property
    def issuer(self) -> str:
        """Its name."""
        return self.settings.issuer

    def url(self, path: str) -> str:
        """An endpoint as clients see it."""
        return endpoint(self.settings.issuer, path)
