"""AES-256-GCM under a ring of keys. What is sealed for one row of one table opens nowhere else.

The key file holds 32 bytes in base64url on its first line, which seals; older keys may follow, a line each,
which still open. So a key is rotated by putting a new line before the others, in every replica.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ostiary.storage.errors import KeyFileUnusable, SealedOtherwise

KEY_BYTES = 32
NONCE_BYTES = 12
_FORMAT = b"\x01"
"""First byte of everything sealed, so that another cipher can come one day."""


class KeyRing:
    """The first key seals, all of them open. Each is 32 bytes."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("a key ring has at least one key")
        self._ciphers = tuple(map(AESGCM, keys))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """The keys in a file, which is made with a new one when it is missing. Raises KeyFileUnusable."""
        try:
            if not path.exists():
                _make(path)
            lines = path.read_bytes().removeprefix(codecs.BOM_UTF8).decode("ascii").split()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise KeyFileUnusable(f"encryption key file {path} cannot be read or made: {reason}") from None
        keys = [_decoded(line) for line in lines]
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise KeyFileUnusable(
                f"encryption key file {path} does not hold {KEY_BYTES} bytes in base64url on each line: "
                "restore it, or delete it to have a new one made"
            )
        return cls(keys)

    def seal(self, plain: bytes, *, table: str, key: bytes) -> bytes:
        """Sealed for the row with this key in this table."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return _FORMAT + nonce + self._ciphers[0].encrypt(nonce, plain, _row(table, key))

    def open(self, sealed: bytes, *, table: str, key: bytes) -> bytes:
        """What was sealed for this row. Raises SealedOtherwise."""
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if sealed[:1] == _FORMAT:
            for cipher in self._ciphers:
                with contextlib.suppress(InvalidTag, ValueError):
                    return cipher.decrypt(nonce, body, _row(table, key))
        raise SealedOtherwise(
            f"a row of {table} cannot be opened: it was sealed under another encryption key or for a client "
            "with another secret, or is damaged; give every replica the same key file and secrets"
        )


def _row(table: str, key: bytes) -> bytes:
    return table.encode() + b"\0" + key


def _decoded(line: str) -> bytes:
    try:
        return base64.b64decode(line + "=" * (-len(line) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""


def _make(path: Path) -> None:
    """Whole or not at all: another process may be about to make it, or to read it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    key = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).rstrip(b"=")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(key + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
