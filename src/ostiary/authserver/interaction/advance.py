"""The next step is taken: a page, or another site."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.idps.idp import IdpDenied, IdpError, LoginOptions
from ostiary.authserver.interaction.account_steps import AccountStep, open_step
from ostiary.authserver.interaction.audit import write_audit
from ostiary.authserver.interaction.browser import give_cookie
from ostiary.authserver.interaction.browser_redirect import redirect_to, see_other
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.change import change
from ostiary.authserver.interaction.finish import end, finish
from ostiary.authserver.interaction.interaction_state import Choice, Chosen
from ostiary.authserver.interaction.interaction_view import InteractionView
from ostiary.authserver.interaction.next_step import NextStep
from ostiary.authserver.interaction.upstream_error import oauth_error
from ostiary.authserver.interaction.upstream_login import InteractionLogin, begin_login
from ostiary.oauth.server.endpoint_url import endpoint_path
from ostiary.oauth.server.errors import InteractionRequired, ServerError


async def advance(request: BrowserRequest, view: InteractionView) -> Response:
    """Take the step that is due. Raises PageRefused, OAuthError, StorageError."""
    match view.next_step:
        case NextStep.FINISH:
            return await finish(request, view)
        case NextStep.SIGN_IN:
            return await send_to_idp(request, view, view.target.settings.identity)
        case _ if view.state.authorization.is_silent:
            error = InteractionRequired("the person has to be asked something, and prompt is none")
            return await end(request, view.interaction, error)
    return give_cookie(
        see_other(page_url(request, view.interaction.id)), request.browser, request.context.issuer
    )


async def send_to_idp(request: BrowserRequest, view: InteractionView, idp_name: str) -> Response:
    """The browser leaves for an identity provider."""
    idp = request.context.idps.get(idp_name)
    if idp is None:
        gone = ServerError("an identity provider is not known any more", detail=f"idp {idp_name} is gone")
        return await end(request, view.interaction, gone)
    authorization = view.state.authorization
    request.context.rates.steps.take("leg", authorization.client_id, request.address, now=request.now)
    is_identity = idp_name == view.target.settings.identity
    try:
        url = await begin_login(
            request.context,
            idp,
            browser_hash=request.browser.hash,
            purpose=InteractionLogin(view.interaction.id),
            options=authorization.options if is_identity else LoginOptions(),
            now=request.now,
        )
    except IdpError as error:
        return await login_failed(request, view, idp_name, error)
    return redirect_to(request, url, to=idp.display_name)


async def login_failed(
    request: BrowserRequest, view: InteractionView, idp_name: str, error: IdpError
) -> Response:
    """An optional login is passed over, and that is remembered; without any other the client gets no code."""
    step = next((step for step in view.account_steps if step.idp == idp_name), None)
    name = request.context.idps[idp_name].display_name if idp_name in request.context.idps else idp_name
    if step is None or not step.is_optional:
        return await end(request, view.interaction, oauth_error(error, name), idp=idp_name)
    authorization = view.state.authorization
    write_audit(
        request,
        AuditEvent.SIGN_IN_REFUSED,
        authorization,
        interaction=view.interaction,
        idp=idp_name,
        reason=str(error),
    )
    denied = isinstance(error, IdpDenied)
    choice = Choice(
        idp_name,
        Chosen.REFUSED if denied else Chosen.FAILED,
        f"{name} refused." if denied else f"{name} did not answer as it should.",
    )
    after = await change(request, view.interaction.id, lambda now: now.state.choosing(choice))
    return await advance(request, after)


def current_step(view: InteractionView) -> AccountStep | None:
    """The account that the person is asked about."""
    return open_step(view.account_steps) if view.next_step is NextStep.CONNECT else None


def page_url(request: BrowserRequest, interaction_id: str) -> str:
    """Where its browser sees how the interaction stands; the id opens nothing without the cookie."""
    return f"{action(request, '/oauth/walk')}?{urlencode({'walk': interaction_id})}"


def action(request: BrowserRequest, path: str) -> str:
    """A path of ours, as a browser has to ask for it."""
    return endpoint_path(request.context.issuer, path)
