"""A grant ends: by its person's wish, or because nothing uses it any more. RFC 7009.

It is forgotten here first, by one statement, and then ended at its provider, if that can be reached.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Delete, delete, exists, select

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.services import Services
from ostiary.authserver.upstream_grants.grant import UpstreamGrant, grant_of
from ostiary.storage.schema import away_permissions, session_grants, token_sessions, upstream_grants

_row = upstream_grants.c


async def disconnect(services: Services, grant_id: str) -> bool:
    """Whether the grant was there; it is gone now, for every session. Raises StorageError.

    Whose it is was asked before.
    """
    that = delete(upstream_grants).where(_row.id == grant_id)
    gone = await services.store.transaction(lambda connection: _taken(connection, services, that))
    await _end(services, gone, reason="its person disconnected it")
    return bool(gone)


async def release(services: Services, grant_ids: Sequence[str]) -> None:
    """End those of the grants that no live session points to, and nobody may use while away.

    Raises StorageError.
    """
    if not grant_ids:
        return
    now = services.clock()

    def take(connection: Connection) -> list[UpstreamGrant]:
        """Lock first: a session that begins meanwhile is waited for, and then seen by the statement."""
        locked = select(_row.id).where(_row.id.in_(grant_ids)).order_by(_row.id).with_for_update()
        connection.execute(locked).all()
        return _taken(connection, services, _unused(grant_ids, now))

    gone = await services.store.transaction(take)
    await _end(services, gone, reason="nothing uses it any more")


def _unused(grant_ids: Sequence[str], now: float) -> Delete:
    live_session = exists().where(
        session_grants.c.grant_id == _row.id,
        session_grants.c.tsid_hash == token_sessions.c.tsid_hash,
        token_sessions.c.ended_at.is_(None),
        token_sessions.c.expires_at > now,
    )
    allowed_away = exists().where(away_permissions.c.grant_id == _row.id, away_permissions.c.until > now)
    return delete(upstream_grants).where(_row.id.in_(grant_ids), ~live_session, ~allowed_away)


def _taken(connection: Connection, services: Services, which: Delete) -> list[UpstreamGrant]:
    rows = connection.execute(which.returning(upstream_grants)).all()
    return [grant_of(row, services.store) for row in rows]


async def _end(services: Services, grants: Sequence[UpstreamGrant], *, reason: str) -> None:
    for grant in grants:
        services.audit.write(
            AuditEvent.ACCOUNT_DISCONNECTED,
            subject=grant.user_id,
            owner=grant.owner,
            idp=grant.idp,
            account=grant.account,
            reason=reason,
        )
        idp = services.idps.get(grant.idp)
        if idp is not None:
            await idp.revoke(grant.tokens, issuer=grant.issuer, client_id=grant.client_id)
