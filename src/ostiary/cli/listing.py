"""Everything a server lists, page after page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ostiary.cli.failure import Failure
from ostiary.mcp.missing_servers import MissingServer, missing_servers

MOST_PAGES = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """The entries, and the servers that a gateway could not ask for theirs."""

    entries: list[Any]
    missing: tuple[MissingServer, ...]


async def every(list_page: Callable[..., Awaitable[Any]], field: str) -> Listed:
    """All entries of a paginated list. field: which list of a page they stand in."""
    entries: list[Any] = []
    missing: dict[MissingServer, None] = {}
    cursor = None
    for _ in range(MOST_PAGES):
        page = await list_page(cursor=cursor)
        entries += getattr(page, field)
        missing |= dict.fromkeys(missing_servers(page.meta))
        cursor = page.next_cursor
        if cursor is None:
            return Listed(entries, tuple(missing))
    raise Failure(f"the server's list of {field} has no end: {MOST_PAGES} pages were read")
