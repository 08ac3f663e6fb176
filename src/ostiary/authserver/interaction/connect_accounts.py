"""One account after the other: connect it, skip it, cancel it all, or go on when nothing is left."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.interaction.account_steps import Leg, LegState
from ostiary.authserver.interaction.advance import current_leg, depart, go_on
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.change import change_as_seen
from ostiary.authserver.interaction.finish import end, finish
from ostiary.authserver.interaction.form_submission import Posted, read_posted, undecided, walk_form
from ostiary.authserver.interaction.interaction_state import Choice, Chosen
from ostiary.authserver.interaction.interaction_view import Standing
from ostiary.authserver.interaction.next_step import Step
from ostiary.authserver.pages import Leg as ShownLeg
from ostiary.authserver.pages import Walk as WalkPage
from ostiary.authserver.services import Parts
from ostiary.oauth.server.errors import RequestDenied


async def step(request: Request, parts: Parts) -> Response:
    """`POST /oauth/walk`. Raises PageRefused, OAuthError, StorageError."""
    posted = await read_posted(request, parts, field="step")
    if not posted.is_about(Step.LEG, Step.ACCOUNTS):
        return posted.shown_again()
    leg = current_leg(posted.standing)
    match posted.decision:
        case "cancel":
            denied = RequestDenied("the person cancelled the sign-in")
            return await end(posted.visit, posted.standing.walk, denied)
        case "connect" if leg is not None:
            return await depart(posted.visit, posted.standing, leg.idp)
        case "skip" if leg is not None and leg.is_optional:
            return await _skipped(posted, leg)
        case "continue" if leg is None:
            return await finish(posted.visit, posted.standing)
    raise undecided("step")


async def _skipped(posted: Posted, leg: Leg) -> Response:
    choice = Choice(leg.idp, Chosen.SKIPPED)
    after = await change_as_seen(
        posted.visit, posted.standing, lambda standing: standing.record.choosing(choice)
    )
    return posted.shown_again() if after is None else await go_on(posted.visit, after)


def walk_page(visit: Visit, standing: Standing) -> WalkPage:
    """Every account of the walk, by the name that the person knows it by, and what to do next."""
    current = current_leg(standing)
    return WalkPage(
        client_name=standing.record.asked.client_name,
        legs=[_shown(visit.parts, leg, current) for leg in standing.legs],
        form=walk_form(visit, standing, "/oauth/walk"),
    )


def _shown(parts: Parts, leg: Leg, current: Leg | None) -> ShownLeg:
    idp = parts.idps.get(leg.idp)
    name = idp.display_name if idp else leg.idp
    match leg.state:
        case LegState.DONE:
            return ShownLeg(name, "done", leg.is_optional, leg.account)
        case LegState.SKIPPED:
            return ShownLeg(name, "skipped", leg.is_optional, reason=leg.reason)
        case LegState.OPEN if leg == current and leg.reason:
            return ShownLeg(name, "failed", leg.is_optional, reason=leg.reason)
        case LegState.OPEN:
            return ShownLeg(name, "now" if leg == current else "later", leg.is_optional)
