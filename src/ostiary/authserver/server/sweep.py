"""What has had its time is deleted, a bounded piece at a time. Every replica may do it, at once, too.

Whoever reads a row looks at its times, so a row that is not swept yet is worth nothing already. With rows go
what was sealed in them: the tokens of a walk that nobody finished, and of a code that nobody redeemed.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, Delete, bindparam, delete, select, tuple_

from ostiary.authserver.services import Parts
from ostiary.authserver.sessions.ending import EndReason, end_all, let_go
from ostiary.authserver.upstream_grants.disconnect import release
from ostiary.storage.schema import (
    away_permissions,
    browser_sessions,
    clients,
    codes,
    device_codes,
    pushed_requests,
    refresh_tokens,
    revoked_tokens,
    session_grants,
    token_sessions,
    upstream_states,
    used_once,
    walks,
)

BATCH = 500
"""Rows of one table in one transaction: others want to write, too."""
KEPT_ENDED = 24 * 3600.0
"""Seconds for which an ended session is still known: longer than an access token lives, and than whoever
follows the sessions that end is away."""

_session = token_sessions.c


def _ended_rows(ends: Column[float]) -> Delete:
    table = ends.table
    key = tuple_(*table.primary_key)
    ended = select(*table.primary_key).where(ends <= bindparam("now")).limit(BATCH)
    return delete(table).where(key.in_(ended))


_ENDED = tuple(
    _ended_rows(ends)
    for ends in (
        pushed_requests.c.expires_at,
        walks.c.expires_at,
        upstream_states.c.expires_at,
        codes.c.kept_until,
        device_codes.c.expires_at,
        browser_sessions.c.expires_at,
        used_once.c.expires_at,
        revoked_tokens.c.expires_at,
        refresh_tokens.c.expires_at,
        away_permissions.c.until,
        clients.c.expires_at,
    )
)
_LONG_ENDED = select(_session.tsid_hash).where(_session.ended_at <= bindparam("then")).limit(BATCH)


async def sweep(parts: Parts, *, now: float) -> None:
    """Delete all that has ended. now: seconds since the epoch. Raises StorageError."""
    while await parts.store.transaction(lambda connection: _delete_ended(connection, now)) >= BATCH:
        pass
    while await _end_expired_sessions(parts, now) >= BATCH:
        pass
    while await _forget_ended_sessions(parts, now) >= BATCH:
        pass


def _delete_ended(connection: Connection, now: float) -> int:
    return max(connection.execute(statement, {"now": now}).rowcount for statement in _ENDED)


async def _end_expired_sessions(parts: Parts, now: float) -> int:
    expired = _session.expires_at <= now
    ended = await parts.store.transaction(
        lambda connection: end_all(connection, expired, reason=EndReason.EXPIRED, now=now, most=BATCH)
    )
    await let_go(parts, ended)
    return len(ended)


async def _forget_ended_sessions(parts: Parts, now: float) -> int:
    """With what pointed to grants. Those are let go once more before: we may have died when they ended."""

    def look(connection: Connection) -> tuple[list[str], list[str]]:
        found = connection.execute(_LONG_ENDED, {"then": now - KEPT_ENDED}).scalars().all()
        grants = select(session_grants.c.grant_id).where(session_grants.c.tsid_hash.in_(found)).distinct()
        return list(found), list(connection.execute(grants).scalars().all())

    def forget(connection: Connection) -> None:
        for column in (session_grants.c.tsid_hash, refresh_tokens.c.tsid_hash, _session.tsid_hash):
            connection.execute(delete(column.table).where(column.in_(sessions)))

    sessions, grants = await parts.store.read(look)
    if sessions:
        await release(parts, grants)
        await parts.store.transaction(forget)
    return len(sessions)
