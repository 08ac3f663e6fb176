"""What a login of this page brought, or why it brought nothing.

It counts only for the browser that began it, which its state has seen to, and for the person who was signed
in then and still is: otherwise somebody's account would end up with somebody else.
"""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.config.resources import ResourceSettings
from ostiary.authserver.connections.account import account_to_replace, connect_account
from ostiary.authserver.connections.browser_session import BrowserSession, find_browser_session
from ostiary.authserver.connections.flash import Flash, back_with_flash
from ostiary.authserver.connections.replacement_offer import ask_to_replace, store_offer
from ostiary.authserver.connections.sign_in import begin_browser_session
from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.idps.idp import IdpDenied, IdpError
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.interaction_state import Choice, Chosen
from ostiary.authserver.interaction.skip_choices import remember_choices
from ostiary.authserver.interaction.upstream_error import oauth_error
from ostiary.authserver.interaction.upstream_login import ConnectLogin, PageLogin
from ostiary.authserver.sessions.users import is_user
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.authserver.upstream_grants.account_replacement import Replaced, disconnect_replaced
from ostiary.authserver.upstream_grants.disconnect import Disconnector
from ostiary.authserver.upstream_grants.grant import UpstreamGrant
from ostiary.storage.store import Store

SEE_WHAT_IS = "Open the page of connected accounts to see what is connected."


async def callback_result(
    request: BrowserRequest,
    http_request: Request,
    login: ConnectLogin | PageLogin,
    idp: str,
    outcome: UpstreamAccount | IdpError,
    *,
    disconnector: Disconnector,
) -> Response:
    """idp: the entry at which the login was. Raises PageRefused, OAuthError, StorageError."""
    if isinstance(login, ConnectLogin):
        return await _connected(request, http_request, login, idp, outcome, disconnector=disconnector)
    try:
        if isinstance(outcome, IdpError):
            raise outcome
        return await begin_browser_session(request, http_request, login, outcome)
    except IdpError as error:
        refused = oauth_error(error, _display_name(request.context, idp))
        request.context.audit.write(
            AuditEvent.SIGN_IN_REFUSED,
            error=refused.error,
            idp=idp,
            reason=str(error),
            address=request.address,
        )
        raise refused from error


async def _connected(
    request: BrowserRequest,
    http_request: Request,
    login: ConnectLogin,
    idp: str,
    outcome: UpstreamAccount | IdpError,
    *,
    disconnector: Disconnector,
) -> Response:
    try:
        person = await _the_same_person(request, http_request, login)
        if isinstance(outcome, IdpError):
            return await _failed(request, person, login, idp, outcome)
        return await _take_in(request, person, login, outcome, disconnector)
    except PageRefused as refused:
        _write(request, AuditEvent.ACCOUNT_REFUSED, login, idp=idp, reason=refused.detail)
        raise


async def _the_same_person(
    request: BrowserRequest, http_request: Request, login: ConnectLogin
) -> BrowserSession:
    person = await find_browser_session(http_request, request.context, now=request.now)
    if person is not None and person.user_id == login.user_id:
        return person
    raise PageRefused(
        "The account was not connected",
        "Whoever began this is not signed in here any more.",
        "Open the page of connected accounts, sign in, and connect the account from there.",
        status=403,
        detail="nobody is signed in" if person is None else "somebody else is signed in",
    )


async def _take_in(
    request: BrowserRequest,
    person: BrowserSession,
    login: ConnectLogin,
    account: UpstreamAccount,
    disconnector: Disconnector,
) -> Response:
    context, owner = request.context, login.owner
    entries = [
        entry
        for entry in context.resources.entries
        if entry.owner_identity == owner and account.idp in entry.uses
    ]
    if not entries:
        raise PageRefused(
            "The account was not connected",
            "This server does not connect such accounts any more.",
            SEE_WHAT_IS,
            detail=f"owner {owner} has idp {account.idp} no more",
        )

    def work(connection: Connection) -> tuple[UpstreamGrant, str] | list[Replaced]:
        _require_themselves(connection, context.store, entries, person, account)
        before = account_to_replace(connection, context.store, person.user_id, owner, account)
        if before is not None:
            return before, store_offer(connection, request, login, account)
        return connect_account(connection, context, person.user_id, owner, account, now=request.now)

    taken = await context.store.transaction(work)
    if isinstance(taken, tuple):
        before, offer_id = taken
        return ask_to_replace(context, person, before, account, offer_id)
    await disconnect_replaced(taken, disconnector, subject=person.user_id, owner=owner)
    _write(request, AuditEvent.ACCOUNT_CONNECTED, login, idp=account.idp, account=account.account)
    return back_with_flash(person, context, Flash.CONNECTED)


def _require_themselves(
    connection: Connection,
    store: Store,
    entries: list[ResourceSettings],
    person: BrowserSession,
    account: UpstreamAccount,
) -> None:
    """Where the provider says who somebody is, nobody else's account can be connected."""
    if account.idp not in {entry.identity for entry in entries}:
        return
    if account.identity is None or not is_user(connection, store, person.user_id, account.identity):
        raise PageRefused(
            "The account was not connected",
            f"You are signed in here as {person.name}, and came back as somebody else.",
            "Sign out here first, or sign in there as the same person.",
            detail="another person than the one who is signed in",
        )


async def _failed(
    request: BrowserRequest, person: BrowserSession, login: ConnectLogin, idp: str, error: IdpError
) -> Response:
    """A refusal is remembered, and shown at the account."""
    context, name = request.context, _display_name(request.context, idp)
    refused = oauth_error(error, name)
    _write(request, AuditEvent.ACCOUNT_REFUSED, login, idp=idp, error=refused.error, reason=str(error))
    if not isinstance(error, IdpDenied):
        raise refused
    choice = Choice(idp, Chosen.REFUSED, f"{name} refused.")
    await context.store.transaction(
        lambda connection: remember_choices(connection, login.user_id, login.owner, [choice], now=request.now)
    )
    return back_with_flash(person, context, Flash.REFUSED)


def _display_name(context: InteractionContext, idp: str) -> str:
    return context.idps[idp].display_name if idp in context.idps else idp


def _write(
    request: BrowserRequest, event: AuditEvent, login: ConnectLogin, **particulars: str | None
) -> None:
    request.context.audit.write(
        event,
        subject=login.user_id,
        resource=login.resource,
        owner=login.owner,
        address=request.address,
        **particulars,
    )
