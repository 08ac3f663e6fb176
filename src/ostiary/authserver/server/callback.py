"""`GET /oauth/callback/{idp}`: a browser comes back from an identity provider."""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.connections.callback_result import arrived
from ostiary.authserver.idps.idp import IdpError
from ostiary.authserver.interaction.advance import go_on, leg_failed, page_url
from ostiary.authserver.interaction.audit import note
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.change import change
from ostiary.authserver.interaction.interaction_state import WalkRecord
from ostiary.authserver.interaction.interaction_view import Standing, standing_of
from ostiary.authserver.interaction.login_result import connected, signed_in
from ostiary.authserver.interaction.redirect import see_other
from ostiary.authserver.interaction.upstream_login import LegFailed, WalkLeg, finish_leg
from ostiary.authserver.services import Parts
from ostiary.authserver.upstream_account import Connected
from ostiary.storage.errors import StorageError

log = structlog.get_logger("ostiary.authserver")


async def callback(request: Request, parts: Parts) -> Response:
    """Raises PageRefused, OAuthError, StorageError."""
    visit = Visit.again(request, parts)
    idp_name = request.path_params["idp"]
    outcome: Connected | IdpError
    try:
        purpose, outcome = await finish_leg(
            parts, idp_name, request.scope["query_string"], browser_hash=visit.browser.hash, now=visit.now
        )
    except LegFailed as failed:
        purpose, outcome = failed.purpose, failed.error
    if isinstance(purpose, WalkLeg):
        return await _arrived(visit, purpose.walk_id, idp_name, outcome)
    return await arrived(visit, request, purpose, idp_name, outcome)


async def _arrived(visit: Visit, walk_id: str, idp_name: str, outcome: Connected | IdpError) -> Response:
    if isinstance(outcome, IdpError):
        return await leg_failed(visit, await standing_of(visit, walk_id), idp_name, outcome)
    try:
        after = await change(visit, walk_id, lambda standing: _with(standing, outcome, visit))
    except IdpError as error:
        return await _arrived(visit, walk_id, idp_name, error)
    except StorageError as error:
        log.error("store_failed", endpoint="/oauth/callback", reason=str(error))  # noqa: TRY400 - its trace says nothing more
        return see_other(page_url(visit, walk_id))  # the leg is lost; the walk goes on from where it was
    if outcome.idp == after.target.settings.identity:
        account = {"idp": outcome.idp, "account": outcome.account}
        note(visit, AuditEvent.SIGNED_IN, after.record.asked, walk=after.walk, **account)
    return await go_on(visit, after)


def _with(standing: Standing, account: Connected, visit: Visit) -> WalkRecord:
    if account.idp == standing.target.settings.identity:
        return signed_in(standing.record, account, now=visit.now)
    return connected(standing.record, account, standing.known)
