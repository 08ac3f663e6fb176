"""One account after the other: connect it, skip it, cancel it all, or go on when nothing is left."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.interaction.account_steps import AccountState, AccountStep
from ostiary.authserver.interaction.advance import advance, current_step, send_to_idp
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.change import change_as_seen
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.finish import end, finish
from ostiary.authserver.interaction.form_submission import (
    FormSubmission,
    read_submission,
    step_form,
    undecided,
)
from ostiary.authserver.interaction.interaction_state import Choice, Chosen
from ostiary.authserver.interaction.interaction_view import InteractionView
from ostiary.authserver.interaction.next_step import NextStep
from ostiary.authserver.pages import AccountProgress, ConnectAccounts
from ostiary.oauth.server.errors import RequestDenied


async def connect_accounts(http_request: Request, context: InteractionContext) -> Response:
    """`POST /oauth/walk`. Raises PageRefused, OAuthError, StorageError."""
    submission = await read_submission(http_request, context, field="step")
    if not submission.is_about(NextStep.CONNECT, NextStep.ACCOUNTS):
        return submission.show_again()
    step = current_step(submission.view)
    match submission.decision:
        case "cancel":
            denied = RequestDenied("the person cancelled the sign-in")
            return await end(submission.request, submission.view.interaction, denied)
        case "connect" if step is not None:
            return await send_to_idp(submission.request, submission.view, step.idp)
        case "skip" if step is not None and step.is_optional:
            return await _skipped(submission, step)
        case "continue" if step is None:
            return await finish(submission.request, submission.view)
    raise undecided("step")


async def _skipped(submission: FormSubmission, step: AccountStep) -> Response:
    choice = Choice(step.idp, Chosen.SKIPPED)
    after = await change_as_seen(
        submission.request, submission.view, lambda view: view.state.choosing(choice)
    )
    return submission.show_again() if after is None else await advance(submission.request, after)


def accounts_page(request: BrowserRequest, view: InteractionView) -> ConnectAccounts:
    """Every account of the interaction, by the name that the person knows it by, and what to do next."""
    current = current_step(view)
    return ConnectAccounts(
        client_name=view.state.authorization.client_name,
        accounts=[_shown(request.context, step, current) for step in view.account_steps],
        form=step_form(request, view, "/oauth/walk"),
    )


def _shown(context: InteractionContext, step: AccountStep, current: AccountStep | None) -> AccountProgress:
    idp = context.idps.get(step.idp)
    name = idp.display_name if idp else step.idp
    match step.state:
        case AccountState.DONE:
            return AccountProgress(name, "done", step.is_optional, step.account)
        case AccountState.SKIPPED:
            return AccountProgress(name, "skipped", step.is_optional, reason=step.reason)
        case AccountState.OPEN if step == current and step.reason:
            return AccountProgress(name, "failed", step.is_optional, reason=step.reason)
        case AccountState.OPEN:
            return AccountProgress(name, "now" if step == current else "later", step.is_optional)
