"""An interaction is made, and bound to the browser."""

from __future__ import annotations

from sqlalchemy import Connection
from starlette.responses import Response

from ostiary.authserver.interaction.advance import advance
from ostiary.authserver.interaction.authorization_request import AuthorizationRequest
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.interaction_state import InteractionState
from ostiary.authserver.interaction.interaction_store import create_interaction
from ostiary.authserver.interaction.interaction_view import InteractionView, view_of


async def start_interaction(
    request: BrowserRequest, authorization: AuthorizationRequest, *, is_consented: bool
) -> Response:
    """Its first step. The response brings the cookie of a browser that has none.

    is_consented: whether the person need not be asked, or was asked on a page before. Raises PageRefused,
    OAuthError, StorageError.
    """
    context = request.context
    state = InteractionState(authorization, is_consented=is_consented)
    expires_at = request.now + context.life.sign_in.total_seconds()

    def work(connection: Connection) -> InteractionView:
        interaction = create_interaction(
            connection, context.store, state, browser_hash=request.browser.hash, expires_at=expires_at
        )
        return view_of(connection, context, interaction)

    return await advance(request, await context.store.transaction(work))
