"""Many servers' lists as one (MCP 2026-07-28: tools, prompts, resources, caching).

Servers come in the order of the configuration and items in the order of their server, so that the
list is the same each time. What is missing is named, never silently left out.

A list is its server's word, and everybody who lists pays for it: it has a budget, of bytes and of items, and
of an item no more is kept than the bytes that go out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from ostiary.mcp.eras import HIDDEN_KEY, SERVER_INFO_KEY, SUPPORTED_VERSIONS, UNAVAILABLE_KEY
from ostiary.mcp.errors import InvalidParams, InvalidRequest
from ostiary.mcp.names import Names
from ostiary.mcp.raw_object import Raw, RawObject, read_members, read_string, write_object
from ostiary.mcp.readable import is_readable

MOST_MEMBERS = 100_000
"""Of all objects and lists in one page: far more than tools with their schemas have in two megabytes."""
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
class UnavailableServer:
    """A server that a list had to leave out. Times are seconds since the epoch."""

    server: str
    step: str
    since: float
    next_try: float


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a server's list, its items still raw. ttl in milliseconds."""

    items: list[msgspec.Raw]
    next_cursor: str | None
    ttl_ms: int
    is_public: bool


@dataclass(frozen=True, slots=True)
class ListBudget:
    """What one server's list may be, all its pages together."""

    bytes: int = 2 * 1024 * 1024
    items: int = 2000


@dataclass(slots=True)
class OwnList:
    """What one server adds to a merged list: the text of its items, and the names that do not go out."""

    server: str
    text: bytearray = field(default_factory=bytearray)
    names: set[str] = field(default_factory=set)
    hidden: list[str] = field(default_factory=list)
    ttl_ms: int | None = None
    is_public: bool = True

    @property
    def count(self) -> int:
        """How many items there are, with those that are hidden."""
        return len(self.names) + len(self.hidden)

    def add(self, kind: ListKind, page: ListPage, names: Names) -> Iterator[None]:
        """Take a page, pausing after each item. Raises InvalidRequest for an item that is none of this kind.

        A name with which a call would reach another server is hidden; so is one that comes again, and one
        whose item not every client could read.
        """
        self.ttl_ms = page.ttl_ms if self.ttl_ms is None else min(self.ttl_ms, page.ttl_ms)
        self.is_public = self.is_public and page.is_public
        for raw in page.items:
            item = RawObject(raw)
            own = read_string(item.members.get(kind.key), kind.key)
            name = names.here(kind.key, self.server, own)
            is_theirs = name not in self.names and _reaches(names, kind.key, name, self.server)
            if not is_theirs or not is_readable(raw):
                self.hidden.append(own)
            else:
                self.text += b"," if self.names else b""
                self.text += item.with_member(kind.key, msgspec.json.encode(name))
                self.names.add(name)
            yield


def read_page(kind: ListKind, result: Raw) -> ListPage:
    """One page as a server sent it. Raises InvalidRequest when it is not a list of this kind."""
    if bytes(result).count(b",") > MOST_MEMBERS:
        raise InvalidRequest(f"its answer to {kind.method} has more than {MOST_MEMBERS} members")
    members = read_members(result)
    try:
        items = _ITEMS.decode(members[kind.items])
    except (KeyError, msgspec.DecodeError):
        raise InvalidRequest(f"its answer to {kind.method} has no list of {kind.items}") from None
    cursor = members.get("nextCursor")
    return ListPage(
        items=items,
        next_cursor=None if cursor is None or bytes(cursor) == b"null" else read_string(cursor, "nextCursor"),
        ttl_ms=_whole_number(members.get("ttlMs")),
        is_public=bytes(members.get("cacheScope", b"")) == b'"public"',
    )


def merge_lists(
    kind: ListKind,
    lists: Sequence[OwnList],
    unavailable: Iterable[UnavailableServer],
    server_info: dict[str, str],
) -> bytes:
    """The result of a federated list."""
    missing = list(unavailable)
    hidden = [{"server": own.server, "name": name} for own in lists for name in own.hidden]
    return write_object(
        {
            "resultType": b'"complete"',
            kind.items: b"[%s]" % b",".join([own.text for own in lists if own.text]),
            **_caching(lists, complete=not missing),
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
    unavailable: Iterable[UnavailableServer],
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


def _caching(lists: Sequence[OwnList], *, complete: bool) -> dict[str, bytes]:
    ttl = min((own.ttl_ms or 0 for own in lists), default=0) if complete else 0
    is_public = complete and lists and all(own.is_public for own in lists)
    return {"ttlMs": b"%d" % ttl, "cacheScope": b'"public"' if is_public else b'"private"'}


def _meta(
    server_info: dict[str, str], unavailable: list[UnavailableServer], hidden: list[dict[str, str]]
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
