"""Rows whose time is over: deleted a bounded piece at a time, as others want to write, too."""

from __future__ import annotations

from sqlalchemy import Column, Connection, bindparam, delete, select, tuple_

BATCH = 500
"""Rows of one table in one transaction."""


class Expiry:
    """Of one table. ends: the column that says when the time of a row is over."""

    def __init__(self, ends: Column[float]) -> None:
        self.table = ends.table
        key = self.table.primary_key
        ended = select(*key).where(ends <= bindparam("now")).limit(BATCH)
        self._delete = delete(self.table).where(tuple_(*key).in_(ended))

    def delete_ended(self, connection: Connection, *, now: float) -> int:
        """How many went: fewer than BATCH when none is left. now: seconds since the epoch."""
        return connection.execute(self._delete, {"now": now}).rowcount
