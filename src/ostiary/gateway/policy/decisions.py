"""What was decided for callers, for as long as their tokens are known: bounded for each, and in all."""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any

from ostiary.gateway.policy.access import Access
from ostiary.gateway.policy.policy_set import Decision, PolicySet
from ostiary.identity.principal import Principal

MOST_OF_ONE = 4096
"""Decisions for one token; with more, all of its are made again."""
LONGEST_KEPT = 256
"""Characters of a name that is decided about once."""
MOST = 100_000
"""Decisions for all tokens; with more, those of the tokens that came first are made again."""


class _Reference(weakref.ref["Decided"]):
    """To what was decided for one token. size: how much that is."""

    __slots__ = ("size",)
    size: int


class Decided(dict[Access, Any]):
    """By one set of policies, for one token."""

    __slots__ = ("__weakref__", "by", "reference")
    by: PolicySet | None
    reference: _Reference


class Decisions:
    """Kept with the principals that they are about: what is kept ends with them."""

    def __init__(self) -> None:
        self.held = 0
        """How many, for all of them."""
        self._all: deque[_Reference] = deque()

    def of(self, principal: Principal, by: PolicySet) -> Decided:
        """What was decided for this token by these policies."""
        decided: Decided | None = principal.worked_out.get(self)
        if decided is None or decided.by is not by:
            if decided is not None:
                self._forget(decided.reference)
            decided = principal.worked_out[self] = Decided()
            decided.by = by
            decided.reference = _Reference(decided, self._forget)
            decided.reference.size = 0
            self._all.append(decided.reference)
        return decided

    def keep(self, decided: Decided, access: Access, decision: Decision | bool) -> None:
        """Decided. Long names are not worth it: callers choose them."""
        if len(access.name) > LONGEST_KEPT:
            return
        reference = decided.reference
        if len(decided) >= MOST_OF_ONE:
            decided.clear()
            self.held -= reference.size
            reference.size = 0
        decided[access] = decision
        reference.size += 1
        self.held += 1
        while self.held > MOST or len(self._all) > MOST:
            self._drop(self._all.popleft())

    def _drop(self, reference: _Reference) -> None:
        self._forget(reference)
        decided = reference()
        if decided is not None:
            decided.clear()
            decided.by = None  # so that its principal gets another one

    def _forget(self, reference: weakref.ref[Decided]) -> None:
        assert isinstance(reference, _Reference)  # noqa: S101 - for the type checker
        self.held -= reference.size
        reference.size = 0
