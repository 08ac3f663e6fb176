"""Sessions that the configuration has no place for any more: they end, and never change their owner.

Each is looked at when it is refreshed; when a server starts, it looks at all, for what is configured may have
changed since the last one ran.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import ColumnElement, Connection, select

from ostiary.authserver.clients.stored_clients import is_stored
from ostiary.authserver.resources import Resources, Target
from ostiary.authserver.sessions.ending import EndReason, SessionEnder, end_all
from ostiary.authserver.sessions.session import Session
from ostiary.storage.schema import token_sessions

BATCH = 500
"""Sessions that end in one transaction."""

_row = token_sessions.c
_LIVING = _row.ended_at.is_(None)


def stale_reason(session: Session, target: Target | None) -> EndReason | None:
    """Why it has to end; None when it fits. target: what its resource leads to now."""
    if target is not None and session.secret.idp not in {None, target.settings.identity}:
        return EndReason.IDENTITY_CHANGED
    return _displaced(session.owner, target)


async def end_stale_sessions(
    ender: SessionEnder, resources: Resources, configured: Collection[str], *, now: float
) -> None:
    """End all whose resource is gone or another's, or whose client is gone.

    configured: the ids of the clients that are not in the store. Raises StorageError.
    """
    places, unknown = await ender.store.read(lambda connection: (_places(connection), _unknown(connection)))
    for of, reason in [
        *_displaced_sessions(resources, places),
        *((_row.client_id == name, EndReason.CLIENT_REMOVED) for name in unknown if name not in configured),
    ]:
        while await _end(ender, of, reason, now) >= BATCH:
            pass


def _displaced(owner: str, target: Target | None) -> EndReason | None:
    if target is None:
        return EndReason.RESOURCE_REMOVED
    return EndReason.OWNER_CHANGED if target.settings.owner_identity != owner else None


def _places(connection: Connection) -> list[tuple[str, str]]:
    found = connection.execute(select(_row.resource, _row.owner).where(_LIVING).distinct())
    return [(row.resource, row.owner) for row in found]


def _unknown(connection: Connection) -> list[str]:
    """Clients that are not in the store, nor describe themselves at an address of their own."""
    stored = is_stored(_row.client_id)
    query = select(_row.client_id).where(_LIVING, ~stored, ~_row.client_id.startswith("https://")).distinct()
    return list(connection.execute(query).scalars().all())


def _displaced_sessions(
    resources: Resources, places: list[tuple[str, str]]
) -> Iterator[tuple[ColumnElement[bool], EndReason]]:
    for resource, owner in places:
        reason = _displaced(owner, resources.find(resource))
        if reason is not None:
            yield (_row.resource == resource) & (_row.owner == owner), reason


async def _end(ender: SessionEnder, of: ColumnElement[bool], reason: EndReason, now: float) -> int:
    ended = await ender.store.transaction(
        lambda connection: end_all(connection, of, reason=reason, now=now, most=BATCH)
    )
    await ender.release_grants(ended)
    return len(ended)
