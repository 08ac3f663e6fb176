"""Another account than the connected one came back: it waits, sealed, until the person has decided.

Somebody may have prepared the browser so that the person works in an account that is not theirs.
"""

from __future__ import annotations

import secrets

import msgspec
from sqlalchemy import Connection, delete, insert
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.connections.account import take
from ostiary.authserver.connections.browser_session import SignedIn, posted
from ostiary.authserver.connections.flash import Notice, back_with
from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.upstream_login import ConnectLeg
from ostiary.authserver.pages import ReplaceAccount, page_response
from ostiary.authserver.services import Parts
from ostiary.authserver.sessions.account_replacement import Replaced, disconnect_replaced
from ostiary.authserver.upstream_account import Connected
from ostiary.authserver.upstream_grants.grant import UpstreamGrant
from ostiary.oauth.server.errors import InvalidRequest
from ostiary.storage.schema import walks
from ostiary.storage.store import digest

REPLACE = "/connections/replace"

_row = walks.c


class Offer(msgspec.Struct, frozen=True):
    """What waits. It is swept as walks are, whose table it shares."""

    user_id: str
    owner: str
    account: Connected


def wait(connection: Connection, visit: Visit, leg: ConnectLeg, account: Connected) -> str:
    """Keep it for the browser's answer. Gives what the form names it by."""
    offer_id = secrets.token_urlsafe(32)
    key = _key(offer_id)
    store = visit.parts.store
    connection.execute(
        insert(walks).values(
            walk_hash=key,
            browser_hash=visit.browser.hash,
            sealed=store.seal(Offer(leg.user_id, leg.owner, account), table=walks, key=key),
            version=1,
            expires_at=visit.now + visit.parts.settings.tokens.sign_in.total_seconds(),
        )
    )
    return offer_id


def ask_to_replace(
    parts: Parts, person: SignedIn, before: UpstreamGrant, account: Connected, offer_id: str
) -> Response:
    """The page that asks."""
    page = ReplaceAccount(
        idp=parts.idps[account.idp].display_name,
        connected=before.label or before.account,
        offered=account.label or account.account,
        form=person.form(parts, REPLACE, offer=offer_id),
    )
    return page_response(page)


async def decide(request: Request, parts: Parts) -> Response:
    """`POST /connections/replace`: the person has decided. Raises PageRefused, OAuthError, StorageError."""
    visit = Visit.again(request, parts)
    person, form = await posted(request, parts, REPLACE, now=visit.now)
    key, decision = _key(form.require("offer")), form.require("decision")
    if decision not in {"replace", "keep"}:
        raise InvalidRequest("the decision is replace or keep")

    def work(connection: Connection) -> tuple[Offer, list[Replaced]]:
        offer = _taken(connection, visit, key)
        if offer is None or offer.user_id != person.user_id:
            raise _answered()
        if decision == "keep":
            return offer, []
        return offer, take(connection, parts, offer.user_id, offer.owner, offer.account, now=visit.now)

    offer, replaced = await parts.store.transaction(work)
    if decision == "keep":
        return back_with(person, parts, Notice.KEPT)
    parts.audit.write(
        AuditEvent.ACCOUNT_CONNECTED,
        subject=person.user_id,
        owner=offer.owner,
        idp=offer.account.idp,
        account=offer.account.account,
        address=visit.address,
    )
    await disconnect_replaced(parts, replaced, subject=person.user_id, owner=offer.owner)
    return back_with(person, parts, Notice.REPLACED)


def _taken(connection: Connection, visit: Visit, key: str) -> Offer | None:
    """Once, by the browser that it waits for."""
    sealed = connection.execute(
        delete(walks)
        .where(_row.walk_hash == key, _row.browser_hash == visit.browser.hash, _row.expires_at > visit.now)
        .returning(_row.sealed)
    ).scalar_one_or_none()
    return None if sealed is None else visit.parts.store.open(sealed, Offer, table=walks, key=key)


def _answered() -> PageRefused:
    return PageRefused(
        "This question was answered already",
        "It has expired, was answered in another tab, or was asked in another browser. Nothing was changed.",
        "Open the page of connected accounts to see what is connected.",
        status=404,
    )


def _key(offer_id: str) -> str:
    """Not a walk's: neither is ever found as the other."""
    return digest(f"offer {offer_id}")
