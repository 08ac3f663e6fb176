"""When the identity provider is asked again whether a person still exists. OpenID Connect Core section 12."""

from __future__ import annotations

from typing import Literal

Revalidation = Literal["on_refresh", "never"] | float
"""At each refresh of our tokens, never, or after so many seconds."""


def is_due(rule: Revalidation, *, last: float | None, now: float) -> bool:
    """Whether a refresh must ask first. last: when it was asked; None for never.

    A clock that was set back makes it due: what lies ahead of us proves nothing.
    """
    if isinstance(rule, str):
        return rule == "on_refresh"
    return last is None or not 0 <= now - last < rule
