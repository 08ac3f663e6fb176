"""Signing in at the page of connected accounts, at a provider that says who somebody is for some resource.

Where the browser goes afterwards is never read from a request: it is a path of ours, sealed with the login.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.connections.browser_session import NewBrowserSession, find_browser_session
from ostiary.authserver.http.page_door import PageRefused, read_form
from ostiary.authserver.idps.idp import IdpAnswerRefused, IdpError, LoginOptions, UpstreamIdp
from ostiary.authserver.interaction.browser import give_cookie
from ostiary.authserver.interaction.browser_redirect import redirect_to, see_other
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.upstream_error import oauth_error
from ostiary.authserver.interaction.upstream_login import PageLogin, Purpose, begin_login
from ostiary.authserver.pages import Form, Provider, SignInChoice, page_response
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.oauth.server.endpoint_url import endpoint_path
from ostiary.oauth.server.errors import InvalidRequest

PAGE = "/connections"
SIGN_IN = "/connections/sign-in"


def identities(context: InteractionContext) -> list[UpstreamIdp]:
    """The providers that say who somebody is, in the order of the resources."""
    names = dict.fromkeys(entry.identity for entry in context.resources.entries if entry.identity)
    return [context.idps[name] for name in names if name in context.idps]


async def ask_to_sign_in(request: BrowserRequest) -> Response:
    """Nobody is signed in: off to the only provider, or a choice of several."""
    providers = identities(request.context)
    if not providers:
        raise PageRefused("Nobody signs in here", "This server is for programs alone.", status=404)
    if len(providers) == 1:
        return await send_to_idp(request, providers[0], _back_to_page(request.context))
    form = Form(endpoint_path(request.context.issuer, SIGN_IN), request.browser.csrf(SIGN_IN))
    page = SignInChoice([Provider(idp.name, idp.display_name) for idp in providers], form)
    return give_cookie(page_response(page), request.browser, request.context.issuer)


async def choose(http_request: Request, context: InteractionContext) -> Response:
    """`POST /connections/sign-in`: a provider was chosen. Raises PageRefused, OAuthError, StorageError."""
    form = await read_form(http_request)
    request = BrowserRequest.again(http_request, context)
    request.browser.check_csrf(form.get("csrf"), SIGN_IN)
    wanted = form.require("idp")
    idp = next((idp for idp in identities(context) if idp.name == wanted), None)
    if idp is None:
        raise InvalidRequest("nobody signs in at this provider here")
    return await send_to_idp(request, idp, _back_to_page(context))


async def send_to_idp(request: BrowserRequest, idp: UpstreamIdp, purpose: Purpose) -> Response:
    """A login begins. Raises OAuthError, StorageError."""
    request.context.rates.steps.take("connections", request.address, now=request.now)
    try:
        url = await begin_login(
            request.context,
            idp,
            browser_hash=request.browser.hash,
            purpose=purpose,
            options=LoginOptions(),
            now=request.now,
        )
    except IdpError as error:
        raise oauth_error(error, idp.display_name) from error
    return redirect_to(request, url, to=idp.display_name)


async def begin_browser_session(
    request: BrowserRequest, http_request: Request, login: PageLogin, account: UpstreamAccount
) -> Response:
    """Somebody has signed in: their session begins, and another one of this browser ends.

    The tokens of this login are forgotten: nobody was given anything. Raises IdpAnswerRefused, StorageError.
    """
    context, identity = request.context, account.identity
    if identity is None or account.idp not in {idp.name for idp in identities(context)}:
        raise IdpAnswerRefused(f"identity provider {account.idp} did not say who this is")
    before = await find_browser_session(http_request, context, now=request.now)
    session = NewBrowserSession()
    ended = None if before is None else before.session_hash
    user_id = await context.store.transaction(
        lambda connection: session.begin(connection, context, identity, account.idp, ended, request.now)
    )
    context.audit.write(
        AuditEvent.SIGNED_IN,
        subject=user_id,
        idp=account.idp,
        account=account.account,
        address=request.address,
    )
    return session.give_cookie(see_other(login.return_to), context.issuer)


def _back_to_page(context: InteractionContext) -> PageLogin:
    return PageLogin(endpoint_path(context.issuer, PAGE))
