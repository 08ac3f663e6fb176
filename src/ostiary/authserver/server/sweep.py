"""What has had its time is deleted, a bounded piece at a time. Every replica may do it, at once, too.

Whoever reads a row looks at its times, so a row that is not swept yet is worth nothing already. With rows go
what was sealed in them: the tokens of a sign-in that nobody finished, and of a code that nobody redeemed.
"""

from __future__ import annotations

from sqlalchemy import Connection

from ostiary.authserver import authorization_codes, device_codes, replay_store
from ostiary.authserver.clients import stored_clients
from ostiary.authserver.connections import browser_session
from ostiary.authserver.interaction import interaction_store, pushed_requests, upstream_login
from ostiary.authserver.server.services import Services
from ostiary.authserver.sessions import expired_sessions, refresh_tokens
from ostiary.authserver.tokens import revoked_tokens
from ostiary.authserver.upstream_grants import offline_access
from ostiary.storage.expiry import BATCH

EXPIRIES = (
    pushed_requests.EXPIRY,
    interaction_store.EXPIRY,
    upstream_login.EXPIRY,
    authorization_codes.EXPIRY,
    device_codes.EXPIRY,
    browser_session.EXPIRY,
    replay_store.EXPIRY,
    revoked_tokens.EXPIRY,
    refresh_tokens.EXPIRY,
    offline_access.EXPIRY,
    stored_clients.EXPIRY,
)


async def sweep(services: Services, *, now: float) -> None:
    """Delete all that has ended. now: seconds since the epoch. Raises StorageError."""
    while await services.store.transaction(lambda connection: _delete_ended(connection, now)) >= BATCH:
        pass
    while await expired_sessions.end_expired(services.session_ender, now=now) >= BATCH:
        pass
    while await expired_sessions.forget_ended(services.session_ender, now=now) >= BATCH:
        pass


def _delete_ended(connection: Connection, now: float) -> int:
    return max(expiry.delete_ended(connection, now=now) for expiry in EXPIRIES)
