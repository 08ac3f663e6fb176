"""Another account than the connected one came back: it waits, sealed, until the person has decided.

Somebody may have prepared the browser so that the person works in an account that is not theirs.
"""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.connections.account import connect_account
from ostiary.authserver.connections.browser_session import BrowserSession, read_own_form
from ostiary.authserver.connections.context import ConnectionsContext
from ostiary.authserver.connections.flash import Flash, back_with_flash
from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.upstream_login import ConnectLogin
from ostiary.authserver.interaction.waiting_offer import Offer, keep_offer, take_offer
from ostiary.authserver.pages import ReplaceAccount, page_response
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.authserver.upstream_grants.account_replacement import Replaced, disconnect_replaced
from ostiary.authserver.upstream_grants.grant import UpstreamGrant
from ostiary.oauth.server.errors import InvalidRequest

REPLACE = "/connections/replace"


def store_offer(
    connection: Connection, request: BrowserRequest, login: ConnectLogin, account: UpstreamAccount
) -> str:
    """Keep it for the browser's answer. Gives what the form names it by."""
    context = request.context
    return keep_offer(
        connection,
        context.store,
        Offer(login.user_id, login.owner, account),
        browser_hash=request.browser.hash,
        expires_at=request.now + context.life.sign_in.total_seconds(),
    )


def ask_to_replace(
    context: InteractionContext,
    person: BrowserSession,
    before: UpstreamGrant,
    account: UpstreamAccount,
    offer_id: str,
) -> Response:
    """The page that asks."""
    page = ReplaceAccount(
        idp=context.idps[account.idp].display_name,
        connected=before.label or before.account,
        offered=account.label or account.account,
        form=person.form(context, REPLACE, offer=offer_id),
    )
    return page_response(page)


async def decide(http_request: Request, context: ConnectionsContext) -> Response:
    """`POST /connections/replace`: the person has decided. Raises PageRefused, OAuthError, StorageError."""
    request = BrowserRequest.again(http_request, context)
    person, form = await read_own_form(http_request, context, REPLACE, now=request.now)
    offer_id, decision = form.require("offer"), form.require("decision")
    if decision not in {"replace", "keep"}:
        raise InvalidRequest("the decision is replace or keep")

    def work(connection: Connection) -> tuple[Offer, list[Replaced]]:
        offer = take_offer(
            connection, context.store, offer_id, browser_hash=request.browser.hash, now=request.now
        )
        if offer is None or offer.user_id != person.user_id:
            raise _answered()
        if decision == "keep":
            return offer, []
        return offer, connect_account(
            connection, context, offer.user_id, offer.owner, offer.account, now=request.now
        )

    offer, replaced = await context.store.transaction(work)
    if decision == "keep":
        return back_with_flash(person, context, Flash.KEPT)
    context.audit.write(
        AuditEvent.ACCOUNT_CONNECTED,
        subject=person.user_id,
        owner=offer.owner,
        idp=offer.account.idp,
        account=offer.account.account,
        address=request.address,
    )
    await disconnect_replaced(replaced, context.disconnector, subject=person.user_id, owner=offer.owner)
    return back_with_flash(person, context, Flash.REPLACED)


def _answered() -> PageRefused:
    return PageRefused(
        "This question was answered already",
        "It has expired, was answered in another tab, or was asked in another browser. Nothing was changed.",
        "Open the page of connected accounts to see what is connected.",
        status=404,
    )
