"""What a server compressed although it was asked for plain, RFC 9110 section 8.4.1.

An answer of a token endpoint has often spent a code or a refresh token, so it is read all the same.
"""

from __future__ import annotations

import zlib

PLAIN = frozenset({"", "identity", "none", "utf-8"})
"""The last two are no codings; servers and storages send them, and mean plain."""
_NAMED = frozenset({"br", "compress", "deflate", "gzip", "identity", "x-compress", "x-gzip", "zstd"})
"""What is told by its name. Whatever else stands there is a server's own words, which may be our secret."""
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_BARE_DEFLATE = -zlib.MAX_WBITS
_READ = {"gzip": (_GZIP_OR_ZLIB,), "x-gzip": (_GZIP_OR_ZLIB,), "deflate": (_GZIP_OR_ZLIB, _BARE_DEFLATE)}


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


class NotUnpacked(Exception):
    """It cannot be read. The message says why."""


def unpacked(body: bytes, coding: str, *, max_bytes: int) -> bytes:
    """The content, of which no more is made than `max_bytes`. Raises NotUnpacked."""
    coding = coding.strip().lower()
    if coding in PLAIN:
        return body
    for window in _READ.get(coding, ()):
        unpacker = zlib.decompressobj(window)
        try:
            content = unpacker.decompress(body, max_bytes + 1)
        except zlib.error:
            continue
        if len(content) > max_bytes:
            raise NotUnpacked(f"the answer is longer than {max_bytes} bytes")
        if unpacker.eof:
            return content
    raise NotUnpacked(f"the answer is compressed ({_name(coding)}) although we asked for it plain")
