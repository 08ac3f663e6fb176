"""How many grants there are, and in which state: counted now and then, for operators.

Each count looks at the whole table, so that nothing is counted while nobody wants to know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select

from ostiary.storage.schema import upstream_grants
from ostiary.storage.store import Store

_row = upstream_grants.c

Listener = Callable[[Mapping[tuple[str, ...], int]], None]
"""Is told (identity provider, state) → how many, all of them."""


@dataclass(frozen=True, slots=True)
class GrantStates:
    """The states of the grants in a store."""

    store: Store
    listeners: list[Listener] = field(default_factory=list)

    def hear(self, listener: Listener) -> None:
        """Have each count told to `listener`."""
        self.listeners.append(listener)

    async def count(self) -> None:
        """Count, and tell. Raises StorageError."""
        if not self.listeners:
            return
        by_state = select(_row.idp, _row.state, func.count()).group_by(_row.idp, _row.state)
        rows = await self.store.read(lambda connection: connection.execute(by_state).all())
        for listener in self.listeners:
            listener({(idp, state): count for idp, state, count in rows})
