"""Our tokens whose signature was checked before: resource servers ask about the same one at each call.

Only the signature is remembered, as long as its key is published. Time, session and revocation are looked at
each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ostiary.identity.key_set import KeySet

MOST = 10_000
"""Tokens; the oldest goes first."""


class VerifiedTokenCache:
    """Those of one server."""

    def __init__(self) -> None:
        self._claims: dict[bytes, tuple[str, Mapping[str, Any]]] = {}

    def claims(self, token: str, keys: KeySet) -> Mapping[str, Any] | None:
        """What it claims; None for one that has to be looked at. keys: those that are published now."""
        kid, claims = self._claims.get(_name(token), (None, None))
        return claims if kid is not None and keys.has(kid) else None

    def remember(self, token: str, kid: str, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claims, which nobody can change any more."""
        if len(self._claims) >= MOST:
            del self._claims[next(iter(self._claims))]
        proven = MappingProxyType(dict(claims))
        self._claims[_name(token)] = (kid, proven)
        return proven


def _name(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
