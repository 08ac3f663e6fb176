"""`GET /oauth/walk`: the page of the step that is due, as often as it is loaded."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.interaction.advance import go_on
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.connect_accounts import walk_page
from ostiary.authserver.interaction.consent import consent_page
from ostiary.authserver.interaction.interaction_view import standing_of
from ostiary.authserver.interaction.next_step import Step
from ostiary.authserver.interaction.replace_account import replace_page
from ostiary.authserver.pages import Page, page_response
from ostiary.authserver.services import Parts
from ostiary.oauth.server.parameters import read_parameters


async def shown(request: Request, parts: Parts) -> Response:
    """Raises PageRefused, OAuthError, StorageError."""
    visit = Visit.again(request, parts)
    parameters = read_parameters(request.scope["query_string"])
    standing = await standing_of(visit, parameters.require("walk"))
    page: Page
    match standing.step:
        case Step.CONSENT:
            page = consent_page(visit, standing)
        case Step.REPLACE:
            page = replace_page(visit, standing)
        case Step.LEG | Step.ACCOUNTS:
            page = walk_page(visit, standing)
        case Step.SIGN_IN | Step.FINISH:
            return await go_on(visit, standing)
    return page_response(page)
