"""The person agrees, or not. OAuth 2.1 section 7.3; MCP authorization, "Confused Deputy".

Agreeing is good for one walk of one browser. It is never remembered, so no earlier one helps another client.
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
from ostiary.authserver.interaction.advance import go_on
from ostiary.authserver.interaction.audit import note
from ostiary.authserver.interaction.authorization_request import Asked, host_of
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.change import change_as_seen
from ostiary.authserver.interaction.finish import end
from ostiary.authserver.interaction.form_submission import Posted, read_posted, undecided, walk_form
from ostiary.authserver.interaction.interaction_view import Standing
from ostiary.authserver.interaction.next_step import Step
from ostiary.authserver.pages import AccountAsked, Client, Consent, destination
from ostiary.authserver.services import Parts
from ostiary.oauth.server.client import ClientKind
from ostiary.oauth.server.errors import RequestDenied

KNOWN_BY: Mapping[ClientKind, Literal["operator", "document", "registration"]] = {
    ClientKind.REGISTERED: "operator",
    ClientKind.DOCUMENT: "document",
    ClientKind.DYNAMIC: "registration",
}
ASKED_AS: Mapping[Use, Literal["identity", "required", "optional"]] = {
    Use.IDENTITY: "identity",
    Use.REQUIRED: "required",
    Use.OPTIONAL: "optional",
}


async def consent(request: Request, parts: Parts) -> Response:
    """`POST /oauth/consent`. Raises PageRefused, OAuthError, StorageError."""
    posted = await read_posted(request, parts, field="decision")
    if not posted.is_about(Step.CONSENT):
        return posted.shown_again()
    match posted.decision:
        case "allow":
            return await _allowed(posted)
        case "deny":
            return await _denied(posted)
    raise undecided("decision")


async def _allowed(posted: Posted) -> Response:
    after = await change_as_seen(
        posted.visit,
        posted.standing,
        lambda standing: msgspec.structs.replace(standing.record, is_consented=True),
    )
    if after is None:
        return posted.shown_again()
    asked = after.record.asked
    note(posted.visit, AuditEvent.CONSENTED, asked, walk=after.walk, scopes=list(asked.scopes))
    return await go_on(posted.visit, after)


async def _denied(posted: Posted) -> Response:
    walk = posted.standing.walk
    note(posted.visit, AuditEvent.CONSENT_DENIED, walk.record.asked, walk=walk)
    return await end(posted.visit, walk, RequestDenied("the person said no"))


def consent_page(visit: Visit, standing: Standing) -> Consent:
    """What is asked for, by whom, and where the answer goes."""
    asked = standing.record.asked
    return Consent(
        client=asking_client(asked),
        answer_to=destination(asked.redirect_uri or visit.parts.issuer),
        resource=asked.resource,
        scopes=described_scopes(asked.scopes, standing.target),
        accounts=_accounts(visit.parts, standing),
        form=walk_form(visit, standing, "/oauth/consent"),
        redirect_uri=asked.redirect_uri or "",
    )


def asking_client(asked: Asked) -> Client:
    """The client as pages show it."""
    by_document = asked.client_kind is ClientKind.DOCUMENT
    host = host_of(asked.client_id) if by_document else ""
    return Client(asked.client_name, KNOWN_BY[asked.client_kind], host)


def _accounts(parts: Parts, standing: Standing) -> list[AccountAsked]:
    """The accounts that are asked for on the way, and what is asked for there."""
    entries = {entry.name: entry for entry in parts.settings.upstream_idps}
    return [
        AccountAsked(entries[name].display_name, entries[name].scopes, ASKED_AS[use])
        for name, use in standing.target.settings.uses.items()
        if use in ASKED_AS
    ]
