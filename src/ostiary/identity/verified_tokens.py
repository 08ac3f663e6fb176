"""What was found about tokens when they were verified: callers send the same one with each request."""

from __future__ import annotations

import hashlib
from typing import Generic, TypeVar

Found = TypeVar("Found")

MOST = 10_000
"""Tokens; the oldest goes first."""


class VerifiedTokens(Generic[Found]):
    """By their digests, no token being kept. How long a finding is good, whoever asks knows."""

    def __init__(self, most: int = MOST) -> None:
        """most: how many are remembered."""
        self._most = most
        self._found: dict[bytes, Found] = {}

    def get(self, token: str) -> Found | None:
        """What was found; None for a token that has to be looked at."""
        return self._found.get(_digest(token))

    def remember(self, token: str, found: Found) -> None:
        """It was verified."""
        if len(self._found) >= self._most:
            del self._found[next(iter(self._found))]
        self._found[_digest(token)] = found

    def clear(self) -> None:
        """What they were verified by is no longer so."""
        self._found.clear()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
