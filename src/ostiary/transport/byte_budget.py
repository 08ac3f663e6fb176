"""Bytes that are held for many, bounded all together.

Who holds most gives way when there is no more room, so that a few who send much never keep out the many
who send little.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
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

    def holders(self) -> Iterator[tuple[Holder, int]]:
        """Each, and what is held for it."""
        yield from self._held.items()

    def give_up(self, holder: Holder) -> None:
        """Let it make room."""
        self._total -= self._held.pop(holder)
        holder.evict()

    def _make_room(self) -> None:
        for holder, _ in sorted(self._held.items(), key=itemgetter(1), reverse=True):
            if self._total <= self._most * AFTER_EVICTION:
                return
            self.give_up(holder)


class BudgetsByOwner:
    """A budget of the same size for each owner; an owner for whom nothing is held costs nothing."""

    def __init__(self, most: int, together: int | None = None) -> None:
        """most: bytes for each; together: for all of them, None for no bound."""
        self._most = most
        self._together = together
        self._budgets: dict[Hashable, ByteBudget] = {}

    def of(self, owner: Hashable) -> ByteBudget:
        """The owner's."""
        return self._budgets.get(owner) or self._begin(owner)

    def make_room(self) -> None:
        """Let those give way of whom most is held, if it is too much of all together. Called now and then."""
        total = sum(budget.total for budget in self._budgets.values())
        if self._together is None or total <= self._together:
            return
        held = [(size, budget, one) for budget in self._budgets.values() for one, size in budget.holders()]
        for size, budget, one in sorted(held, key=itemgetter(0), reverse=True):
            if total <= self._together * AFTER_EVICTION:
                return
            budget.give_up(one)
            total -= size

    def _begin(self, owner: Hashable) -> ByteBudget:
        self._budgets = {known: budget for known, budget in self._budgets.items() if budget.total}
        budget = self._budgets[owner] = ByteBudget(self._most)
        return budget
