"""A form, posted: from a page of ours, in that browser, and about the interaction as it was seen."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.http.page_door import read_form
from ostiary.authserver.interaction.advance import action, page_url
from ostiary.authserver.interaction.browser_redirect import see_other
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.interaction_view import InteractionView, load_view
from ostiary.authserver.interaction.next_step import NextStep
from ostiary.authserver.pages import Form
from ostiary.oauth.server.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class FormSubmission:
    """What a person decided."""

    request: BrowserRequest
    view: InteractionView
    decision: str
    is_current: bool
    """Whether the interaction is still as the page showed it: what changed meanwhile was not decided on."""

    def is_about(self, *steps: NextStep) -> bool:
        """Whether this is what the person was asked."""
        return self.is_current and self.view.next_step in steps

    def show_again(self) -> Response:
        """To the page that shows how the interaction stands now."""
        return see_other(page_url(self.request, self.view.interaction.id))


def step_form(request: BrowserRequest, view: InteractionView, path: str) -> Form:
    """What such a form brings along unseen."""
    interaction = view.interaction
    hidden = {"walk": interaction.id, "version": str(interaction.version)}
    return Form(action(request, path), request.browser.csrf(interaction.id), hidden)


async def read_submission(
    http_request: Request, context: InteractionContext, *, field: str
) -> FormSubmission:
    """field: the one with the decision. Raises InvalidRequest, PageRefused, ServerError, StorageError."""
    request = BrowserRequest.again(http_request, context)
    form = await read_form(http_request)
    interaction_id = form.require("walk")
    request.browser.check_csrf(form.get("csrf"), interaction_id)
    view = await load_view(request, interaction_id)
    is_current = form.get("version") == str(view.interaction.version)
    return FormSubmission(request, view, form.require(field), is_current)


def undecided(field: str) -> InvalidRequest:
    """For a decision that no page offers."""
    return InvalidRequest(f"the parameter {field} has a value that no page of ours sends")
