"""A client may use an account while its person is away, until a day that they chose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, delete, select

from ostiary.authserver.upstream_grants.grant import find
from ostiary.storage.expiry import Expiry
from ostiary.storage.inserts import insert_or_ignore
from ostiary.storage.schema import away_permissions, upstream_grants
from ostiary.storage.store import Store

EXPIRY = Expiry(away_permissions.c.until)

_row = away_permissions.c


@dataclass(frozen=True, slots=True)
class OfflineAccessPermission:
    """Times are seconds since the epoch."""

    grant_id: str
    client_id: str
    given_at: float
    until: float


def allow(
    connection: Connection,
    store: Store,
    *,
    user_id: str,
    grant_id: str,
    client_id: str,
    until: float,
    now: float,
) -> bool:
    """Whether it is allowed now: nobody gives leave for what is not theirs."""
    mine = select(upstream_grants.c.id).where(
        upstream_grants.c.id == grant_id, upstream_grants.c.user_id == user_id
    )
    if connection.execute(mine).first() is None:
        return False
    connection.execute(_that(grant_id, client_id))
    row = {"grant_id": grant_id, "client_id": client_id, "given_at": now, "until": until}
    sealed = store.seal_row(away_permissions, row)
    connection.execute(insert_or_ignore(connection, away_permissions).values(row | {"sealed": sealed}))
    return True


def forbid(connection: Connection, *, user_id: str, grant_id: str, client_id: str) -> bool:
    """Whether there was a permission to take back."""
    mine = select(upstream_grants.c.id).where(upstream_grants.c.user_id == user_id)
    statement = _that(grant_id, client_id).where(_row.grant_id.in_(mine)).returning(_row.client_id)
    return connection.execute(statement).first() is not None


def is_allowed(connection: Connection, store: Store, *, grant_id: str, client_id: str, now: float) -> bool:
    """Whether this client may use this grant now without a session of its person's.

    Raises SealedOtherwise.
    """
    wanted = select(away_permissions).where(
        _row.grant_id == grant_id, _row.client_id == client_id, _row.until > now
    )
    row = connection.execute(wanted).first()
    return row is not None and _permission(store, row).until > now


def newest_allowed(
    connection: Connection,
    store: Store,
    *,
    user_id: str,
    owner: str,
    idp: str,
    client_id: str,
    now: float,
) -> str | None:
    """The grant at a provider that a client may use for its person and owner now; the last one connected.

    Raises SealedOtherwise.
    """
    of = upstream_grants.c
    wanted = (
        select(away_permissions)
        .join(upstream_grants, _row.grant_id == of.id)
        .where(
            of.user_id == user_id,
            of.owner == owner,
            of.idp == idp,
            _row.client_id == client_id,
            _row.until > now,
        )
        .order_by(of.connected_at.desc(), of.id)
        .limit(1)
    )
    row = connection.execute(wanted).one_or_none()
    if row is None:
        return None
    permission, grant = _permission(store, row), find(connection, store, row.grant_id)
    fits = grant is not None and (grant.user_id, grant.owner, grant.idp) == (user_id, owner, idp)
    return permission.grant_id if fits else None


def of_user(
    connection: Connection, store: Store, user_id: str, *, now: float
) -> list[OfflineAccessPermission]:
    """What somebody allows now, the oldest first. Raises SealedOtherwise."""
    wanted = (
        select(away_permissions)
        .join(upstream_grants, upstream_grants.c.id == _row.grant_id)
        .where(upstream_grants.c.user_id == user_id, _row.until > now)
        .order_by(_row.given_at, _row.client_id)
    )
    return [_permission(store, row) for row in connection.execute(wanted)]


def _permission(store: Store, row: Any) -> OfflineAccessPermission:
    store.check_row(row.sealed, table=away_permissions, row=row)
    return OfflineAccessPermission(row.grant_id, row.client_id, row.given_at, row.until)


def _that(grant_id: str, client_id: str) -> Delete:
    return delete(away_permissions).where(_row.grant_id == grant_id, _row.client_id == client_id)
