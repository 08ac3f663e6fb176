"""Records that hold something secret."""

from __future__ import annotations

from typing import Any

import msgspec


class Unseen(msgspec.Struct, frozen=True):
    """A record whose `repr` has nothing but its kind, so that neither a traceback nor a log line has more."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """What Rich draws, which is all of the fields otherwise."""
        return []
