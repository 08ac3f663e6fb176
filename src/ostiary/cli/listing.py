"""Everything a server lists, page after page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ostiary.cli.failure import Failure
from ostiary.mcp.missing_servers import MissingServer, missing_servers

if TYPE_CHECKING:
    from ostiary.cli.mcp_client.client import McpClient

MOST_PAGES = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """The entries, and the servers that a gateway could not ask for theirs."""

    entries: list[dict[str, Any]]
    missing: tuple[MissingServer, ...]


async def every(client: McpClient, kind: str) -> Listed:
    """All entries of a paginated list: `tools`, `prompts`, `resources` or `resourceTemplates`."""
    entries: list[dict[str, Any]] = []
    missing: dict[MissingServer, None] = {}
    cursor = None
    for _ in range(MOST_PAGES):
        page = await client.list_page(kind, cursor)
        entries += page[kind]
        missing |= dict.fromkeys(missing_servers(page.get("_meta")))
        cursor = page.get("nextCursor")
        if cursor is None:
            return Listed(entries, tuple(missing))
    raise Failure(f"the server's list of {kind} has no end: {MOST_PAGES} pages were read")
