"""Sessions whose time is over end, and those that ended long ago are forgotten."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, select

from ostiary.authserver.sessions.ending import EndReason, SessionEnder, end_all
from ostiary.authserver.upstream_grants import session_grants
from ostiary.storage.expiry import BATCH
from ostiary.storage.schema import refresh_tokens, token_sessions

KEPT_ENDED = 24 * 3600.0
"""Seconds for which an ended session is still known: longer than an access token lives, and than whoever
follows the sessions that end is away."""

_row = token_sessions.c
_LONG_ENDED = select(_row.tsid_hash).where(_row.ended_at <= bindparam("then")).limit(BATCH)


async def end_expired(ender: SessionEnder, *, now: float) -> int:
    """How many: fewer than BATCH when none is left. Raises StorageError."""
    expired = _row.expires_at <= now
    ended = await ender.store.transaction(
        lambda connection: end_all(connection, expired, reason=EndReason.EXPIRED, now=now, most=BATCH)
    )
    await ender.release_grants(ended)
    return len(ended)


async def forget_ended(ender: SessionEnder, *, now: float) -> int:
    """The same, with what pointed to grants. Those are released once more before: we may have died when they
    ended."""

    def look(connection: Connection) -> tuple[list[str], list[str]]:
        found = list(connection.execute(_LONG_ENDED, {"then": now - KEPT_ENDED}).scalars().all())
        return found, session_grants.grants_of(connection, found)

    def forget(connection: Connection) -> None:
        session_grants.forget_sessions(connection, sessions)
        for column in (refresh_tokens.c.tsid_hash, _row.tsid_hash):
            connection.execute(delete(column.table).where(column.in_(sessions)))

    sessions, grants = await ender.store.read(look)
    if sessions:
        await ender.disconnector.release(grants)
        await ender.store.transaction(forget)
    return len(sessions)
