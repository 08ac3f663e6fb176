"""Many servers' lists as one (MCP 2026-07-28: tools, prompts, resources, caching).

Servers come in the order of the configuration and items in the order of their server, so that the
list is the same each time. What is missing is named, never silently left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from ostiary.mcp.eras import HIDDEN_KEY, SERVER_INFO_KEY, SUPPORTED_VERSIONS, UNAVAILABLE_KEY
from ostiary.mcp.errors import InvalidParams, InvalidRequest
from ostiary.mcp.names import Names
from ostiary.mcp.raw_object import Members, Raw, read_members, read_string, write_object

_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class ListKind:
    """One of the lists: its method, the member that holds its items, and the member that names an item."""

    method: str
    items: str
    key: str


LIST_KINDS = {
    kind.method: kind
    for kind in (
        ListKind("tools/list", "tools", "name"),
        ListKind("prompts/list", "prompts", "name"),
        ListKind("resources/list", "resources", "uri"),
        ListKind("resources/templates/list", "resourceTemplates", "uriTemplate"),
    )
}


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A server that a list had to leave out. Times are seconds since the epoch."""

    server: str
    step: str
    since: float
    next_try: float


@dataclass(slots=True)
class Page:
    """One page of a server's list, or several joined. ttl in milliseconds."""

    items: list[Members] = field(default_factory=list)
    next_cursor: str | None = None
    ttl_ms: int = 0
    is_public: bool = False


def read_page(kind: ListKind, result: Raw) -> Page:
    """One page as a server sent it. Raises InvalidRequest when it is not a list of this kind."""
    members = read_members(result)
    try:
        raw_items = _ITEMS.decode(members[kind.items])
    except (KeyError, msgspec.DecodeError):
        raise InvalidRequest(f"its answer to {kind.method} has no list of {kind.items}") from None
    items = [read_members(item) for item in raw_items]
    for item in items:
        read_string(item.get(kind.key), kind.key)
    cursor = members.get("nextCursor")
    return Page(
        items=items,
        next_cursor=None if cursor is None or bytes(cursor) == b"null" else read_string(cursor, "nextCursor"),
        ttl_ms=_whole_number(members.get("ttlMs")),
        is_public=bytes(members.get("cacheScope", b"")) == b'"public"',
    )


def merge_pages(
    kind: ListKind,
    pages: Sequence[tuple[str, Page]],
    names: Names,
    unavailable: Iterable[Unavailable],
    server_info: dict[str, str],
) -> bytes:
    """The result of a federated list.

    pages: (server, its whole list). A name with which a call would reach another server is hidden, and told;
    so is one that the server lists again.
    """
    seen: set[str] = set()
    hidden: list[dict[str, str]] = []
    items: list[bytes] = []
    for server, page in pages:
        for item in page.items:
            original = read_string(item.get(kind.key), kind.key)
            name = names.here(kind.key, server, original)
            if name in seen or not _reaches(names, kind.key, name, server):
                hidden.append({"server": server, "name": original})
                continue
            seen.add(name)
            items.append(write_object({**item, kind.key: msgspec.json.encode(name)}))
    missing = list(unavailable)
    return write_object(
        {
            "resultType": b'"complete"',
            kind.items: b"[%s]" % b",".join(items),
            **_caching([page for _, page in pages], complete=not missing),
            "_meta": msgspec.json.encode(_meta(server_info, missing, hidden)),
        }
    )


def merge_capabilities(results: Sequence[Raw]) -> dict[str, Any]:
    """What a federation of servers with these discover results can do.

    Change notices and subscriptions are not relayed, so they are not promised.
    """
    offered: set[str] = set()
    for result in results:
        members = read_members(result)
        if "capabilities" in members:
            offered |= read_members(members["capabilities"]).keys()
    return {name: {} for name in ("completions", "prompts", "resources", "tools") if name in offered}


def discover_result(
    capabilities: dict[str, Any],
    instructions: str | None,
    unavailable: Iterable[Unavailable],
    server_info: dict[str, str],
) -> bytes:
    """The result of `server/discover` for a federation."""
    result: dict[str, Any] = {
        "resultType": "complete",
        "supportedVersions": list(SUPPORTED_VERSIONS),
        "capabilities": capabilities,
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": _meta(server_info, list(unavailable), []),
    }
    if instructions:
        result["instructions"] = instructions
    return msgspec.json.encode(result)


def _reaches(names: Names, key: str, name: str, server: str) -> bool:
    try:
        return names.split(key, name)[0] == server
    except InvalidParams:
        return False


def _caching(pages: Sequence[Page], *, complete: bool) -> dict[str, bytes]:
    ttl = min((page.ttl_ms for page in pages), default=0) if complete else 0
    scope = b'"public"' if complete and pages and all(page.is_public for page in pages) else b'"private"'
    return {"ttlMs": b"%d" % ttl, "cacheScope": scope}


def _meta(
    server_info: dict[str, str], unavailable: list[Unavailable], hidden: list[dict[str, str]]
) -> dict[str, Any]:
    meta: dict[str, Any] = {SERVER_INFO_KEY: server_info}
    if unavailable:
        meta[UNAVAILABLE_KEY] = [asdict(one) for one in unavailable]
    if hidden:
        meta[HIDDEN_KEY] = hidden
    return meta


def _whole_number(raw: msgspec.Raw | None) -> int:
    if raw is None:
        return 0
    try:
        return max(0, msgspec.json.decode(raw, type=int))
    except msgspec.DecodeError:
        return 0
