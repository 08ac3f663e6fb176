"""The person agrees, or not. OAuth 2.1 section 7.3; MCP authorization, "Confused Deputy".

Agreeing is good for one interaction of one browser. It is never remembered, so none helps another client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.config.resources import Use
from ostiary.authserver.described_scopes import described_scopes
from ostiary.authserver.interaction.advance import advance
from ostiary.authserver.interaction.audit import write_audit
from ostiary.authserver.interaction.authorization_request import AuthorizationRequest, host_of
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.change import change_as_seen
from ostiary.authserver.interaction.context import InteractionContext
from ostiary.authserver.interaction.finish import end
from ostiary.authserver.interaction.form_submission import (
    FormSubmission,
    read_submission,
    step_form,
    undecided,
)
from ostiary.authserver.interaction.interaction_view import InteractionView
from ostiary.authserver.interaction.next_step import NextStep
from ostiary.authserver.pages import AccountAsked, Client, Consent, destination
from ostiary.oauth.server.client import ClientKind
from ostiary.oauth.server.errors import RequestDenied

KNOWN_BY: Mapping[ClientKind, Literal["operator", "document", "registration"]] = {
    ClientKind.PREREGISTERED: "operator",
    ClientKind.DOCUMENT: "document",
    ClientKind.DYNAMIC: "registration",
}
ASKED_AS: Mapping[Use, Literal["identity", "required", "optional"]] = {
    Use.IDENTITY: "identity",
    Use.REQUIRED: "required",
    Use.OPTIONAL: "optional",
}


async def consent(http_request: Request, context: InteractionContext) -> Response:
    """`POST /oauth/consent`. Raises PageRefused, OAuthError, StorageError."""
    submission = await read_submission(http_request, context, field="decision")
    if not submission.is_about(NextStep.CONSENT):
        return submission.show_again()
    match submission.decision:
        case "allow":
            return await _allowed(submission)
        case "deny":
            return await _denied(submission)
    raise undecided("decision")


async def _allowed(submission: FormSubmission) -> Response:
    after = await change_as_seen(
        submission.request,
        submission.view,
        lambda view: msgspec.structs.replace(view.state, is_consented=True),
    )
    if after is None:
        return submission.show_again()
    authorization = after.state.authorization
    write_audit(
        submission.request,
        AuditEvent.CONSENTED,
        authorization,
        interaction=after.interaction,
        scopes=list(authorization.scopes),
    )
    return await advance(submission.request, after)


async def _denied(submission: FormSubmission) -> Response:
    interaction = submission.view.interaction
    write_audit(
        submission.request,
        AuditEvent.CONSENT_DENIED,
        interaction.state.authorization,
        interaction=interaction,
    )
    return await end(submission.request, interaction, RequestDenied("the person said no"))


def consent_page(request: BrowserRequest, view: InteractionView) -> Consent:
    """What is asked for, by whom, and where the answer goes."""
    authorization = view.state.authorization
    return Consent(
        client=asking_client(authorization),
        answer_to=destination(authorization.redirect_uri or request.context.issuer),
        resource=authorization.resource,
        scopes=described_scopes(authorization.scopes, view.target),
        accounts=_accounts(request.context, view),
        form=step_form(request, view, "/oauth/consent"),
        redirect_uri=authorization.redirect_uri or "",
    )


def asking_client(authorization: AuthorizationRequest) -> Client:
    """The client as pages show it."""
    by_document = authorization.client_kind is ClientKind.DOCUMENT
    host = host_of(authorization.client_id) if by_document else ""
    return Client(authorization.client_name, KNOWN_BY[authorization.client_kind], host)


def _accounts(context: InteractionContext, view: InteractionView) -> list[AccountAsked]:
    """The accounts that are asked for on the way, and what is asked for there."""
    entries = {entry.name: entry for entry in context.idp_entries}
    return [
        AccountAsked(entries[name].display_name, entries[name].scopes, ASKED_AS[use])
        for name, use in view.target.settings.uses.items()
        if use in ASKED_AS
    ]
