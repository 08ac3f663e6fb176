"""What a server compressed although it was asked for plain, RFC 9110 section 8.4.1.

An answer of a token endpoint has often spent a code or a refresh token, so it is read all the same.
"""

from __future__ import annotations

from ostiary.transport.unpacking import NotUnpacked, unpacker

PLAIN = frozenset({"", "identity", "none", "utf-8"})
"""The last two are no codings; servers and storages send them, and mean plain."""
_NAMED = frozenset({"br", "compress", "deflate", "gzip", "identity", "x-compress", "x-gzip", "zstd"})
"""What is told by its name. Whatever else stands there is a server's own words, which may be our secret."""


def compression(content_encoding: str) -> str | None:
    """The coding by which an answer with this header is compressed; None when it is plain."""
    coding = content_encoding.strip().lower()
    return None if coding in PLAIN else _name(coding)


def _name(coding: str) -> str:
    if all(one.strip() in _NAMED for one in coding.split(",")):
        return coding[:20]
    return "an unknown coding"


def refusal(coding: str) -> str:
    """What is wrong with an answer that is compressed and not read, in words."""
    return f"its answer is compressed ({coding}) although we asked for it plain"


def unpacked(body: bytes, coding: str, *, max_bytes: int) -> bytes:
    """The content, of which no more is made than `max_bytes`. Raises NotUnpacked."""
    if coding.strip().lower() in PLAIN:
        return body
    found = unpacker(coding)
    if found is not None:
        try:
            content = found.feed(body, max_bytes + 1)
            while not found.is_finished and not found.needs_input and len(content) <= max_bytes:
                content += found.feed(b"", max_bytes + 1 - len(content))
        except NotUnpacked:
            content = b""
        if len(content) > max_bytes:
            raise NotUnpacked(f"the answer is longer than {max_bytes} bytes")
        if found.is_finished:
            return content
    raise NotUnpacked(f"the answer is compressed ({_name(coding)}) although we asked for it plain")
