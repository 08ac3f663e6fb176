"""Signing in at the page of connected accounts, at a provider that says who somebody is for some resource.

Where the browser goes afterwards is never read from a request: it is a path of ours, sealed with the leg.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.connections.browser_session import NewSession, signed_in
from ostiary.authserver.http.page_door import PageRefused, read_form
from ostiary.authserver.idps.idp import IdpAnswerRefused, IdpError, LegWishes, UpstreamIdp
from ostiary.authserver.interaction.browser import give_cookie
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.redirect import see_other, send_on
from ostiary.authserver.interaction.upstream_error import refusal
from ostiary.authserver.interaction.upstream_login import PageSignIn, Purpose, begin_leg
from ostiary.authserver.pages import Form, Provider, SignInChoice, page_response
from ostiary.authserver.services import Parts
from ostiary.authserver.upstream_account import Connected
from ostiary.oauth.server.endpoint_url import endpoint_path
from ostiary.oauth.server.errors import InvalidRequest

PAGE = "/connections"
SIGN_IN = "/connections/sign-in"


def identities(parts: Parts) -> list[UpstreamIdp]:
    """The providers that say who somebody is, in the order of the resources."""
    names = dict.fromkeys(entry.identity for entry in parts.resources.entries if entry.identity)
    return [parts.idps[name] for name in names if name in parts.idps]


async def ask_to_sign_in(visit: Visit) -> Response:
    """Nobody is signed in: off to the only provider, or a choice of several."""
    providers = identities(visit.parts)
    if not providers:
        raise PageRefused("Nobody signs in here", "This server is for programs alone.", status=404)
    if len(providers) == 1:
        return await leave(visit, providers[0], _back_to_page(visit.parts))
    form = Form(endpoint_path(visit.parts.issuer, SIGN_IN), visit.browser.csrf(SIGN_IN))
    page = SignInChoice([Provider(idp.name, idp.display_name) for idp in providers], form)
    return give_cookie(page_response(page), visit.browser, visit.parts.issuer)


async def choose(request: Request, parts: Parts) -> Response:
    """`POST /connections/sign-in`: a provider was chosen. Raises PageRefused, OAuthError, StorageError."""
    form = await read_form(request)
    visit = Visit.again(request, parts)
    visit.browser.check_csrf(form.get("csrf"), SIGN_IN)
    wanted = form.require("idp")
    idp = next((idp for idp in identities(parts) if idp.name == wanted), None)
    if idp is None:
        raise InvalidRequest("nobody signs in at this provider here")
    return await leave(visit, idp, _back_to_page(parts))


async def leave(visit: Visit, idp: UpstreamIdp, purpose: Purpose) -> Response:
    """A leg begins. Raises OAuthError, StorageError."""
    visit.parts.rates.steps.take("connections", visit.address, now=visit.now)
    try:
        url = await begin_leg(
            visit.parts,
            idp,
            browser_hash=visit.browser.hash,
            purpose=purpose,
            wishes=LegWishes(),
            now=visit.now,
        )
    except IdpError as error:
        raise refusal(error, idp.display_name) from error
    return send_on(visit, url, to=idp.display_name)


async def come_in(visit: Visit, request: Request, leg: PageSignIn, account: Connected) -> Response:
    """Somebody has signed in: their session begins, and another one of this browser ends.

    The tokens of this leg are forgotten: nobody was given anything. Raises IdpAnswerRefused, StorageError.
    """
    parts, identity = visit.parts, account.identity
    if identity is None or account.idp not in {idp.name for idp in identities(parts)}:
        raise IdpAnswerRefused(f"identity provider {account.idp} did not say who this is")
    before = await signed_in(request, parts, now=visit.now)
    session = NewSession()
    ended = None if before is None else before.session_hash
    user_id = await parts.store.transaction(
        lambda connection: session.begin(connection, parts, identity, account.idp, ended, visit.now)
    )
    parts.audit.write(
        AuditEvent.SIGNED_IN,
        subject=user_id,
        idp=account.idp,
        account=account.account,
        address=visit.address,
    )
    return session.give_cookie(see_other(leg.return_to), parts.issuer)


def _back_to_page(parts: Parts) -> PageSignIn:
    return PageSignIn(endpoint_path(parts.issuer, PAGE))
