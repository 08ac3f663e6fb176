"""What a person ends: an account's connection, a program's access, their own session here.

What is not theirs is refused as if it did not exist.
"""

from __future__ import annotations

from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.connections.browser_session import end, posted, take_cookie
from ostiary.authserver.connections.flash import Notice, back_with
from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.pages import Done, page_response
from ostiary.authserver.services import Parts
from ostiary.authserver.sessions.ending import EndReason, end_all, let_go
from ostiary.authserver.upstream_grants.disconnect import disconnect
from ostiary.storage.schema import token_sessions, upstream_grants

DISCONNECT = "/connections/disconnect"
END = "/connections/end"
SIGN_OUT = "/connections/sign-out"


async def disconnect_account(request: Request, parts: Parts) -> Response:
    """`POST /connections/disconnect`. Raises PageRefused, OAuthError, StorageError."""
    now = parts.clock()
    person, form = await posted(request, parts, DISCONNECT, now=now)
    grant_id = form.require("account")
    await parts.store.read(lambda connection: require_own_grant(connection, person.user_id, grant_id))
    await disconnect(parts, grant_id)
    return back_with(person, parts, Notice.DISCONNECTED)


async def end_access(request: Request, parts: Parts) -> Response:
    """`POST /connections/end`. Raises PageRefused, OAuthError, StorageError."""
    now = parts.clock()
    person, form = await posted(request, parts, END, now=now)
    columns = token_sessions.c
    theirs = (columns.tsid_hash == form.require("session")) & (columns.user_id == person.user_id)
    ended = await parts.store.transaction(
        lambda connection: end_all(connection, theirs, reason=EndReason.ENDED_BY_PERSON, now=now)
    )
    if not ended:
        raise not_there()
    await let_go(parts, ended)
    return back_with(person, parts, Notice.ENDED)


async def sign_out(request: Request, parts: Parts) -> Response:
    """`POST /connections/sign-out`: of this page alone; programs keep their access."""
    person, _ = await posted(request, parts, SIGN_OUT, now=parts.clock())
    await parts.store.transaction(lambda connection: end(connection, person.session_hash))
    page = Done(
        "You are signed out", "Programs keep the access that you gave them. You can close this window."
    )
    return take_cookie(page_response(page), parts.issuer)


def require_own_grant(connection: Connection, user_id: str, grant_id: str) -> None:
    """Raise PageRefused unless somebody's account is theirs."""
    columns = upstream_grants.c
    query = select(columns.id).where(columns.id == grant_id, columns.user_id == user_id)
    if connection.execute(query).first() is None:
        raise not_there()


def not_there() -> PageRefused:
    """Another person's, ended already, or never there: all look alike."""
    return PageRefused(
        "That is not here any more",
        "It was ended or disconnected already, perhaps in another window.",
        "Open the page of connected accounts to see what is connected.",
        status=404,
    )
