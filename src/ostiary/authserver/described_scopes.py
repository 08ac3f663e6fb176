"""What scopes allow, in words for the person who is asked: each has some."""

from __future__ import annotations

from collections.abc import Sequence

from ostiary.authserver.pages import Scope
from ostiary.authserver.resources import Target

COMMON = {
    "openid": "Know who you are",
    "profile": "See your name",
    "email": "See your e-mail address",
    "offline_access": "Stay signed in until you end it",
}
"""What the scopes allow that are of no resource."""


def described_scopes(scopes: Sequence[str], target: Target | None) -> list[Scope]:
    """Each with what it allows. target: None for a resource that is not served any more."""
    words = COMMON | ({} if target is None else target.settings.scope_descriptions)
    return [Scope(scope, words.get(scope) or f"Do what the server calls “{scope}”") for scope in scopes]
