"""Puts together what knows clients, and what makes sure of them."""

from __future__ import annotations

from collections.abc import Callable

from ostiary.authserver.clients.authentication import ClientAuthenticator
from ostiary.authserver.clients.configured_clients import configured_client
from ostiary.authserver.clients.keys import ClientKeys
from ostiary.authserver.clients.metadata_documents import DocumentClients
from ostiary.authserver.clients.private_key_jwt import ClientAssertions
from ostiary.authserver.clients.registry import ClientRegistry
from ostiary.authserver.clients.stored_clients import StoredClients
from ostiary.authserver.clients.workload_assertions import WorkloadAssertions
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.identity.key_sets import KeySets
from ostiary.oauth.server.endpoint_url import endpoint
from ostiary.storage.store import Store
from ostiary.telemetry.audit import Audit
from ostiary.transport.proxies import Proxies


def client_registry(
    settings: AuthServerSettings, store: Store, proxies: Proxies, clock: Callable[[], float]
) -> ClientRegistry:
    """Every client that there may be. Raises SecretUnavailable."""
    strangers = settings.registration
    return ClientRegistry(
        [configured_client(client, settings.trusted_issuers) for client in settings.clients],
        stored=StoredClients(store, lifetime=strangers.dynamic_lifetime.total_seconds(), clock=clock),
        documents=DocumentClients(strangers, store, proxies, clock)
        if strangers.client_id_metadata_documents
        else None,
    )


def client_authenticator(
    registry: ClientRegistry,
    settings: AuthServerSettings,
    *,
    store: Store,
    key_sets: KeySets,
    proxies: Proxies,
    audit: Audit,
    clock: Callable[[], float],
) -> ClientAuthenticator:
    """What makes sure of them. key_sets: of those whom the operator names."""
    audiences = {settings.issuer, endpoint(settings.issuer, "/oauth/token")}
    return ClientAuthenticator(
        registry,
        client_assertions=ClientAssertions(ClientKeys(settings, key_sets, proxies, clock), store, audiences),
        workload_assertions=WorkloadAssertions(settings.trusted_issuers, key_sets, settings.issuer),
        audit=audit,
    )
