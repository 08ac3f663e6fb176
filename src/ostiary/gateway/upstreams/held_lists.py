"""What is held of one server's lists while they are merged for callers, and no more than that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from contextlib import ExitStack

from ostiary.gateway.errors import ListTooLong
from ostiary.mcp.merging import ListBudget

LISTS_AT_ONCE = 16
"""How many lists of the longest kind are held at once: for as long as the slowest other server takes."""
LISTS_OF_ONE = 4
"""How many of them may be one caller's."""


class HeldLists:
    """The lists of one server."""

    def __init__(self, server: str, budget: ListBudget) -> None:
        self.budget = budget
        self._server = server
        self._held = 0
        self._held_for: Counter[Hashable] = Counter()

    def hold(self, size: int, caller: Hashable, until: ExitStack) -> None:
        """Hold so many bytes more for a caller, until `until` is closed. Raises ListTooLong."""
        if self._held_for[caller] + size > self.budget.bytes * LISTS_OF_ONE:
            raise ListTooLong(f"server {self._server}: too much of its lists is held for this caller")
        if self._held + size > self.budget.bytes * LISTS_AT_ONCE:
            raise ListTooLong(f"server {self._server}: too much of its lists is held for other callers")
        self._held += size
        self._held_for[caller] += size
        until.callback(self._let_go, size, caller)

    def _let_go(self, size: int, caller: Hashable) -> None:
        self._held -= size
        self._held_for[caller] -= size
        if not self._held_for[caller]:
            del self._held_for[caller]
