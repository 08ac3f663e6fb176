"""A token that is bound to a key is worth something only with a proof of that key. RFC 7800, RFC 9449 6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostiary.oauth.errors import OAuthError


def require_same_key(
    bound_to: object, proven: Mapping[str, Any] | None, *, kind: type[OAuthError], name: str
) -> None:
    """Raise an error of this kind unless the request proves the key in a token's `cnf`.

    bound_to: the claim; proven: what the tokens of this request are bound to; name: what the token is called.
    """
    if bound_to is not None and bound_to != proven:
        raise kind(f"{name} is bound to a key that this request does not prove")
