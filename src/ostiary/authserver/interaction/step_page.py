"""`GET /oauth/walk`: the page of the step that is due, as often as it is loaded."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.interaction.advance import advance
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.connect_accounts import accounts_page
from ostiary.authserver.interaction.consent import consent_page
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.interaction_view import load_view
from ostiary.authserver.interaction.next_step import NextStep
from ostiary.authserver.interaction.replace_account import replace_page
from ostiary.authserver.pages import Page, page_response
from ostiary.oauth.server.parameters import read_parameters


async def step_page(http_request: Request, context: InteractionContext) -> Response:
    """Raises PageRefused, OAuthError, StorageError."""
    request = BrowserRequest.again(http_request, context)
    parameters = read_parameters(http_request.scope["query_string"])
    view = await load_view(request, parameters.require("walk"))
    page: Page
    match view.next_step:
        case NextStep.CONSENT:
            page = consent_page(request, view)
        case NextStep.REPLACE:
            page = replace_page(request, view)
        case NextStep.CONNECT | NextStep.ACCOUNTS:
            page = accounts_page(request, view)
        case NextStep.SIGN_IN | NextStep.FINISH:
            return await advance(request, view)
    return page_response(page)
