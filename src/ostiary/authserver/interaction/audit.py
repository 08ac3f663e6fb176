"""What a walk writes into the audit: whose request it is, and by what its events are found together."""

from __future__ import annotations

from ostiary.authserver.audit_events import AuditEvent
from ostiary.authserver.interaction.authorization_request import Asked
from ostiary.authserver.interaction.browser_request import Visit
from ostiary.authserver.interaction.interaction_store import Walk


def note(
    visit: Visit, event: AuditEvent, asked: Asked, *, walk: Walk | None = None, **particulars: object
) -> None:
    """walk: None before there is one."""
    visit.parts.audit.write(
        event,
        client=asked.client_id,
        resource=asked.resource or None,
        owner=asked.owner or None,
        address=visit.address,
        walk=None if walk is None else walk.reference,
        **particulars,
    )
