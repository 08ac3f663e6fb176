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
from ostiary.authserver.connections.flash import Flash, back_with_flash
from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.upstream_login import ConnectLogin
from ostiary.authserver.interaction.waiting_offer import Offer, keep_offer, take_offer
from ostiary.authserver.pages import ReplaceAccount, page_response
from ostiary.authserver.services import Services
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.authserver.upstream_grants.account_replacement import Replaced, disconnect_replaced
from ostiary.authserver.upstream_grants.grant import UpstreamGrant
from ostiary.oauth.server.errors import InvalidRequest

REPLACE = "/connections/replace"


def store_offer(
    connection: Connection, request: BrowserRequest, login: ConnectLogin, account: UpstreamAccount
) -> str:
    """Keep it for the browser's answer. Gives what the form names it by."""
    services = request.services
    return keep_offer(
        connection,
        services.store,
        Offer(login.user_id, login.owner, account),
        browser_hash=request.browser.hash,
        expires_at=request.now + services.settings.tokens.sign_in.total_seconds(),
    )


def ask_to_replace(
    services: Services, person: BrowserSession, before: UpstreamGrant, account: UpstreamAccount, offer_id: str
) -> Response:
    """The page that asks."""
    page = ReplaceAccount(
        idp=services.idps[account.idp].display_name,
        connected=before.label or before.account,
        offered=account.label or account.account,
        form=person.form(services, REPLACE, offer=offer_id),
    )
    return page_response(page)


async def decide(http_request: Request, services: Services) -> Response:
    """`POST /connections/replace`: the person has decided. Raises PageRefused, OAuthError, StorageError."""
    request = BrowserRequest.again(http_request, services)
    person, form = await read_own_form(http_request, services, REPLACE, now=request.now)
    offer_id, decision = form.require("offer"), form.require("decision")
    if decision not in {"replace", "keep"}:
        raise InvalidRequest("the decision is replace or keep")

    def work(connection: Connection) -> tuple[Offer, list[Replaced]]:
        offer = take_offer(
            connection, services.store, offer_id, browser_hash=request.browser.hash, now=request.now
        )
        if offer is None or offer.user_id != person.user_id:
            raise _answered()
        if decision == "keep":
            return offer, []
        return offer, connect_account(
            connection, services, offer.user_id, offer.owner, offer.account, now=request.now
        )

    offer, replaced = await services.store.transaction(work)
    if decision == "keep":
        return back_with_flash(person, services, Flash.KEPT)
    services.audit.write(
        AuditEvent.ACCOUNT_CONNECTED,
        subject=person.user_id,
        owner=offer.owner,
        idp=offer.account.idp,
        account=offer.account.account,
        address=request.address,
    )
    await disconnect_replaced(replaced, services.disconnector, subject=person.user_id, owner=offer.owner)
    return back_with_flash(person, services, Flash.REPLACED)


def _answered() -> PageRefused:
    return PageRefused(
        "This question was answered already",
        "It has expired, was answered in another tab, or was asked in another browser. Nothing was changed.",
        "Open the page of connected accounts to see what is connected.",
        status=404,
    )
