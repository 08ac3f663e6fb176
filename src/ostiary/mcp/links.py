"""Resource URIs inside results: on the federated endpoint they carry their server's scheme.

A tool may answer with a link to a resource, a prompt may embed one. The client would read it at the
endpoint it came from, so what goes out under one name must be asked for under the same.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ostiary.mcp.raw_object import Raw, read_members, read_string, write_object

_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_HOLDERS = ("content", "contents", "messages", "resource")
_KEYS = ("uri", "uriTemplate")
_DEEPEST = 8
"""A prompt's messages → message → content → item → resource is the longest way to a URI."""


def rename_links(result: Raw, rename: Callable[[str], str]) -> Raw:
    """The result with every resource URI of its content renamed. Raises McpError when it can't be read."""
    return _renamed(bytes(result).strip(b" \t\r\n"), rename, _DEEPEST)


def _renamed(value: Raw, rename: Callable[[str], str], depth: int) -> Raw:
    first = bytes(value)[:1]
    if depth == 0 or first not in {b"[", b"{"}:
        return value
    if first == b"[":
        return b"[%s]" % b",".join([_renamed(item, rename, depth - 1) for item in _LIST.decode(value)])
    members = read_members(value)
    changed: dict[str, Raw] = dict(members)
    for key in _HOLDERS:
        if key in members:
            changed[key] = _renamed(members[key], rename, depth - 1)
    for key in _KEYS:
        if key in members:
            changed[key] = msgspec.json.encode(rename(read_string(members[key], key)))
    return write_object(changed)
