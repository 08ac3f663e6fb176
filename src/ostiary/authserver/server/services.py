"""What a server is made of, put together once. What answers is given what it needs of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ostiary.authserver.background import Background
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.authserver.connections.context import ConnectionsContext
from ostiary.authserver.resources import Resources
from ostiary.authserver.sessions.creation import SessionCreator
from ostiary.authserver.sessions.ending import SessionEnder
from ostiary.authserver.sessions.revalidation import Revalidator
from ostiary.authserver.signing.signing_keys import SigningKeys
from ostiary.authserver.tokens.access_token_verifier import AccessTokenVerifier, SignedBy
from ostiary.authserver.tokens.access_tokens import AccessTokenIssuer
from ostiary.authserver.upstream_grants.disconnect import Disconnector
from ostiary.authserver.upstream_grants.grant_states import GrantStates
from ostiary.authserver.upstream_grants.renewal import Renewals
from ostiary.identity.key_sets import KeySets
from ostiary.identity.possession import Possession
from ostiary.identity.verified_tokens import VerifiedTokens
from ostiary.oauth.server.endpoint_url import endpoint
from ostiary.storage.store import Store
from ostiary.telemetry.audit import Audit
from ostiary.transport.fetch import Fetcher

if TYPE_CHECKING:
    from ostiary.authserver.clients.authentication import ClientAuthenticator
    from ostiary.authserver.clients.registry import ClientRegistry
    from ostiary.authserver.idps.idp import UpstreamIdp
    from ostiary.authserver.rates import Rates


@dataclass(frozen=True)
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
    verified_tokens: VerifiedTokens[SignedBy] = field(default_factory=VerifiedTokens)

    @property
    def issuer(self) -> str:
        """Its name."""
        return self.settings.issuer

    def url(self, path: str) -> str:
        """An endpoint as clients see it."""
        return endpoint(self.settings.issuer, path)

    @cached_property
    def disconnector(self) -> Disconnector:
        """What ends grants."""
        return Disconnector(self.store, self.idps, self.audit, self.clock)

    @cached_property
    def renewals(self) -> Renewals:
        """What renews the tokens of grants."""
        return Renewals(self.store, self.idps, self.audit, self.background)

    @cached_property
    def grant_states(self) -> GrantStates:
        """What counts grants."""
        return GrantStates(self.store)

    @cached_property
    def session_ender(self) -> SessionEnder:
        """What ends sessions."""
        return SessionEnder(self.store, self.audit, self.disconnector, self.background)

    @cached_property
    def session_creator(self) -> SessionCreator:
        """What creates them."""
        return SessionCreator(
            self.store, self.settings.tokens, self.audit, self.disconnector, self.background
        )

    @cached_property
    def revalidator(self) -> Revalidator:
        """What asks whether people still exist."""
        entries = self.settings.upstream_idps
        return Revalidator(self.store, self.idps, entries, self.renewals, self.session_ender)

    @cached_property
    def access_tokens(self) -> AccessTokenIssuer:
        """What makes access tokens."""
        return AccessTokenIssuer(self.issuer, self.signing, self.settings.tokens.access)

    @cached_property
    def access_token_verifier(self) -> AccessTokenVerifier:
        """What reads them."""
        return AccessTokenVerifier(self.issuer, self.signing, self.verified_tokens)

    @cached_property
    def pages(self) -> ConnectionsContext:
        """What people's pages are given."""
        return ConnectionsContext(
            issuer=self.issuer,
            store=self.store,
            clients=self.clients,
            resources=self.resources,
            common_scopes=self.common_scopes,
            idps=self.idps,
            idp_entries=self.settings.upstream_idps,
            life=self.settings.tokens,
            rates=self.rates,
            audit=self.audit,
            clock=self.clock,
            configured_clients=self.settings.clients,
            disconnector=self.disconnector,
            session_ender=self.session_ender,
        )
