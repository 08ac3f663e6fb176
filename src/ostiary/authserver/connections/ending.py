"""What a person ends: an account's connection, a program's access, their own session here.

What is not theirs is refused as if it did not exist.
"""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.connections.browser_session import end, read_own_form, take_cookie
from ostiary.authserver.connections.context import ConnectionsContext
from ostiary.authserver.connections.flash import Flash, back_with_flash
from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.pages import Done, page_response
from ostiary.authserver.sessions.ending import EndReason, end_own
from ostiary.authserver.upstream_grants.grant import is_of_user

DISCONNECT = "/connections/disconnect"
END = "/connections/end"
SIGN_OUT = "/connections/sign-out"


async def disconnect_account(http_request: Request, context: ConnectionsContext) -> Response:
    """`POST /connections/disconnect`. Raises PageRefused, OAuthError, StorageError."""
    now = context.clock()
    person, form = await read_own_form(http_request, context, DISCONNECT, now=now)
    grant_id = form.require("account")
    await context.store.read(lambda connection: require_own_grant(connection, person.user_id, grant_id))
    await context.disconnector.disconnect(grant_id)
    return back_with_flash(person, context, Flash.DISCONNECTED)


async def end_access(http_request: Request, context: ConnectionsContext) -> Response:
    """`POST /connections/end`. Raises PageRefused, OAuthError, StorageError."""
    now = context.clock()
    person, form = await read_own_form(http_request, context, END, now=now)
    tsid_hash, reason = form.require("session"), EndReason.ENDED_BY_PERSON
    ended = await context.store.transaction(
        lambda connection: end_own(connection, tsid_hash, user_id=person.user_id, reason=reason, now=now)
    )
    if ended is None:
        raise not_there()
    await context.session_ender.release_grants([ended])
    return back_with_flash(person, context, Flash.ENDED)


async def sign_out(http_request: Request, context: ConnectionsContext) -> Response:
    """`POST /connections/sign-out`: of this page alone; programs keep their access."""
    person, _ = await read_own_form(http_request, context, SIGN_OUT, now=context.clock())
    await context.store.transaction(lambda connection: end(connection, person.session_hash))
    page = Done(
        "You are signed out", "Programs keep the access that you gave them. You can close this window."
    )
    return take_cookie(page_response(page), context.issuer)


def require_own_grant(connection: Connection, user_id: str, grant_id: str) -> None:
    """Raise PageRefused unless somebody's account is theirs."""
    if not is_of_user(connection, grant_id, user_id):
        raise not_there()


def not_there() -> PageRefused:
    """Another person's, ended already, or never there: all look alike."""
    return PageRefused(
        "That is not here any more",
        "It was ended or disconnected already, perhaps in another window.",
        "Open the page of connected accounts to see what is connected.",
        status=404,
    )
