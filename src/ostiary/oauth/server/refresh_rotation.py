"""What a refresh token is good for when it comes: rotation, and what reuse means. OAuth 2.1 section 4.3.1.

A token is used once and gives its successor. Used again, one of the two who have it is a thief, so the whole
family ends (RFC 9700 section 4.14.2). One case is honest: the answer got lost. For `grace` seconds the direct
predecessor gives the *same* successor again, as long as nobody has used that.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RefreshState:
    """A refresh token as it is stored; times in seconds since the epoch."""

    expires_at: float
    spent_at: float | None = None
    """When it gave its successor."""
    successor_spent: bool = False
    """Whether that successor was used in its turn."""
    family_ended: bool = False
    """Whether the sign-in that all of them come from was revoked."""


@dataclass(frozen=True, slots=True)
class Rotate:
    """Spend it and give a successor."""


@dataclass(frozen=True, slots=True)
class SameSuccessor:
    """Give the successor that it has, once more; make none."""


@dataclass(frozen=True, slots=True)
class Reuse:
    """Refuse it, and revoke its family."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Refuse it; there is nothing to revoke."""

    reason: str
    """A sentence for the client."""


def decide(token: RefreshState, *, now: float, grace: float) -> Rotate | SameSuccessor | Reuse | Ended:
    """grace: seconds; none with 0. That the token is the asking client's own was settled before."""
    if token.family_ended:
        return Ended("the refresh token was revoked")
    if token.spent_at is not None:
        lost_answer = not token.successor_spent and now - token.spent_at < grace
        return SameSuccessor() if lost_answer else Reuse()
    if now >= token.expires_at:
        return Ended("the refresh token has expired")
    return Rotate()
