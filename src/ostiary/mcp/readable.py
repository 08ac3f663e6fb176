"""Whether every client can read a JSON value. RFC 8259 sections 4, 6, 8 and 9 leave much to each parser.

What many servers list goes out as one text. A single value in it that a client's parser gives up at (bytes
that are no UTF-8, a number of a million digits, a thousand brackets) takes all of it away.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ostiary.mcp.raw_object import Raw

DEEPEST = 64
"""Far deeper than the schemas of tools, and far from where the parsers of some languages end."""


def is_readable(raw: Raw) -> bool:
    """Whether a well-formed value is one that the parsers of all languages take."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    text = bytes(raw)
    return text.count(b"[") + text.count(b"{") <= DEEPEST or _depth_is_within(value, DEEPEST)


def _depth_is_within(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return True
    return False


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
