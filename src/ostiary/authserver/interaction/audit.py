"""What is written into the audit: whose request it is, and by what its events are found together."""

from __future__ import annotations

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.interaction.authorization_request import AuthorizationRequest
from ostiary.authserver.interaction.browser_request import BrowserRequest
from ostiary.authserver.interaction.interaction_store import Interaction


def write_audit(
    request: BrowserRequest,
    event: AuditEvent,
    authorization: AuthorizationRequest,
    *,
    interaction: Interaction | None = None,
    **particulars: object,
) -> None:
    """interaction: None before there is one."""
    request.context.audit.write(
        event,
        client=authorization.client_id,
        resource=authorization.resource or None,
        owner=authorization.owner or None,
        address=request.address,
        walk=None if interaction is None else interaction.reference,
        **particulars,
    )
