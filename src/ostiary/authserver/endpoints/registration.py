"""Clients register themselves, where the operator lets them. RFC 7591.

Whoever comes is taken, so nothing that they say is believed: people see where their code goes, and each
client ends when it is not used, and sooner when nobody ever let it in and others come.
"""

from __future__ import annotations

import codecs
import secrets
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.clients.configured_clients import secret_digest
from ostiary.authserver.clients.registration_limit import add_within
from ostiary.authserver.clients.stored_clients import row_of_client
from ostiary.authserver.clients.strangers_reach import check_keys_location, strangers_reach
from ostiary.authserver.config.clients import SECRET_METHODS
from ostiary.authserver.config.settings import AuthServerSettings
from ostiary.authserver.http.form_request import FormRequest
from ostiary.authserver.http.json_answer import json_answer
from ostiary.authserver.rates import RateLimit
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.client import Client, ClientKind
from ostiary.oauth.server.client_registration import client_from_metadata, registered_metadata
from ostiary.oauth.server.errors import InvalidClientMetadata, Unavailable
from ostiary.storage.store import Store
from ostiary.telemetry.audit import Audit
from ostiary.transport.addresses import network_of
from ostiary.transport.fetch import NOT_JSON
from ostiary.transport.inline_http import Answer

KIND = ClientKind.DYNAMIC
WHEN_FULL = 3600
"""Seconds after which somebody may have left."""
LEAST_OF_ADDRESS = 100
"""How many of one address (IPv6: its /64) may wait to be let in, or a tenth of all if that is more."""


class RegistrationEndpoint:
    """`POST /oauth/register`."""

    def __init__(
        self,
        settings: AuthServerSettings,
        store: Store,
        limit: RateLimit,
        audit: Audit,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._limit = limit
        self._audit = audit
        self._clock = clock
        self._settings = settings.registration
        self._has_mtls = settings.mtls is not None
        self._reach = strangers_reach(self._settings)
        self._may_have = frozenset(settings.scopes_for_strangers)

    async def __call__(self, form: FormRequest) -> Answer:
        """Raises RegistrationError, TooManyRequests, Unavailable, StorageError."""
        now = self._clock()
        try:
            self._limit.take(form.peer, now=now)
            described = client_from_metadata(_read(form.json), client_id=str(uuid.uuid4()), kind=KIND)
            check_keys_location(described, self._reach)
            if described.certificate_bound and not self._has_mtls:
                raise InvalidClientMetadata(
                    "tokens are bound to no certificates here: there is no mtls endpoint"
                )
            client, secret = with_new_secret(self._with_known_scopes(described))
            expires_at = now + self._settings.dynamic_lifetime.total_seconds()
            row = row_of_client(self._store, client, now=now, expires_at=expires_at)
            await self._keep(row | {"registered_from": network_of(form.peer)}, now)
        except OAuthError as error:
            self._refused(form, error)
            raise
        self._audit.write(
            AuditEvent.CLIENT_REGISTERED,
            client=client.client_id,
            kind=str(client.kind),
            name=client.name,
            address=form.peer,
        )
        return json_answer(_said(client, secret, now=now, expires_at=expires_at), status=201)

    async def _keep(self, row: dict[str, Any], now: float) -> None:
        most = self._settings.dynamic_most
        of_address = max(most // 10, LEAST_OF_ADDRESS)
        if not await self._store.transaction(
            lambda connection: add_within(connection, row, most=most, of_address=of_address, now=now)
        ):
            raise Unavailable(
                "no more clients can register here for now: ask the operator, or describe it at a URL",
                retry_after=WHEN_FULL,
                detail=f"{most} clients are in use, as many as registration.dynamic_most says",
            )

    def _with_known_scopes(self, client: Client) -> Client:
        """RFC 7591 section 3.2.1: what it could never have is left out, and it is told what is left."""
        if client.scopes is None:
            return client
        return replace(client, scopes=client.scopes & self._may_have or None)

    def _refused(self, form: FormRequest, error: OAuthError) -> None:
        self._audit.write(
            AuditEvent.REGISTRATION_REFUSED,
            error=error.error,
            reason=error.detail or error.description,
            address=form.peer,
        )


def with_new_secret(client: Client) -> tuple[Client, str | None]:
    """The client with a secret of 256 random bits if its method needs one; what is kept is a digest."""
    if client.auth_method not in SECRET_METHODS:
        return client, None
    secret = secrets.token_urlsafe(32)
    return replace(client, secret_digest=secret_digest(secret)), secret


def _read(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body.removeprefix(codecs.BOM_UTF8))
    except NOT_JSON:
        raise InvalidClientMetadata("the client's metadata is not JSON") from None


def _said(client: Client, secret: str | None, *, now: float, expires_at: float) -> dict[str, Any]:
    """RFC 7591 section 3.2.1. The end moves on with each use, and is no earlier than is said here."""
    said = {**registered_metadata(client), "client_id_issued_at": int(now)}
    if secret is not None:
        said |= {"client_secret": secret, "client_secret_expires_at": int(expires_at)}
    return said
