"""Who we are at authorization servers that registered us, kept sealed. RFC 7591.

Earlier registrations stay: tokens are renewed with the client that got them.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from ostiary.oauth.client.client_registration import RegisteredClient
from ostiary.storage.schema import upstream_clients
from ostiary.storage.store import Store

_row = upstream_clients.c
EARLY = 3600.0
"""Seconds before its secret ends that a registration is not used for new sign-ins."""


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    redirect_uri: str
    client_secret: str | None = None
    auth_method: str = "none"
    secret_expires_at: float | None = None


class Registrations:
    """All of them. Every method raises StorageError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def current(
        self, idp: str, issuer: str, *, redirect_uri: str, now: float
    ) -> RegisteredClient | None:
        """The latest that is good for a new sign-in."""
        wanted = (
            select(upstream_clients)
            .where(_row.idp == idp, _row.issuer == issuer, _row.given_up_at.is_(None))
            .order_by(_row.registered_at.desc(), _row.id)
        )

        def look(connection: Connection) -> RegisteredClient | None:
            for row in connection.execute(wanted):
                kept = self._store.open(row.sealed, _Kept, table=upstream_clients, row=row)
                lives = kept.secret_expires_at is None or kept.secret_expires_at - EARLY > now
                if lives and kept.redirect_uri == redirect_uri:
                    return _client(row.client_id, kept)
            return None

        return await self._store.read(look)

    async def find(self, idp: str, issuer: str, client_id: str) -> RegisteredClient | None:
        """The one with this name."""
        wanted = (
            select(upstream_clients)
            .where(_row.idp == idp, _row.issuer == issuer, _row.client_id == client_id)
            .order_by(_row.registered_at.desc())
            .limit(1)
        )

        def look(connection: Connection) -> RegisteredClient | None:
            row = connection.execute(wanted).one_or_none()
            if row is None:
                return None
            kept = self._store.open(row.sealed, _Kept, table=upstream_clients, row=row)
            return _client(row.client_id, kept)

        return await self._store.read(look)

    async def keep(
        self, idp: str, issuer: str, client: RegisteredClient, *, redirect_uri: str, now: float
    ) -> None:
        """A new one."""
        kept = _Kept(redirect_uri, client.client_secret, client.auth_method, client.secret_expires_at)
        row: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "idp": idp,
            "issuer": issuer,
            "client_id": client.client_id,
            "registered_at": now,
        }
        row["sealed"] = self._store.seal(kept, table=upstream_clients, row=row)
        await self._store.transaction(lambda connection: connection.execute(insert(upstream_clients), row))

    async def give_up(self, idp: str, issuer: str, client_id: str, *, now: float) -> None:
        """The server knows it no more: the next sign-in registers anew."""
        those = update(upstream_clients).where(
            _row.idp == idp, _row.issuer == issuer, _row.client_id == client_id, _row.given_up_at.is_(None)
        )
        await self._store.transaction(lambda connection: connection.execute(those.values(given_up_at=now)))


def _client(client_id: str, kept: _Kept) -> RegisteredClient:
    return RegisteredClient(client_id, kept.client_secret, kept.auth_method, kept.secret_expires_at)
