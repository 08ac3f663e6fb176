"""A walk is made, and bound to the browser."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.responses import Response

from ostiary.authserver.interaction.advance import go_on
from ostiary.authserver.interaction.authorization_request import Asked
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.interaction_state import WalkRecord
from ostiary.authserver.interaction.interaction_store import make_walk
from ostiary.authserver.interaction.interaction_view import Standing, look_at


async def start_walk(visit: Visit, asked: Asked, *, is_consented: bool) -> Response:
    """Its first step. The response brings the cookie of a browser that has none.

    is_consented: whether the person need not be asked, or was asked on a page before. Raises PageRefused,
    OAuthError, StorageError.
    """
    parts = visit.parts
    record = WalkRecord(asked, is_consented=is_consented)
    expires_at = visit.now + parts.settings.tokens.sign_in.total_seconds()

    def work(connection: Connection) -> Standing:
        walk = make_walk(
            connection, parts.store, record, browser_hash=visit.browser.hash, expires_at=expires_at
        )
        return look_at(connection, parts, walk)

    return await go_on(visit, await parts.store.transaction(work))
