"""Bytes that are held for many, bounded all together.

Who holds most gives way when there is no more room, so that a few who send much never keep out the many
who send little.
"""

from __future__ import annotations

from collections.abc import Hashable
from operator import itemgetter
from typing import Protocol

AFTER_EVICTION = 7 / 8
"""How full a budget is left: making room looks at every holder, so it is made for a while."""


class Holder(Protocol):
    """Somebody for whom bytes are held."""

    def evict(self) -> None:
        """Give up what is held."""


class ByteBudget:
    """How much may be held for all its holders together."""

    def __init__(self, most: int) -> None:
        """most: bytes."""
        self._most = most
        self._held: dict[Holder, int] = {}
        self._total = 0

    @property
    def total(self) -> int:
        """Bytes held now."""
        return self._total

    def hold(self, holder: Holder, size: int) -> None:
        """Note that so much is held for it now, in place of what was; 0 for nothing."""
        self._total += size - self._held.pop(holder, 0)
        if size:
            self._held[holder] = size
            if self._total > self._most:
                self._make_room()

    def _make_room(self) -> None:
        for holder, size in sorted(self._held.items(), key=itemgetter(1), reverse=True):
            if self._total <= self._most * AFTER_EVICTION:
                return
            del self._held[holder]
            self._total -= size
            holder.evict()


class BudgetsByOwner:
    """A budget of the same size for each owner; an owner for whom nothing is held costs nothing."""

    def __init__(self, most: int) -> None:
        """most: bytes for each."""
        self._most = most
        self._budgets: dict[Hashable, ByteBudget] = {}

    def of(self, owner: Hashable) -> ByteBudget:
        """The owner's."""
        return self._budgets.get(owner) or self._begin(owner)

    def _begin(self, owner: Hashable) -> ByteBudget:
        self._budgets = {known: budget for known, budget in self._budgets.items() if budget.total}
        budget = self._budgets[owner] = ByteBudget(self._most)
        return budget
