"""Sessions that the configuration has no place for any more: they end, and never change their owner."""

from __future__ import annotations

from ostiary.authserver.resources import Target
from ostiary.authserver.sessions.ending import EndReason
from ostiary.authserver.sessions.session import Session


def misfit(session: Session, target: Target | None) -> EndReason | None:
    """Why it has to end; None when it fits. target: what its resource leads to now."""
    if target is None:
        return EndReason.RESOURCE_REMOVED
    if target.settings.owner != session.owner:
        return EndReason.OWNER_CHANGED
    if session.secret.idp not in {None, target.settings.identity}:
        return EndReason.IDENTITY_CHANGED
    return None
