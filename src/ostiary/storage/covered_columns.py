"""What the seal of a row covers, as bytes: its table, its key, and every column that decides something.

Whoever writes in the database without the encryption key can change a row, and then it does not open. The
schema says of each table which columns those are, and of the others why they decide nothing.
"""

from __future__ import annotations

from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from sqlalchemy import Double, Table

_encoded = msgspec.json.Encoder().encode
"""No two different lists of values are written alike."""


class CoveredColumns:
    """Of one table with a column `sealed`."""

    def __init__(self, table: Table) -> None:
        self._table = str(table.name)
        self._key = tuple(column.name for column in table.primary_key)
        self.names = (*self._key, *table.c.sealed.info["covers"])
        columns = [table.c[name] for name in self.names]
        self._of_values, self._of_row = itemgetter(*self.names), attrgetter(*self.names)
        self._times = [place for place, column in enumerate(columns) if isinstance(column.type, Double)]

    def of(self, row: Any) -> bytes:
        """As bytes. row: a dict of the values, or a row with these columns, as it was read."""
        values = list(self._of_values(row) if type(row) is dict else self._of_row(row))
        for place in self._times:  # a database gives whole seconds back as a float
            if values[place] is not None:
                values[place] = float(values[place])
        return _encoded((self._table, values))

    def place(self, row: Any) -> str:
        """Which row it is, for an operator: keys of rows are hashes and ids, and open nothing."""
        values = self._of_values(row) if type(row) is dict else self._of_row(row)
        named = zip(self._key, values, strict=False)
        return f"the row of {self._table} whose {' and '.join(f'{name} is {value}' for name, value in named)}"


@cache
def covered_columns(table: Table) -> CoveredColumns:
    """Of a table of the schema."""
    return CoveredColumns(table)
