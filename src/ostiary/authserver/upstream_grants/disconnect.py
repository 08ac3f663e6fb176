"""A grant ends: by its person's wish, or because nothing uses it any more. RFC 7009.

It is forgotten here first, by one statement, and then ended at its provider, if that can be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Delete, delete, exists, select

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.idps.idp import Idps
from ostiary.authserver.upstream_grants.grant import UpstreamGrant, grant_of
from ostiary.storage.schema import away_permissions, session_grants, token_sessions, upstream_grants
from ostiary.storage.store import Store
from ostiary.telemetry.audit import Audit

_row = upstream_grants.c


@dataclass(frozen=True, slots=True)
class Disconnector:
    """Ends grants, here and at their providers."""

    store: Store
    idps: Idps
    audit: Audit
    clock: Callable[[], float]

    async def disconnect(self, grant_id: str) -> bool:
        """Whether the grant was there; it is gone now, for every session. Raises StorageError.

        Whose it is was asked before.
        """
        that = delete(upstream_grants).where(_row.id == grant_id)
        gone = await self.store.transaction(lambda connection: self._taken(connection, that))
        await self._end(gone, reason="its person disconnected it")
        return bool(gone)

    async def release(self, grant_ids: Sequence[str]) -> None:
        """End those of the grants that no live session points to, and nobody may use while away.

        Raises StorageError.
        """
        if not grant_ids:
            return
        now = self.clock()

        def take(connection: Connection) -> list[UpstreamGrant]:
            """Lock first: a session that begins meanwhile is waited for, and then seen by the statement."""
            locked = select(_row.id).where(_row.id.in_(grant_ids)).order_by(_row.id).with_for_update()
            connection.execute(locked).all()
            return self._taken(connection, _unused(grant_ids, now))

        gone = await self.store.transaction(take)
        await self._end(gone, reason="nothing uses it any more")

    def _taken(self, connection: Connection, which: Delete) -> list[UpstreamGrant]:
        rows = connection.execute(which.returning(upstream_grants)).all()
        return [grant_of(row, self.store) for row in rows]

    async def _end(self, grants: Sequence[UpstreamGrant], *, reason: str) -> None:
        for grant in grants:
            self.audit.write(
                AuditEvent.ACCOUNT_DISCONNECTED,
                subject=grant.user_id,
                owner=grant.owner,
                idp=grant.idp,
                account=grant.account,
                reason=reason,
            )
            idp = self.idps.get(grant.idp)
            if idp is not None:
                await idp.revoke(grant.tokens, issuer=grant.issuer, client_id=grant.client_id)


def _unused(grant_ids: Sequence[str], now: float) -> Delete:
    live_session = exists().where(
        session_grants.c.grant_id == _row.id,
        session_grants.c.tsid_hash == token_sessions.c.tsid_hash,
        token_sessions.c.ended_at.is_(None),
        token_sessions.c.expires_at > now,
    )
    allowed_away = exists().where(away_permissions.c.grant_id == _row.id, away_permissions.c.until > now)
    return delete(upstream_grants).where(_row.id.in_(grant_ids), ~live_session, ~allowed_away)
