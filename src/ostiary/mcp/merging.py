"""Many servers' lists as one (MCP 2026-07-28: tools, prompts, resources, caching).

Servers come in the order of the configuration and items in the order of their server, so that the
list is the same each time. What is missing is named, never silently left out.

A list is its server's word, and everybody who lists pays for it: it has a budget, of bytes and of items, and
of an item no more is kept than the bytes that go out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import Any

import msgspec

from ostiary.mcp.cursors import Cursor, stand_in
from ostiary.mcp.eras import HIDDEN_KEY, SERVER_INFO_KEY, SUPPORTED_VERSIONS, TASKS_EXTENSION, UNAVAILABLE_KEY
from ostiary.mcp.errors import InvalidParams, InvalidRequest
from ostiary.mcp.names import NAMED, Names, is_short_form
from ostiary.mcp.raw_object import Raw, RawObject, read_members, read_string, write_object
from ostiary.mcp.readable import is_readable
from ostiary.mcp.views import digest_of

MOST_MEMBERS = 100_000
"""Of all objects and lists in one page: far more than tools with their schemas have in two megabytes."""
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_RELAYED: Mapping[str, tuple[str, ...]] = {
    "completions": (),
    "extensions": (TASKS_EXTENSION,),
    "prompts": ("listChanged",),
    "resources": ("listChanged", "subscribe"),
    "tools": ("listChanged",),
}
"""Capability → what of it servers may tell of: it is `true`, or an object, which says no more than that."""


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
    stale: bool = False
    """Whether its last good list stands in for it."""

    def told(self) -> dict[str, Any]:
        """As `_meta` has it."""
        told = asdict(self)
        if not self.stale:
            del told["stale"]
        return told


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
class ServerList:
    """All pages of one server's list, as it sent them. size: their bytes; ttl in milliseconds."""

    items: list[msgspec.Raw] = field(default_factory=list)
    size: int = 0
    ttl_ms: int | None = None
    is_public: bool = True

    def add(self, page: ListPage, size: int) -> None:
        """Take the next page, of so many bytes."""
        self.items += page.items
        self.size += size
        self.ttl_ms = page.ttl_ms if self.ttl_ms is None else min(self.ttl_ms, page.ttl_ms)
        self.is_public = self.is_public and page.is_public


@dataclass(frozen=True, slots=True)
class OwnItem:
    """What stands in a merged list for one thing of a server: its name there, and the item that goes out."""

    own: str
    text: bytes


@dataclass
class OwnList:
    """What one server adds to a merged list: its items by their names here, and those that do not go out.

    hidden: own names that others must not take for something else; changed: those whose definition is not
    the one that was pinned.
    """

    server: str
    items: dict[str, OwnItem] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    ttl_ms: int = 0
    is_public: bool = True
    size: int = 0

    @cached_property
    def digest(self) -> bytes:
        """The same for lists that are the same, and for no others."""
        digest = sha256()
        for item in self.items.values():
            digest.update(b"%d:" % len(item.text))
            digest.update(item.text)
        return digest.digest()

    def take(self, kind: ListKind, listed: ServerList, names: Names) -> Iterator[None]:
        """Take a server's list, pausing after each item. Raises InvalidRequest for one that is none.

        A name with which a call would reach something else is hidden; so is one that comes again, and one
        whose item not every client could read.
        """
        self.ttl_ms, self.is_public = listed.ttl_ms or 0, listed.is_public
        for raw in listed.items:
            self._take(kind, RawObject(raw), names)
            yield

    def _take(self, kind: ListKind, item: RawObject, names: Names) -> None:
        own = read_string(item.members.get(kind.key), kind.key)
        view = names.view(self.server)
        if not view.shows(kind.items, own):
            return
        name = names.here(kind.items, self.server, own)
        pinned = view.override(kind.items, own).sha256
        is_theirs = name not in self.items and _reaches(names, kind.items, name, self.server, own)
        if not is_theirs or not is_readable(item.text):
            self.hidden.append(own)
        elif pinned is not None and digest_of(item.members) != pinned:
            self.changed.append(own)
        else:
            text = view.says(kind.items, own, item).with_member(kind.key, msgspec.json.encode(name))
            self.items[name] = OwnItem(own, text)
            self.size += len(text) + 1

    def part(self, start: int, stop: int) -> OwnList:
        """Some of its items. What does not go out is told beside the first of them."""
        items = dict(islice(self.items.items(), start, stop))
        part = OwnList(self.server, items, ttl_ms=self.ttl_ms, is_public=self.is_public)
        if start == 0:
            part.hidden, part.changed = self.hidden, self.changed
        return part


