"""Sessions as people and operators see them: never a token in it, nor what would lead to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from ostiary.oauth.server.scope import read_scope
from ostiary.storage.schema import token_sessions

MOST = 1000
"""Sessions in one list."""

_row = token_sessions.c
_COLUMNS = select(
    _row.tsid_hash,
    _row.user_id,
    _row.client_id,
    _row.owner,
    _row.resource,
    _row.scopes,
    _row.created_at,
    _row.used_at,
    _row.expires_at,
)


@dataclass(frozen=True, slots=True)
class ListedSession:
    """One of them; times in seconds since the epoch."""

    session: str
    """Its name in lists, in the audit and to end it by: the hash of its `tsid`, which opens nothing."""
    user_id: str
    client_id: str
    owner: str
    resource: str
    scopes: tuple[str, ...]
    created_at: float
    used_at: float
    expires_at: float


def sessions_of_user(connection: Connection, user_id: str, *, now: float) -> list[ListedSession]:
    """What a person lets clients do now, the latest first."""
    return _listed(connection, _COLUMNS.where(_row.user_id == user_id), now)


def all_sessions(
    connection: Connection, *, now: float, client_id: str | None = None, resource: str | None = None
) -> list[ListedSession]:
    """All that live, or those of a client or for a resource, the latest first; `MOST` at most."""
    query = _COLUMNS
    if client_id is not None:
        query = query.where(_row.client_id == client_id)
    if resource is not None:
        query = query.where(_row.resource == resource)
    return _listed(connection, query, now)


def _listed(connection: Connection, query: Select[Any], now: float) -> list[ListedSession]:
    living = query.where(_row.ended_at.is_(None), _row.expires_at > now)
    rows = connection.execute(living.order_by(_row.created_at.desc()).limit(MOST)).all()
    return [
        ListedSession(
            session=row.tsid_hash,
            user_id=row.user_id,
            client_id=row.client_id,
            owner=row.owner,
            resource=row.resource,
            scopes=read_scope(row.scopes),
            created_at=row.created_at,
            used_at=row.used_at,
            expires_at=row.expires_at,
        )
        for row in rows
    ]
