"""AES-256-GCM under a ring of keys. What is sealed for one row opens nowhere else, nor once that is changed.

The key file holds 32 bytes in base64url on its first line, which seals; older keys may follow, a line each,
which still open. So a key is rotated by putting a new line before the others, in every replica.

    byte 0          the format, 2
    bytes 1 to 8    the id of the key that sealed it
    bytes 9 to 20   a nonce, drawn by chance
    the rest        what is sealed, and the tag of GCM, which also covers what the row says in the clear
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ostiary.storage.errors import KeyFileUnusable

KEY_BYTES = 32
FORMAT = b"\x02"
"""First byte of everything sealed, so that another cipher can come one day."""
HEADER_BYTES = 9
"""The format and the key's id: by these it is known which key a row needs."""
_NONCE_BYTES = 12
_BODY = HEADER_BYTES + _NONCE_BYTES


class UnknownKey(Exception):
    """It was sealed under a key that is not in the ring."""

    def __init__(self, key_id: str) -> None:
        super().__init__(key_id)
        self.key_id = key_id


class DoesNotFit(Exception):
    """It was sealed for another row, for this one as it was before somebody changed it, or is damaged."""


class KeyRing:
    """The first key seals, all of them open. Each is 32 bytes."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("a key ring has at least one key")
        self._ciphers = {FORMAT + bytes.fromhex(key_id(key)): AESGCM(key) for key in keys}
        self.header, self._seals = next(iter(self._ciphers.items()))
        """How everything begins that it seals."""

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

    @property
    def key_ids(self) -> list[str]:
        """Of its keys, the one that seals first."""
        return [header[1:].hex() for header in self._ciphers]

    def seal(self, plain: bytes, *, covered: bytes) -> bytes:
        """Sealed, to open only beside what is covered."""
        nonce = os.urandom(_NONCE_BYTES)
        return self.header + nonce + self._seals.encrypt(nonce, plain, FORMAT + covered)

    def open(self, sealed: bytes, *, covered: bytes) -> bytes:
        """What was sealed beside this. Raises UnknownKey, DoesNotFit."""
        cipher = self._ciphers.get(sealed[:HEADER_BYTES])
        if cipher is None:
            if sealed[:1] == FORMAT and len(sealed) > _BODY:
                raise UnknownKey(sealed[1:HEADER_BYTES].hex())
            raise DoesNotFit
        try:
            return cipher.decrypt(sealed[HEADER_BYTES:_BODY], sealed[_BODY:], FORMAT + covered)
        except (InvalidTag, ValueError):
            raise DoesNotFit from None

    def open_first_format(self, sealed: bytes, *, table: str, key: str) -> bytes:
        """What an earlier version sealed for a row: 1, a nonce, the rest. Raises DoesNotFit."""
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] == b"\x01":
            for cipher in self._ciphers.values():
                with contextlib.suppress(InvalidTag, ValueError):
                    return cipher.decrypt(nonce, body, f"{table}\0{key}".encode())
        raise DoesNotFit


def key_id(key: bytes) -> str:
    """A key's name, from which nothing leads back to it: 16 digits."""
    return hmac.digest(key, b"the id of an encryption key of Ostiary", hashlib.sha256)[:8].hex()


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
