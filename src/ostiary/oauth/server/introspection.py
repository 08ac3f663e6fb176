"""What a token is worth now, told to who may ask. RFC 7662 section 2.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.oauth.confirmation import JKT

INACTIVE: Mapping[str, Any] = {"active": False}
"""The one answer for whatever is unknown, expired, revoked, malformed or another's: it tells nothing more."""

_NEVER = frozenset({"tsid", "active"})
"""A token session's name is between us and its owner."""


def active_answer(
    claims: Mapping[str, Any], *, token_type: str | None = None, username: str | None = None
) -> dict[str, Any]:
    """The answer for a token that is good: what it claims.

    token_type: how it is sent, by default what its `cnf` says; a refresh token is not sent: `N_A`.
    """
    answer = {"active": True} | {name: value for name, value in claims.items() if name not in _NEVER}
    answer["token_type"] = token_type or _token_type(claims)
    if username is not None:
        answer["username"] = username
    return answer


def _token_type(claims: Mapping[str, Any]) -> str:
    bound = claims.get("cnf")
    return "DPoP" if isinstance(bound, Mapping) and JKT in bound else "Bearer"
