"""What a leg of this page brought, or why it brought nothing.

It counts only for the browser that began it, which its state has seen to, and for the person who was signed
in then and still is: otherwise somebody's account would end up with somebody else.
"""

from __future__ import annotations

from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.config.resources import ResourceSettings
from ostiary.authserver.connections.account import take, takes_the_place_of
from ostiary.authserver.connections.browser_session import SignedIn, signed_in
from ostiary.authserver.connections.flash import Notice, back_with
from ostiary.authserver.connections.replacement_offer import ask_to_replace, wait
from ostiary.authserver.connections.sign_in import come_in
from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.idps.idp import IdpDenied, IdpError
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.interaction_state import Choice, Chosen
from ostiary.authserver.interaction.skip_choices import remember_choices
from ostiary.authserver.interaction.upstream_error import refusal
from ostiary.authserver.interaction.upstream_login import ConnectLeg, PageSignIn
from ostiary.authserver.services import Parts
from ostiary.authserver.sessions.account_replacement import Replaced, disconnect_replaced
from ostiary.authserver.upstream_account import Connected
from ostiary.authserver.upstream_grants.grant import UpstreamGrant
from ostiary.storage.schema import users

SEE_WHAT_IS = "Open the page of connected accounts to see what is connected."


async def arrived(
    visit: Visit, request: Request, leg: ConnectLeg | PageSignIn, idp: str, outcome: Connected | IdpError
) -> Response:
    """idp: the entry at which the leg was. Raises PageRefused, OAuthError, StorageError."""
    if isinstance(leg, ConnectLeg):
        return await _connected(visit, request, leg, idp, outcome)
    try:
        if isinstance(outcome, IdpError):
            raise outcome
        return await come_in(visit, request, leg, outcome)
    except IdpError as error:
        refused = refusal(error, _display_name(visit.parts, idp))
        visit.parts.audit.write(
            AuditEvent.SIGN_IN_REFUSED,
            error=refused.error,
            idp=idp,
            reason=str(error),
            address=visit.address,
        )
        raise refused from error


async def _connected(
    visit: Visit, request: Request, leg: ConnectLeg, idp: str, outcome: Connected | IdpError
) -> Response:
    try:
        person = await _the_same_person(visit, request, leg)
        if isinstance(outcome, IdpError):
            return await _failed(visit, person, leg, idp, outcome)
        return await _take_in(visit, person, leg, outcome)
    except PageRefused as refused:
        _write(visit, AuditEvent.ACCOUNT_REFUSED, leg, idp=idp, reason=refused.detail)
        raise


async def _the_same_person(visit: Visit, request: Request, leg: ConnectLeg) -> SignedIn:
    person = await signed_in(request, visit.parts, now=visit.now)
    if person is not None and person.user_id == leg.user_id:
        return person
    raise PageRefused(
        "The account was not connected",
        "Whoever began this is not signed in here any more.",
        "Open the page of connected accounts, sign in, and connect the account from there.",
        status=403,
        detail="nobody is signed in" if person is None else "somebody else is signed in",
    )


async def _take_in(visit: Visit, person: SignedIn, leg: ConnectLeg, account: Connected) -> Response:
    parts, owner = visit.parts, leg.owner
    entries = [
        entry for entry in parts.resources.entries if entry.owner == owner and account.idp in entry.uses
    ]
    if not entries:
        raise PageRefused(
            "The account was not connected",
            "This server does not connect such accounts any more.",
            SEE_WHAT_IS,
            detail=f"owner {owner} has idp {account.idp} no more",
        )

    def work(connection: Connection) -> tuple[UpstreamGrant, str] | list[Replaced]:
        _require_themselves(connection, entries, person, account)
        before = takes_the_place_of(connection, parts.store, person.user_id, owner, account)
        if before is not None:
            return before, wait(connection, visit, leg, account)
        return take(connection, parts, person.user_id, owner, account, now=visit.now)

    taken = await parts.store.transaction(work)
    if isinstance(taken, tuple):
        before, offer_id = taken
        return ask_to_replace(parts, person, before, account, offer_id)
    await disconnect_replaced(parts, taken, subject=person.user_id, owner=owner)
    _write(visit, AuditEvent.ACCOUNT_CONNECTED, leg, idp=account.idp, account=account.account)
    return back_with(person, parts, Notice.CONNECTED)


def _require_themselves(
    connection: Connection, entries: list[ResourceSettings], person: SignedIn, account: Connected
) -> None:
    """Where the provider says who somebody is, nobody else's account can be connected."""
    if account.idp not in {entry.identity for entry in entries}:
        return
    columns = users.c
    query = select(columns.issuer, columns.subject).where(columns.id == person.user_id)
    themselves = connection.execute(query).first()
    identity = account.identity
    if identity is None or themselves is None or (identity.issuer, identity.subject) != tuple(themselves):
        raise PageRefused(
            "The account was not connected",
            f"You are signed in here as {person.name}, and came back as somebody else.",
            "Sign out here first, or sign in there as the same person.",
            detail="another person than the one who is signed in",
        )


async def _failed(visit: Visit, person: SignedIn, leg: ConnectLeg, idp: str, error: IdpError) -> Response:
    """A refusal is remembered, and shown at the account."""
    parts, name = visit.parts, _display_name(visit.parts, idp)
    refused = refusal(error, name)
    _write(visit, AuditEvent.ACCOUNT_REFUSED, leg, idp=idp, error=refused.error, reason=str(error))
    if not isinstance(error, IdpDenied):
        raise refused
    choice = Choice(idp, Chosen.REFUSED, f"{name} refused.")
    await parts.store.transaction(
        lambda connection: remember_choices(connection, leg.user_id, leg.owner, [choice], now=visit.now)
    )
    return back_with(person, parts, Notice.REFUSED)


def _display_name(parts: Parts, idp: str) -> str:
    return parts.idps[idp].display_name if idp in parts.idps else idp


def _write(visit: Visit, event: AuditEvent, leg: ConnectLeg, **particulars: str | None) -> None:
    visit.parts.audit.write(
        event,
        subject=leg.user_id,
        resource=leg.resource,
        owner=leg.owner,
        address=visit.address,
        **particulars,
    )
