"""A form of a walk's page, posted: from that page, in that browser, and about the walk as it was seen."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.http.page_door import read_form
from ostiary.authserver.interaction.advance import action, page_url
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.interaction_view import Standing, standing_of
from ostiary.authserver.interaction.next_step import Step
from ostiary.authserver.interaction.redirect import see_other
from ostiary.authserver.pages import Form
from ostiary.authserver.services import Parts
from ostiary.oauth.server.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Posted:
    """What a person decided."""

    visit: Visit
    standing: Standing
    decision: str
    is_current: bool
    """Whether the walk is still as the page showed it: what changed meanwhile was not decided on."""

    def is_about(self, *steps: Step) -> bool:
        """Whether this is what the person was asked."""
        return self.is_current and self.standing.step in steps

    def shown_again(self) -> Response:
        """To the page that shows how the walk stands now."""
        return see_other(page_url(self.visit, self.standing.walk.id))


def walk_form(visit: Visit, standing: Standing, path: str) -> Form:
    """What such a form brings along unseen."""
    walk = standing.walk
    hidden = {"walk": walk.id, "version": str(walk.version)}
    return Form(action(visit, path), visit.browser.csrf(walk.id), hidden)


async def read_posted(request: Request, parts: Parts, *, field: str) -> Posted:
    """field: the one with the decision. Raises InvalidRequest, PageRefused, ServerError, StorageError."""
    visit = Visit.again(request, parts)
    form = await read_form(request)
    walk_id = form.require("walk")
    visit.browser.check_csrf(form.get("csrf"), walk_id)
    standing = await standing_of(visit, walk_id)
    is_current = form.get("version") == str(standing.walk.version)
    return Posted(visit, standing, form.require(field), is_current)


def undecided(field: str) -> InvalidRequest:
    """For a decision that no page offers."""
    return InvalidRequest(f"the parameter {field} has a value that no page of ours sends")
