"""`GET /oauth/walk`: the page of the step that is due, as often as it is loaded."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.pages import Page, page_response
from ostiary.authserver.parts import Parts
from ostiary.authserver.walk.consent import consent_page
from ostiary.authserver.walk.go_on import go_on
from ostiary.authserver.walk.next_step import Step
from ostiary.authserver.walk.replace import replace_page
from ostiary.authserver.walk.standing import standing_of
from ostiary.authserver.walk.steps import walk_page
from ostiary.authserver.walk.visit import Visit
from ostiary.oauth.parameters import read_parameters


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
