"""How a walk ends: a code for the client, a device that is let in, or the reason why not."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.responses import Response

from ostiary.authserver import devices
from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.authorization_grant import Authorized
from ostiary.authserver.codes import new_code
from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.interaction.audit import note
from ostiary.authserver.interaction.authorization_request import Asked
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.interaction_state import WalkRecord
from ostiary.authserver.interaction.interaction_store import Walk, drop_walk, take_walk
from ostiary.authserver.interaction.interaction_view import Standing
from ostiary.authserver.interaction.redirect import send_on
from ostiary.authserver.interaction.skip_choices import forget_choice, remember_choices
from ostiary.authserver.pages import Client, DeviceDone, WayBack, page_response
from ostiary.authserver.pages.display_text import display_sentence
from ostiary.authserver.sessions.users import sign_in
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.authorization_response import code_answer, error_answer
from ostiary.oauth.server.errors import RequestDenied, ServerError


async def finish(visit: Visit, standing: Standing) -> Response:
    """Nothing is left to do: once, however often and from however many tabs it is asked."""
    asked = standing.record.asked
    authorized = _authorized(standing.record)
    code = await visit.parts.store.transaction(
        lambda connection: _end_well(connection, visit, standing, authorized)
    )
    if code is None:
        raise PageRefused(
            "This sign-in has ended",
            "It was finished, or it went on in another window.",
            detail="the walk ended or was changed meanwhile",
        )
    if asked.redirect_uri is None:
        note(visit, AuditEvent.DEVICE_APPROVED, asked, walk=standing.walk)
        return page_response(DeviceDone(asked.client_name, is_allowed=True))
    url = code_answer(asked.redirect_uri, code=code, state=asked.state, issuer=visit.parts.issuer)
    return send_on(visit, url, to=asked.client_name)


async def end(visit: Visit, walk: Walk, error: OAuthError, *, idp: str | None = None) -> Response:
    """It ends without a code, and its client is told."""
    asked = walk.record.asked

    def work(connection: Connection) -> None:
        drop_walk(connection, walk)
        if asked.device_hash is not None and isinstance(error, RequestDenied):
            devices.deny(connection, asked.device_hash, now=visit.now)

    await visit.parts.store.transaction(work)
    return tell(visit, asked, error, idp=idp, walk=walk)


def tell(
    visit: Visit, asked: Asked, error: OAuthError, *, idp: str | None = None, walk: Walk | None = None
) -> Response:
    """The client why there is no code: by a redirect, to the URI that was proven."""
    reason = error.detail or error.description
    note(visit, AuditEvent.SIGN_IN_REFUSED, asked, error=error.error, idp=idp, reason=reason, walk=walk)
    if asked.redirect_uri is not None:
        url = error_answer(asked.redirect_uri, error, state=asked.state, issuer=visit.parts.issuer)
        return send_on(visit, url, to=asked.client_name)
    if isinstance(error, RequestDenied):
        note(visit, AuditEvent.DEVICE_DENIED, asked, walk=walk)
        return page_response(DeviceDone(asked.client_name, is_allowed=False))
    raise error


def let_person_tell(visit: Visit, asked: Asked, client: Client, error: OAuthError) -> Response:
    """The same by a link, which the person follows or not."""
    if asked.redirect_uri is None:
        raise error
    reason = error.detail or error.description
    note(visit, AuditEvent.SIGN_IN_REFUSED, asked, error=error.error, reason=reason)
    url = error_answer(asked.redirect_uri, error, state=asked.state, issuer=visit.parts.issuer)
    return page_response(WayBack(client, display_sentence(error.description), url))


def _end_well(connection: Connection, visit: Visit, standing: Standing, authorized: Authorized) -> str | None:
    """In one transaction: the walk is gone, and what it stood for is the code's, or the device's."""
    store, asked = visit.parts.store, standing.record.asked
    if not take_walk(connection, standing.walk):
        return None
    _remember(connection, visit, standing)
    if asked.device_hash is None:
        lifetime = visit.parts.settings.tokens.code.total_seconds()
        return new_code(connection, store, authorized, now=visit.now, lifetime=lifetime)
    if devices.approve(connection, store, asked.device_hash, authorized, now=visit.now):
        return ""
    raise PageRefused(
        "This device waits no more",
        "Its code has expired, or somebody has decided already.",
        "Look at the device again, and start from there.",
    )


def _remember(connection: Connection, visit: Visit, standing: Standing) -> None:
    """What was skipped or refused on the way; and no more, what is connected now."""
    record, owner = standing.record, standing.record.asked.owner
    made_up_for = [account.idp for account in record.connected if account.idp in standing.known.choices]
    if record.identity is None or not (record.choices or made_up_for):
        return
    user_id = sign_in(connection, visit.parts.store, record.identity, now=visit.now)
    remember_choices(connection, user_id, owner, record.choices, now=visit.now)
    for idp in made_up_for:
        forget_choice(connection, user_id, owner, idp)


def _authorized(record: WalkRecord) -> Authorized:
    asked, identity = record.asked, record.identity
    if identity is None or record.signed_in_at is None:
        raise ServerError("nobody has signed in", detail="a walk was finished before it began")
    return Authorized(
        client_id=asked.client_id,
        identity=identity,
        resource=asked.resource,
        owner=asked.owner,
        scopes=asked.scopes,
        auth_time=record.signed_in_at,
        connected=record.connected,
        redirect_uri=asked.redirect_uri,
        code_challenge=asked.code_challenge,
        nonce=asked.nonce,
        dpop_jkt=asked.dpop_jkt,
        replaced=record.replaced,
    )
