"""Which client to be at an authorization server, in the order of MCP's authorization specification.

1  the one that the configuration names
2  the one that describes itself at a URL, where the server takes such clients
3  one that the server registers now, or registered before
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from ostiary.credentials.issuer.client_settings import ClientSettings
from ostiary.credentials.vault.records import KeptClient
from ostiary.oauth.canonical_url import canonical_url
from ostiary.oauth.client.client_registration import (
    RegisteredClient,
    RegistrationRefused,
    read_registration,
    registration_request,
    takes_metadata_documents,
)
from ostiary.secrets import Secret
from ostiary.transport.reach import strangers

if TYPE_CHECKING:
    from ostiary.credentials.issuer.discovery import FoundEndpoint
    from ostiary.credentials.oauth_user.settings import OAuthUserSettings
    from ostiary.credentials.runtime import Runtime
    from ostiary.credentials.vault.records import Grant, UserRecords
    from ostiary.oauth.canonical_url import CanonicalUrl
    from ostiary.transport.reach import Reach


def configured_client(user: OAuthUserSettings, found: FoundEndpoint) -> ClientSettings | None:
    """A client that is known before we ask; None when the server has to register one."""
    if user.client_id is not None:
        return user
    if user.client_id_metadata_document is not None and takes_metadata_documents(found.metadata):
        return client_settings(user, RegisteredClient(user.client_id_metadata_document))
    return None


async def registered_client(
    user: OAuthUserSettings, found: FoundEndpoint, *, redirect_uri: str, runtime: Runtime
) -> RegisteredClient:
    """Have the server register us. Raises RegistrationRefused or FetchError."""
    if "registration_endpoint" not in found.metadata:
        raise RegistrationRefused(
            f"authorization server {found.issuer} registers no clients by itself"
            + (", and takes no client_id_metadata_document" if user.client_id_metadata_document else "")
        )
    asked = registration_request(redirect_uri, found.metadata)
    answer = await runtime.fetcher.post(
        canonical_url(str(found.metadata["registration_endpoint"])),
        json.dumps(asked).encode(),
        headers={"content-type": "application/json"},
        reach=found.reach,
    )
    try:
        return read_registration(answer.status, answer.body, asked=asked)
    except RegistrationRefused as refused:
        raise RegistrationRefused(
            f"authorization server {found.issuer} does not register us: {refused}"
        ) from None


async def kept_client(records: UserRecords, issuer: str, *, now: float) -> KeptClient | None:
    """Who we are at this issuer already; None when it never knew us or its secret is over."""
    kept = await records.client(issuer)
    if kept is None or (kept.client.secret_expires_at or float("inf")) <= now:
        return None
    return kept


async def client_of(grant: Grant, user: OAuthUserSettings, records: UserRecords) -> ClientSettings | None:
    """The client that a grant was given to; None when we are that client no more."""
    if user.client_id is not None:
        return user if user.client_id == grant.client_id else None
    if grant.client_id == user.client_id_metadata_document:
        return client_settings(user, RegisteredClient(grant.client_id))
    kept = await records.client(grant.issuer)
    if kept is None or kept.client.client_id != grant.client_id:
        return None
    return client_settings(user, kept.client)


def grants_reach(grant: Grant, user: OAuthUserSettings, server_url: CanonicalUrl) -> Reach:
    """How far a request to the grant's issuer may go: to this machine only when that is here."""
    here = canonical_url(grant.issuer).is_loopback or user.private_network
    within = replace(user.reach, loopback=here)
    if grant.issuer == user.issuer:
        return within
    return strangers(within, grant.issuer, server_url)


def client_settings(user: OAuthUserSettings, client: RegisteredClient) -> ClientSettings:
    """A client as a token endpoint wants to know it, reached as the configuration says."""
    return ClientSettings.model_validate(
        {
            "client_id": client.client_id,
            "client_secret": None if client.client_secret is None else Secret(client.client_secret),
            "auth_method": client.auth_method,
            "ca_file": user.ca_file,
            "private_network": user.private_network,
            "insecure_allow_http": user.insecure_allow_http,
        }
    )
