"""Who came with which token a moment ago: callers send the same one with each request.

A token is looked up by a hash that has a secret of this process, and compared with a kept one only where both
hashes are the same. So how long it takes tells nobody how much of a token they guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.identity.principal import Principal

MOST = 10_000
"""Callers, where nothing else is said."""


class KnownCallers:
    """Principals by their tokens, which they have with them anyway. Times in seconds since the epoch."""

    def __init__(self, most: int = MOST) -> None:
        """most: of how many callers; who came first goes first."""
        self._most = most
        self._known: dict[str, tuple[Principal, float]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def find(self, token: str, now: float) -> Principal | None:
        """Who it is; None for a token that has to be looked at."""
        known = self._known.get(token)
        return None if known is None or now >= known[1] else known[0]

    def remember(self, token: str, principal: Principal, until: float, now: float) -> None:
        """It was verified, which is good until then. Whose time is over is forgotten, the oldest first."""
        self._known.pop(token, None)
        while self._known:
            oldest = next(iter(self._known))
            if len(self._known) < self._most and now < self._known[oldest][1]:
                break
            del self._known[oldest]
        self._known[token] = principal, until

    def forget(self) -> None:
        """What they were verified by is no longer so."""
        self._known.clear()
