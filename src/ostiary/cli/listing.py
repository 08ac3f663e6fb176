"""Everything a server lists, page after page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ostiary.cli.failure import Failure

MOST_PAGES = 100


async def every(list_page: Callable[..., Awaitable[Any]], field: str) -> list[Any]:
    """All entries of a paginated list. field: which list of a page they stand in."""
    entries: list[Any] = []
    cursor = None
    for _ in range(MOST_PAGES):
        page = await list_page(cursor=cursor)
        entries += getattr(page, field)
        cursor = page.next_cursor
        if cursor is None:
            return entries
    raise Failure(f"the server's list of {field} has no end: {MOST_PAGES} pages were read")
