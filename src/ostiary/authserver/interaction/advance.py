"""The next step is taken: a page, or another site."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.idps.idp import IdpDenied, IdpError, LegWishes
from ostiary.authserver.interaction.account_steps import Leg, open_leg
from ostiary.authserver.interaction.audit import note
from ostiary.authserver.interaction.browser import give_cookie
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.change import change
from ostiary.authserver.interaction.finish import end, finish
from ostiary.authserver.interaction.interaction_state import Choice, Chosen
from ostiary.authserver.interaction.interaction_view import Standing
from ostiary.authserver.interaction.next_step import Step
from ostiary.authserver.interaction.redirect import see_other, send_on
from ostiary.authserver.interaction.upstream_error import refusal
from ostiary.authserver.interaction.upstream_login import WalkLeg, begin_leg
from ostiary.oauth.server.endpoint_url import endpoint_path
from ostiary.oauth.server.errors import InteractionRequired, ServerError


async def go_on(visit: Visit, standing: Standing) -> Response:
    """Take the step that is due. Raises PageRefused, OAuthError, StorageError."""
    match standing.step:
        case Step.FINISH:
            return await finish(visit, standing)
        case Step.SIGN_IN:
            return await depart(visit, standing, standing.target.settings.identity)
        case _ if standing.record.asked.is_silent:
            error = InteractionRequired("the person has to be asked something, and prompt is none")
            return await end(visit, standing.walk, error)
    return give_cookie(see_other(page_url(visit, standing.walk.id)), visit.browser, visit.parts.issuer)


async def depart(visit: Visit, standing: Standing, idp_name: str) -> Response:
    """The browser leaves for an identity provider."""
    idp = visit.parts.idps.get(idp_name)
    if idp is None:
        gone = ServerError("an identity provider is not known any more", detail=f"idp {idp_name} is gone")
        return await end(visit, standing.walk, gone)
    asked = standing.record.asked
    visit.parts.rates.steps.take("leg", asked.client_id, visit.address, now=visit.now)
    is_identity = idp_name == standing.target.settings.identity
    try:
        url = await begin_leg(
            visit.parts,
            idp,
            browser_hash=visit.browser.hash,
            purpose=WalkLeg(standing.walk.id),
            wishes=asked.wishes if is_identity else LegWishes(),
            now=visit.now,
        )
    except IdpError as error:
        return await leg_failed(visit, standing, idp_name, error)
    return send_on(visit, url, to=idp.display_name)


async def leg_failed(visit: Visit, standing: Standing, idp_name: str, error: IdpError) -> Response:
    """An optional leg is passed over, and that is remembered; without any other the client gets no code."""
    leg = next((leg for leg in standing.legs if leg.idp == idp_name), None)
    name = visit.parts.idps[idp_name].display_name if idp_name in visit.parts.idps else idp_name
    if leg is None or not leg.is_optional:
        return await end(visit, standing.walk, refusal(error, name), idp=idp_name)
    asked = standing.record.asked
    note(visit, AuditEvent.SIGN_IN_REFUSED, asked, walk=standing.walk, idp=idp_name, reason=str(error))
    denied = isinstance(error, IdpDenied)
    choice = Choice(
        idp_name,
        Chosen.REFUSED if denied else Chosen.FAILED,
        f"{name} refused." if denied else f"{name} did not answer as it should.",
    )
    after = await change(visit, standing.walk.id, lambda now: now.record.choosing(choice))
    return await go_on(visit, after)


def current_leg(standing: Standing) -> Leg | None:
    """The leg that the person is asked about."""
    return open_leg(standing.legs) if standing.step is Step.LEG else None


def page_url(visit: Visit, walk_id: str) -> str:
    """Where its browser sees how the walk stands; the id opens nothing without the cookie."""
    return f"{action(visit, '/oauth/walk')}?{urlencode({'walk': walk_id})}"


def action(visit: Visit, path: str) -> str:
    """A path of ours, as a browser has to ask for it."""
    return endpoint_path(visit.parts.issuer, path)
