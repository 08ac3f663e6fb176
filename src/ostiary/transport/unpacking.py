"""Compressed content, unpacked in pieces of a bounded length: RFC 9110 section 8.4.1, RFC 7932, RFC 8878.

A kilobyte can stand for a megabyte and more. So whoever unpacks says how much may come out of each step.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

CODINGS = "gzip, deflate, br, zstd"
"""What can be unpacked, as `Accept-Encoding` says it."""
WIDE = frozenset({"br", "zstd"})
"""Codings that refer back over megabytes, which are held for as long as they are unpacked."""
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_BARE_DEFLATE = -zlib.MAX_WBITS
_LONGEST_ZSTD_WINDOW = 23
"""8 MiB, as RFC 9659 allows; as a power of two."""


class NotUnpacked(Exception):
    """It cannot be read. The message says why."""


class Unpacker(Protocol):
    """The content of one answer, in the order in which it comes."""

    coding: str
    needs_input: bool
    """Whether more comes out only when more is put in."""
    is_finished: bool
    """Whether this was all."""

    def feed(self, data: bytes, most: int) -> bytes:
        """What comes out of these bytes and of those before: about as much as `most`, and what is left later.

        data: empty while something is left. Raises NotUnpacked.
        """


def unpacker(coding: str) -> Unpacker | None:
    """One for this coding; None for one that is not known."""
    make = _UNPACKERS.get(coding.strip().lower())
    return None if make is None else make()


class _Deflated:
    """gzip and deflate. Some say deflate and leave out the header that belongs to it (RFC 9110 8.4.1.2)."""

    coding = "gzip"

    def __init__(self, *, may_be_bare: bool) -> None:
        self.needs_input, self.is_finished = True, False
        self._may_be_bare = may_be_bare
        self._begun = b""
        self._inflate: zlib._Decompress | None = None

    def feed(self, data: bytes, most: int) -> bytes:
        inflate = self._inflate
        if inflate is None:
            data, self._begun = self._begun + data, b""
            if self._may_be_bare and len(data) < 2:
                self._begun = data
                return b""
            inflate = self._inflate = zlib.decompressobj(self._window(data))
        try:
            out = inflate.decompress(inflate.unconsumed_tail + data, most)
        except zlib.error:
            raise _damaged() from None
        self.is_finished = inflate.eof
        self.needs_input = not inflate.unconsumed_tail and len(out) < most and not inflate.eof
        return out

    def _window(self, data: bytes) -> int:
        if not self._may_be_bare:
            return _GZIP_OR_ZLIB
        has_header = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0
        return _GZIP_OR_ZLIB if has_header else _BARE_DEFLATE


class _Brotli:
    coding = "br"

    def __init__(self) -> None:
        import brotli  # noqa: PLC0415 - few servers compress so

        self.needs_input, self.is_finished = True, False
        self._error = brotli.error
        self._decompressor = brotli.Decompressor()

    def feed(self, data: bytes, most: int) -> bytes:
        try:
            out: bytes = self._decompressor.process(data, output_buffer_limit=most)
        except self._error:
            raise _damaged() from None
        self.is_finished = self._decompressor.is_finished()
        is_read = self._decompressor.can_accept_more_data() and len(out) < most
        self.needs_input = is_read and not self.is_finished
        return out


class _Zstandard:
    coding = "zstd"

    def __init__(self) -> None:
        zstd = _zstd()
        self.needs_input, self.is_finished = True, False
        self._errors = (zstd.ZstdError, EOFError)
        most = {zstd.DecompressionParameter.window_log_max: _LONGEST_ZSTD_WINDOW}
        self._decompressor = zstd.ZstdDecompressor(options=most)

    def feed(self, data: bytes, most: int) -> bytes:
        try:
            out: bytes = self._decompressor.decompress(data, max_length=most)
        except self._errors:
            raise _damaged() from None
        self.is_finished = self._decompressor.eof
        self.needs_input = self._decompressor.needs_input and not self.is_finished
        return out


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - few servers compress so
    else:
        from backports import zstd  # noqa: PLC0415 - likewise
    return zstd


def _damaged() -> NotUnpacked:
    return NotUnpacked("what came is not compressed as it says")


def _gzip() -> Unpacker:
    return _Deflated(may_be_bare=False)


def _deflate() -> Unpacker:
    return _Deflated(may_be_bare=True)


_UNPACKERS: Mapping[str, Callable[[], Unpacker]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _Brotli,
    "zstd": _Zstandard,
}
