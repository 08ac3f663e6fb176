"""Clients in the store: those that registered themselves, and those that were registered by command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, exists, select, update

from ostiary.authserver.clients.registration_limit import is_let_in_by_now
from ostiary.oauth.client.client_authentication import AuthMethod
from ostiary.oauth.server.client import ApplicationType, Client, ClientKind
from ostiary.oauth.server.client_registration import registered_metadata
from ostiary.oauth.server.scope import read_scope
from ostiary.storage.expiry import Expiry
from ostiary.storage.inserts import insert_or_ignore
from ostiary.storage.schema import clients
from ostiary.storage.store import Store

USE_STEP = 3600.0
"""Seconds after which a use is written down again: not at each one."""
KINDS = (ClientKind.DYNAMIC, ClientKind.PREREGISTERED)
SAN = {
    "dns": "tls_client_auth_san_dns",
    "uri": "tls_client_auth_san_uri",
    "ip": "tls_client_auth_san_ip",
    "email": "tls_client_auth_san_email",
}
"""RFC 8705 section 2.1.2: a name's kind, and what it is called in a client's metadata."""

EXPIRY = Expiry(clients.c.expires_at)

_row = clients.c


class StoredClients:
    """All of them. lifetime: seconds for which one that registered itself stays without being used."""

    def __init__(self, store: Store, *, lifetime: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._lifetime = lifetime
        self._clock = clock

    async def find(self, client_id: str) -> Client | None:
        """The client; whoever finds it uses it, so its end moves on. Raises StorageError.

        One whose row was changed, such as its redirect URIs, is SealedOtherwise.
        """
        now = self._clock()
        wanted = select(clients).where(
            _row.client_id == client_id,
            _row.kind.in_(KINDS),
            _row.expires_at.is_(None) | (_row.expires_at > now),
        )
        row = await self._store.read(lambda connection: connection.execute(wanted).first())
        if row is None:
            return None
        client = client_of_row(self._store, row)
        if now - row.used_at >= USE_STEP:
            await self._renew(client_id, now)
        return client

    async def _renew(self, client_id: str, now: float) -> None:
        """Move the end of what has one."""
        used = update(clients).where(_row.client_id == client_id)
        used = used.values(used_at=now, let_in_at=is_let_in_by_now(now))
        ends = used.where(_row.expires_at > now).values(expires_at=now + self._lifetime)
        stays = used.where(_row.expires_at.is_(None))
        await self._store.transaction(
            lambda connection: connection.execute(ends).rowcount or connection.execute(stays).rowcount
        )


def list_rows(connection: Connection, *, now: float) -> Sequence[Row[Any]]:
    """Those that are there now, the newest first."""
    wanted = (
        select(clients)
        .where(_row.kind.in_(KINDS), _row.expires_at.is_(None) | (_row.expires_at > now))
        .order_by(_row.created_at.desc(), _row.client_id)
    )
    return connection.execute(wanted).all()


def add(connection: Connection, row: Mapping[str, Any]) -> bool:
    """False when there is one of this name."""
    statement = insert_or_ignore(connection, clients).values(row).returning(_row.client_id)
    return connection.execute(statement).first() is not None


def remove(connection: Connection, client_id: str) -> bool:
    """False when there is none of this name."""
    removing = delete(clients).where(_row.client_id == client_id, _row.kind.in_(KINDS))
    return connection.execute(removing).rowcount > 0


def is_stored(client_id: ColumnElement[str]) -> ColumnElement[bool]:
    """For a statement about other rows: whether the client that a column of theirs names is here."""
    return exists().where(_row.client_id == client_id)


def row_of_client(store: Store, client: Client, *, now: float, expires_at: float | None) -> dict[str, Any]:
    """What stands in the store for a client."""
    said = registered_metadata(client)
    if client.certificate_subject is not None:
        said["tls_client_auth_subject_dn"] = client.certificate_subject
    if client.certificate_san is not None:
        said[SAN[client.certificate_san[0]]] = client.certificate_san[1]
    if client.allowed_resources is not None:
        said["resources"] = sorted(client.allowed_resources)
    covered: dict[str, Any] = {
        "client_id": client.client_id,
        "kind": str(client.kind),
        "metadata": msgspec.json.encode(said).decode(),
        "secret_digest": client.secret_digest,
        "fresh_until": None,
    }
    times = {"created_at": now, "used_at": now, "expires_at": expires_at}
    return covered | times | {"sealed": store.seal_row(clients, covered)}


def client_of_row(store: Store, row: Any) -> Client:
    """The client for which a row stands. Raises SealedOtherwise."""
    store.check_row(row.sealed, table=clients, row=row)
    said = msgspec.json.decode(row.metadata, type=_Metadata)
    return Client(
        client_id=row.client_id,
        kind=ClientKind(row.kind),
        redirect_uris=said.redirect_uris,
        grant_types=said.grant_types,
        scopes=frozenset(read_scope(said.scope)) or None,
        auth_method=said.token_endpoint_auth_method,
        secret_digest=row.secret_digest,
        jwks=said.jwks,
        jwks_uri=said.jwks_uri,
        certificate_subject=said.tls_client_auth_subject_dn,
        certificate_san=next(
            ((kind, name) for kind, field in SAN.items() if (name := getattr(said, field)) is not None), None
        ),
        application_type=said.application_type,
        name=said.client_name,
        client_uri=said.client_uri,
        dpop_bound=said.dpop_bound_access_tokens,
        certificate_bound=said.tls_client_certificate_bound_access_tokens,
        require_pushed_requests=said.require_pushed_authorization_requests,
        allowed_resources=said.resources,
    )


@dataclass(frozen=True, slots=True)
class _Metadata:
    """In the names of RFC 7591, RFC 8705, RFC 9126 and RFC 9449; `resources` is ours."""

    token_endpoint_auth_method: AuthMethod
    grant_types: frozenset[str]
    redirect_uris: tuple[str, ...] = ()
    scope: str | None = None
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None
    tls_client_auth_subject_dn: str | None = None
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    tls_client_auth_san_ip: str | None = None
    tls_client_auth_san_email: str | None = None
    application_type: ApplicationType = ApplicationType.WEB
    client_name: str | None = None
    client_uri: str | None = None
    dpop_bound_access_tokens: bool = False
    tls_client_certificate_bound_access_tokens: bool = False
    require_pushed_authorization_requests: bool = False
    resources: frozenset[str] | None = None
