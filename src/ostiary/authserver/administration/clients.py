"""Clients that the operator registers, lists and removes by command, while the server runs or not."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from ostiary.authserver.clients.configured_clients import configured_client
from ostiary.authserver.clients.stored_clients import add, client_of_row, list_rows, remove, row_of_client
from ostiary.authserver.config.clients import SECRET_METHODS, ClientSettings
from ostiary.authserver.sessions.ending import EndedSession, EndReason, end_all_of_client
from ostiary.oauth.server.client import Client
from ostiary.oauth.server.client_document import document_url
from ostiary.secrets import Secret
from ostiary.storage.store import Store


class ClientRefused(ValueError):
    """A client that cannot be registered by command. The message says why."""


@dataclass(frozen=True, slots=True)
class KnownClient:
    """One client of the store. Times are seconds since the epoch."""

    client: Client
    created_at: float
    used_at: float
    """To the hour."""
    expires_at: float | None
    """None for one that stays until it is removed."""


@dataclass(frozen=True, slots=True)
class AddedClient:
    """What is told once: the secret is kept nowhere."""

    client_id: str
    secret: Secret | None = field(default=None, repr=False)


async def list_clients(store: Store, *, now: float) -> list[KnownClient]:
    """Those that registered themselves or were registered by command, newest first. Raises StorageError."""
    rows = await store.read(lambda connection: list_rows(connection, now=now))
    return [
        KnownClient(client_of_row(store, row), row.created_at, row.used_at, row.expires_at) for row in rows
    ]


async def add_client(store: Store, metadata: Mapping[str, Any], *, now: float) -> AddedClient:
    """Register one. metadata: as an entry of `clients:` has it, without its secret, which is made here.

    client_id: chosen here too when it is not there. Raises pydantic's ValidationError, ClientRefused,
    StorageError.
    """
    said: dict[str, Any] = {"client_id": str(uuid.uuid4()), **metadata}
    secret = Secret(secrets.token_urlsafe(32)) if _method(said) in SECRET_METHODS else None
    settings = ClientSettings.model_validate(said | ({} if secret is None else {"client_secret": secret}))
    _refuse_what_only_a_file_has(settings)
    client = configured_client(settings, [])
    row = row_of_client(store, client, now=now, expires_at=None)
    if not await store.transaction(lambda connection: add(connection, row)):
        raise ClientRefused(
            f"there is a client {client.client_id} already: remove it, or choose another name"
        )
    return AddedClient(client.client_id, secret)


async def remove_client(store: Store, client_id: str, *, now: float) -> list[EndedSession] | None:
    """Remove one and end its sessions; None when there is none of this name in the store.

    Where the server's services are at hand, `SessionEnder.release_grants` comes after it.
    Raises StorageError.
    """

    def work(connection: Connection) -> list[EndedSession] | None:
        if not remove(connection, client_id):
            return None
        return end_all_of_client(connection, client_id, reason=EndReason.CLIENT_REMOVED, now=now)

    return await store.transaction(work)


def _method(said: Mapping[str, Any]) -> object:
    """As ClientSettings chooses it, for a client that has no secret yet."""
    named = said.get("token_endpoint_auth_method")
    if named is not None:
        return named
    return "private_key_jwt" if "jwks" in said or "jwks_uri" in said else "none"


def _refuse_what_only_a_file_has(settings: ClientSettings) -> None:
    if document_url(settings.client_id) is not None:
        raise ClientRefused("a client_id that is an https URL is a client that describes itself there")
    if settings.method == "private_key_jwt" and settings.jwks is None and settings.jwks_uri is None:
        raise ClientRefused(
            "private_key_jwt needs jwks or jwks_uri; a workload's client stands in ostiary.yaml"
        )
    if settings.ca_file is not None or settings.private_network:
        raise ClientRefused("a client with ca_file or private_network stands in ostiary.yaml")
