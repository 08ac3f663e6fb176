"""How many requests of one workload may be under way at once: what it keeps waiting keeps no other out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ostiary.oauth.server.errors import TooManyRequests

RETRY_AFTER = 5
"""Seconds."""


class RequestsUnderWay:
    """Of each owner so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: Counter[str] = Counter()

    @contextmanager
    def one_more(self, owner: str) -> Iterator[None]:
        """Raises TooManyRequests."""
        if self._of[owner] >= self._most:
            raise TooManyRequests(
                f"{self._most} requests of this workload wait already", retry_after=RETRY_AFTER, detail=owner
            )
        self._of[owner] += 1
        try:
            yield
        finally:
            self._of[owner] -= 1
            if not self._of[owner]:
                del self._of[owner]
