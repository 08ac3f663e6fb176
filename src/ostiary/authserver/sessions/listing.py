"""Sessions as people and operators see them: never a token in it, nor what would lead to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from ostiary.authserver.sessions.session import Session, read_row
from ostiary.oauth.server.scope import read_scope
from ostiary.storage.schema import token_sessions
from ostiary.storage.store import Store

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


@dataclass(frozen=True, slots=True)
class RunningSession:
    """One that lives, opened, and when it was last used."""

    session: Session
    used_at: float


def running_sessions(
    connection: Connection, store: Store, user_id: str, *, now: float
) -> list[RunningSession]:
    """What a person lets clients do now, the oldest first. Raises SealedOtherwise."""
    query = (
        select(token_sessions)
        .where(_row.user_id == user_id, _row.ended_at.is_(None), _row.expires_at > now)
        .order_by(_row.created_at)
    )
    return [RunningSession(read_row(row, store), row.used_at) for row in connection.execute(query)]


def resources_of_sessions(
    connection: Connection, user_id: str, owner: str, *, now: float
) -> list[tuple[str, str]]:
    """Name and resource of each that a person has running for an owner."""
    query = select(_row.tsid_hash, _row.resource).where(
        _row.user_id == user_id, _row.owner == owner, _row.ended_at.is_(None), _row.expires_at > now
    )
    return [(row.tsid_hash, row.resource) for row in connection.execute(query)]


def find_by_beginning(connection: Connection, beginning: str, *, most: int) -> list[str]:
    """The names of those that have not ended, and whose name begins so."""
    living = select(_row.tsid_hash).where(_row.ended_at.is_(None))
    beginnings = living.where(_row.tsid_hash.startswith(beginning, autoescape=True))
    return list(connection.execute(beginnings.limit(most)).scalars().all())


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
