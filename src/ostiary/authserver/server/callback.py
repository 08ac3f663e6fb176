"""`GET /oauth/callback/{idp}`: a browser comes back from an identity provider."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.connections.callback_result import callback_result
from ostiary.authserver.connections.context import ConnectionsContext
from ostiary.authserver.idps.idp import IdpError
from ostiary.authserver.interaction.advance import advance, login_failed, page_url
from ostiary.authserver.interaction.audit import write_audit
from ostiary.authserver.interaction.browser_redirect import see_other
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.change import change
from ostiary.authserver.interaction.interaction_state import InteractionState
from ostiary.authserver.interaction.interaction_view import InteractionView, load_view
from ostiary.authserver.interaction.login_result import with_account, with_identity
from ostiary.authserver.interaction.upstream_login import InteractionLogin, LoginFailed, complete_login
from ostiary.authserver.upstream_account import UpstreamAccount
from ostiary.event_log import event_log
from ostiary.storage.errors import StorageError

log = event_log("ostiary.authserver")


async def callback(http_request: Request, context: ConnectionsContext) -> Response:
    """Raises PageRefused, OAuthError, StorageError."""
    request = BrowserRequest.again(http_request, context)
    idp_name = http_request.path_params["idp"]
    outcome: UpstreamAccount | IdpError
    try:
        purpose, outcome = await complete_login(
            context,
            idp_name,
            http_request.scope["query_string"],
            browser_hash=request.browser.hash,
            now=request.now,
        )
    except LoginFailed as failed:
        purpose, outcome = failed.purpose, failed.error
    if isinstance(purpose, InteractionLogin):
        return await _interaction_result(request, purpose.interaction_id, idp_name, outcome)
    return await callback_result(
        request, http_request, purpose, idp_name, outcome, disconnector=context.disconnector
    )


async def _interaction_result(
    request: BrowserRequest, interaction_id: str, idp_name: str, outcome: UpstreamAccount | IdpError
) -> Response:
    if isinstance(outcome, IdpError):
        return await login_failed(request, await load_view(request, interaction_id), idp_name, outcome)
    try:
        after = await change(request, interaction_id, lambda view: _with(view, outcome, request))
    except IdpError as error:
        return await _interaction_result(request, interaction_id, idp_name, error)
    except StorageError as error:
        log.error("store_failed", endpoint="/oauth/callback", reason=str(error))  # noqa: TRY400 - its trace says nothing more
        return see_other(
            page_url(request, interaction_id)
        )  # the login is lost; the interaction goes on from where it was
    if outcome.idp == after.target.settings.identity:
        account = {"idp": outcome.idp, "account": outcome.account}
        write_audit(
            request, AuditEvent.SIGNED_IN, after.state.authorization, interaction=after.interaction, **account
        )
    return await advance(request, after)


def _with(view: InteractionView, account: UpstreamAccount, request: BrowserRequest) -> InteractionState:
    if account.idp == view.target.settings.identity:
        return with_identity(view.state, account, now=request.now)
    return with_account(view.state, account, view.known)
