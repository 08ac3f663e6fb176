"""Where the next page of a merged list begins. A cursor says it itself, so that every replica can go on.

It says which list it is of, which server's items come next, how many of them there were, and the last one:
when that is still listed, the page begins behind it, and else where it stood. Nothing in it is a secret,
and nothing is to be had by changing it; a checksum tells what is a cursor of ours from what is none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

import msgspec

from ostiary.mcp.errors import InvalidParams

LONGEST = 512
"""Characters of a cursor: the names of servers and methods are short."""
_CHECKSUM_BYTES = 8
_BEGINNING = b"ostiary cursor 1\n"


@dataclass(frozen=True, slots=True)
class Cursor:
    """method: of the list; given: how many of the server's items; last: what stands for the last of them."""

    method: str
    server: str
    given: int
    last: str

    def written(self) -> str:
        """As a client sends it back."""
        said = msgspec.json.encode([self.method, self.server, self.given, self.last])
        return base64.urlsafe_b64encode(said + _checksum(said)).decode().rstrip("=")


def read_cursor(text: str, method: str) -> Cursor:
    """Raises InvalidParams for what is no cursor of this list."""
    cursor = _read(text) if len(text) <= LONGEST else None
    if cursor is None or cursor.given < 0:
        raise InvalidParams("this cursor is none of ours: begin again without one")
    if cursor.method != method:
        raise InvalidParams(f"this cursor is of {cursor.method}, and not of {method}")
    return cursor


def _read(text: str) -> Cursor | None:
    try:
        whole = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    said, checksum = whole[:-_CHECKSUM_BYTES], whole[-_CHECKSUM_BYTES:]
    if checksum != _checksum(said):
        return None
    try:
        return Cursor(*msgspec.json.decode(said, type=tuple[str, str, int, str]))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def stand_in(name: str) -> str:
    """What stands for a name in a cursor, however long it is."""
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]


def _checksum(said: bytes) -> bytes:
    return hashlib.sha256(_BEGINNING + said).digest()[:_CHECKSUM_BYTES]
