"""A token that is bound to a key is worth something only with a proof of that key. RFC 7800, RFC 9449 6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.oauth.confirmation import JKT, X5T, is_confirmed
from ostiary.oauth.errors import OAuthError


def require_same_key(
    claims: Mapping[str, Any], proven: Mapping[str, Any] | None, *, kind: type[OAuthError], name: str
) -> None:
    """Raise an error of this kind unless the request proves the key that a token is bound to.

    claims: the token's; proven: what the tokens of this request are bound to; name: what the token is
    called.
    """
    keys = proven or {}
    if not is_confirmed(claims, jkt=keys.get(JKT), x5t=keys.get(X5T)):
        raise kind(f"{name} is bound to a key that this request does not prove")
