"""How an interaction ends: a code for the client, a device that is let in, or the reason why not."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.responses import Response

from ostiary.authserver import device_codes
from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.authorization_codes import new_code
from ostiary.authserver.authorization_grant import AuthorizationGrant
from ostiary.authserver.http.page_door import PageRefused
from ostiary.authserver.interaction.audit import write_audit
from ostiary.authserver.interaction.authorization_request import AuthorizationRequest
from ostiary.authserver.interaction.browser_redirect import redirect_to
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.interaction_state import InteractionState
from ostiary.authserver.interaction.interaction_store import (
    Interaction,
    delete_interaction,
    finish_interaction,
)
from ostiary.authserver.interaction.interaction_view import InteractionView
from ostiary.authserver.interaction.skip_choices import forget_choice, remember_choices
from ostiary.authserver.pages import Client, DeviceDone, WayBack, page_response
from ostiary.authserver.pages.display_text import display_sentence
from ostiary.authserver.sessions.users import find_or_create_user
from ostiary.oauth.errors import OAuthError
from ostiary.oauth.server.authorization_response import code_answer, error_answer
from ostiary.oauth.server.errors import RequestDenied, ServerError


async def finish(request: BrowserRequest, view: InteractionView) -> Response:
    """Nothing is left to do: once, however often and from however many tabs it is asked."""
    authorization = view.state.authorization
    grant = _grant(view.state)
    code = await request.context.store.transaction(
        lambda connection: _finish(connection, request, view, grant)
    )
    if code is None:
        raise PageRefused(
            "This sign-in has ended",
            "It was finished, or it went on in another window.",
            detail="the walk ended or was changed meanwhile",
        )
    if authorization.redirect_uri is None:
        write_audit(request, AuditEvent.DEVICE_APPROVED, authorization, interaction=view.interaction)
        return page_response(DeviceDone(authorization.client_name, is_allowed=True))
    url = code_answer(
        authorization.redirect_uri, code=code, state=authorization.state, issuer=request.context.issuer
    )
    return redirect_to(request, url, to=authorization.client_name)


async def end(
    request: BrowserRequest, interaction: Interaction, error: OAuthError, *, idp: str | None = None
) -> Response:
    """It ends without a code, and its client is told."""
    authorization = interaction.state.authorization

    def work(connection: Connection) -> None:
        delete_interaction(connection, interaction)
        if authorization.device_hash is not None and isinstance(error, RequestDenied):
            device_codes.deny(connection, authorization.device_hash, now=request.now)

    await request.context.store.transaction(work)
    return tell_client(request, authorization, error, idp=idp, interaction=interaction)


def tell_client(
    request: BrowserRequest,
    authorization: AuthorizationRequest,
    error: OAuthError,
    *,
    idp: str | None = None,
    interaction: Interaction | None = None,
) -> Response:
    """The client why there is no code: by a redirect, to the URI that was proven."""
    reason = error.detail or error.description
    write_audit(
        request,
        AuditEvent.SIGN_IN_REFUSED,
        authorization,
        error=error.error,
        idp=idp,
        reason=reason,
        interaction=interaction,
    )
    if authorization.redirect_uri is not None:
        url = error_answer(
            authorization.redirect_uri, error, state=authorization.state, issuer=request.context.issuer
        )
        return redirect_to(request, url, to=authorization.client_name)
    if isinstance(error, RequestDenied):
        write_audit(request, AuditEvent.DEVICE_DENIED, authorization, interaction=interaction)
        return page_response(DeviceDone(authorization.client_name, is_allowed=False))
    raise error


def offer_way_back(
    request: BrowserRequest, authorization: AuthorizationRequest, client: Client, error: OAuthError
) -> Response:
    """The same by a link, which the person follows or not."""
    if authorization.redirect_uri is None:
        raise error
    reason = error.detail or error.description
    write_audit(request, AuditEvent.SIGN_IN_REFUSED, authorization, error=error.error, reason=reason)
    url = error_answer(
        authorization.redirect_uri, error, state=authorization.state, issuer=request.context.issuer
    )
    return page_response(WayBack(client, display_sentence(error.description), url))


def _finish(
    connection: Connection, request: BrowserRequest, view: InteractionView, grant: AuthorizationGrant
) -> str | None:
    """In one transaction: the interaction is gone, and what it stood for is the code's, or the device's."""
    store, authorization = request.context.store, view.state.authorization
    if not finish_interaction(connection, view.interaction):
        return None
    _remember(connection, request, view)
    if authorization.device_hash is None:
        lifetime = request.context.life.code.total_seconds()
        return new_code(connection, store, grant, now=request.now, lifetime=lifetime)
    if device_codes.approve(connection, store, authorization.device_hash, grant, now=request.now):
        return ""
    raise PageRefused(
        "This device waits no more",
        "Its code has expired, or somebody has decided already.",
        "Look at the device again, and start from there.",
    )


def _remember(connection: Connection, request: BrowserRequest, view: InteractionView) -> None:
    """What was skipped or refused on the way; and no more, what is connected now."""
    state, owner = view.state, view.state.authorization.owner
    made_up_for = [account.idp for account in state.accounts if account.idp in view.known.choices]
    if state.identity is None or not (state.choices or made_up_for):
        return
    user_id = find_or_create_user(connection, request.context.store, state.identity, now=request.now)
    remember_choices(connection, user_id, owner, state.choices, now=request.now)
    for idp in made_up_for:
        forget_choice(connection, user_id, owner, idp)


def _grant(state: InteractionState) -> AuthorizationGrant:
    authorization, identity = state.authorization, state.identity
    if identity is None or state.signed_in_at is None:
        raise ServerError("nobody has signed in", detail="a walk was finished before it began")
    return AuthorizationGrant(
        client_id=authorization.client_id,
        identity=identity,
        resource=authorization.resource,
        owner=authorization.owner,
        scopes=authorization.scopes,
        auth_time=state.signed_in_at,
        accounts=state.accounts,
        redirect_uri=authorization.redirect_uri,
        code_challenge=authorization.code_challenge,
        nonce=authorization.nonce,
        dpop_jkt=authorization.dpop_jkt,
        replaced=state.replaced,
    )