def cut_page(
    method: str, lists: Sequence[OwnList], after: Cursor | None, most_items: int
) -> tuple[list[OwnList], Cursor | None]:
    """One page of merged lists, and where the next one begins; None when it is the last.

    after: where this one begins, in the list of the server that it names, which is the first.
    """
    page: list[OwnList] = []
    left = most_items
    for own in lists:
        start = _start_of(own, after)
        if own.items and not left:
            return page, Cursor(method, own.server, 0, "")
        part = own.part(start, start + left)
        page.append(part)
        left -= len(part.items)
        stop = start + len(part.items)
        if stop < len(own.items):
            last = next(reversed(part.items.values()))
            return page, Cursor(method, own.server, stop, stand_in(last.own))
    return page, None


def _start_of(own: OwnList, after: Cursor | None) -> int:
    if after is None or own.server != after.server:
        return 0
    for number, item in enumerate(own.items.values(), start=1):
        if stand_in(item.own) == after.last:
            return number
    return min(after.given, len(own.items))


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
    *,
    is_paged: bool = False,
    following: Cursor | None = None,
) -> bytes:
    """The result of a federated list.

    is_paged: whether it is one page of several, all of which are for their caller alone; following: where
    the next one begins.
    """
    missing = list(unavailable)
    following_page = {} if following is None else {"nextCursor": msgspec.json.encode(following.written())}
    texts = [item.text for own in lists for item in own.items.values()]
    return write_object(
        {
            "resultType": b'"complete"',
            kind.items: b"[%s]" % b",".join(texts),
            **following_page,
            **_caching(lists, complete=not missing, is_paged=is_paged),
            "_meta": msgspec.json.encode(_meta(server_info, missing, _hidden(lists))),
        }
    )


def _hidden(lists: Sequence[OwnList]) -> list[dict[str, str]]:
    told = [{"server": own.server, "name": name} for own in lists for name in own.hidden]
    return told + [
        {"server": own.server, "name": name, "why": "changed"} for own in lists for name in own.changed
    ]


@dataclass(frozen=True, slots=True)
class OwnDiscovery:
    """What one server adds to a merged `server/discover`: capabilities with what of them is relayed."""

    server: str
    capabilities: Mapping[str, Mapping[str, bool]]
    instructions: str | None


def read_discovery(server: str, result: Raw) -> OwnDiscovery:
    """Raises InvalidRequest when it is no answer to `server/discover`."""
    members = read_members(result)
    said = read_members(members.get("capabilities", b"{}"))
    relayed: dict[str, dict[str, bool]] = {}
    for name in sorted(_RELAYED.keys() & said.keys()):
        features = read_members(said[name])
        relayed[name] = {
            one: True for one in _RELAYED[name] if bytes(features.get(one, b""))[:1] in (b"t", b"{")
        }
    told = members.get("instructions")
    return OwnDiscovery(server, relayed, None if told is None else read_string(told, "instructions"))


def merge_capabilities(found: Sequence[OwnDiscovery]) -> dict[str, dict[str, Any]]:
    """What a federation of servers can do: whatever any of them can, and tells of."""
    merged: dict[str, dict[str, Any]] = {
        name: {feature: True for own in found for feature in own.capabilities.get(name, ())}
        for name in _RELAYED
        if any(name in own.capabilities for own in found)
    }
    if "extensions" in merged:
        merged["extensions"] = {extension: {} for extension in merged["extensions"]}
    return merged


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


def _reaches(names: Names, kind: str, name: str, server: str, own: str) -> bool:
    try:
        reached, meant = names.split(kind, name)
    except InvalidParams:
        return False
    return reached == server and (meant == own or (kind in NAMED and is_short_form(name)))


def _caching(lists: Sequence[OwnList], *, complete: bool, is_paged: bool) -> dict[str, bytes]:
    ttl = min((own.ttl_ms for own in lists), default=0) if complete else 0
    is_public = complete and not is_paged and lists and all(own.is_public for own in lists)
    return {"ttlMs": b"%d" % ttl, "cacheScope": b'"public"' if is_public else b'"private"'}


def _meta(
    server_info: dict[str, str], unavailable: list[UnavailableServer], hidden: list[dict[str, str]]
) -> dict[str, Any]:
    meta: dict[str, Any] = {SERVER_INFO_KEY: server_info}
    if unavailable:
        meta[UNAVAILABLE_KEY] = [one.told() for one in unavailable]
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
