"""Another account than the connected one came back: the person says which one it shall be."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.interaction.advance import advance
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.change import change_as_seen
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.form_submission import read_submission, step_form, undecided
from ostiary.authserver.interaction.interaction_state import Choice, Chosen, InteractionState
from ostiary.authserver.interaction.interaction_view import InteractionView
from ostiary.authserver.interaction.login_result import label_before
from ostiary.authserver.interaction.next_step import NextStep
from ostiary.authserver.pages import ReplaceAccount
from ostiary.oauth.server.errors import ServerError


async def replace(http_request: Request, context: InteractionContext) -> Response:
    """`POST /oauth/replace`. Raises PageRefused, OAuthError, StorageError."""
    submission = await read_submission(http_request, context, field="decision")
    if not submission.is_about(NextStep.REPLACE):
        return submission.show_again()
    if submission.decision not in {"replace", "keep"}:
        raise undecided("decision")
    alter = _replaced if submission.decision == "replace" else _kept
    after = await change_as_seen(submission.request, submission.view, alter)
    return submission.show_again() if after is None else await advance(submission.request, after)


def replace_page(request: BrowserRequest, view: InteractionView) -> ReplaceAccount:
    """Both accounts, by the names that people know."""
    offered = view.state.offered
    if offered is None:
        raise ServerError("no account is offered", detail="the page was asked for at another step")
    idp = request.context.idps.get(offered.idp)
    return ReplaceAccount(
        idp=idp.display_name if idp else offered.idp,
        connected=label_before(view.state, offered.idp, view.known),
        offered=offered.label or offered.account,
        form=step_form(request, view, "/oauth/replace"),
    )


def _replaced(view: InteractionView) -> InteractionState:
    state, offered = view.state, view.state.offered
    if offered is None:
        return state
    replaced = state.replaced
    if offered.idp in view.known.accounts:
        replaced = tuple(dict.fromkeys([*replaced, offered.idp]))
    return msgspec.structs.replace(state.connecting(offered), replaced=replaced)


def _kept(view: InteractionView) -> InteractionState:
    """What came back is dropped; an account that works no more is asked for again."""
    state, offered = view.state, view.state.offered
    if offered is None:
        return state
    if state.account(offered.idp) is not None:
        return msgspec.structs.replace(state, offered=None)
    before = label_before(state, offered.idp, view.known)
    return state.choosing(Choice(offered.idp, Chosen.KEPT, f"You kept {before}. Sign in with that account."))
