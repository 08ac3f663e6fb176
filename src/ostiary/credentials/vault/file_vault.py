"""A vault in a file, sealed with AES-256-GCM under a key in a file beside it, both for their user alone.

The key keeps the tokens out of backups and of whoever only sees the one file; it does not keep them from
programs of the same user, which nothing but a keyring can.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ostiary.credentials.vault.file_lock import file_lock
from ostiary.credentials.vault.vault import VaultError

KEY_BYTES = 32
NONCE_BYTES = 12
_FORMAT = b"ostiary-vault-1\n"
"""First line of the file, and authenticated with it."""

_Records = dict[str, bytes]


class FileVault:
    """`tokens.sealed` and `tokens.key` in a directory that is made when it is missing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = directory / "tokens.sealed"
        self._key_file = directory / "tokens.key"

    @property
    def place(self) -> str:
        """The file."""
        return str(self._file)

    async def get(self, key: str) -> bytes | None:
        """The record, None without one."""
        return (await asyncio.to_thread(self._read)).get(key)

    async def put(self, key: str, record: bytes) -> None:
        """Keep a record in place of the one before."""
        await self._change(lambda records: records.update({key: record}))

    async def delete(self, key: str) -> None:
        """Forget a record."""
        await self._change(lambda records: records.pop(key, None))

    def version(self) -> int:
        """When the file was written."""
        try:
            return self._file.stat().st_mtime_ns
        except OSError:
            return 0

    @contextlib.asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """A lock of its own for each key."""
        async with self._locked(f"turn-{hashlib.sha256(key.encode()).hexdigest()[:16]}.lock"):
            yield

    async def _change(self, change: Callable[[_Records], object]) -> None:
        """Read, change and write while no other process does, so that neither's change is lost."""
        async with self._locked("tokens.lock"):
            await asyncio.to_thread(self._rewrite, change)

    def _rewrite(self, change: Callable[[_Records], object]) -> None:
        records = self._read()
        before = dict(records)
        change(records)
        if records != before:
            self._write(records)

    @contextlib.asynccontextmanager
    async def _locked(self, name: str) -> AsyncIterator[None]:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise VaultError(f"{self._directory} cannot be made: {error.strerror}") from None
        async with file_lock(self._directory / name):
            yield

    def _read(self) -> _Records:
        try:
            sealed = self._file.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise VaultError(f"{self._file} cannot be read: {error.strerror}") from None
        body = sealed.removeprefix(_FORMAT)
        try:
            plain = AESGCM(self._key()).decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], _FORMAT)
            return msgspec.msgpack.decode(plain, type=_Records)
        except (InvalidTag, ValueError, msgspec.DecodeError):
            raise VaultError(
                f"{self._file} cannot be opened with {self._key_file}: "
                "it was made with another key or is damaged; delete it, and sign in again"
            ) from None

    def _write(self, records: _Records) -> None:
        """All or nothing, also when the machine stops in the middle."""
        key = self._key() if self._key_file.exists() else self._new_key()
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, msgspec.msgpack.encode(records), _FORMAT)
        draft = self._file.with_suffix(f".{secrets.token_hex(8)}")
        try:
            _write_for_their_user_alone(draft, _FORMAT + nonce + sealed)
            draft.replace(self._file)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise VaultError(f"{self._file} cannot be written: {error.strerror}") from None

    def _key(self) -> bytes:
        try:
            text = self._key_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise VaultError(
                f"{self._key_file} cannot be read: {reason}; "
                f"restore it, or delete {self._file} and sign in again"
            ) from None
        with contextlib.suppress(ValueError):
            key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if len(key) == KEY_BYTES:
                return key
        raise VaultError(
            f"{self._key_file} does not hold {KEY_BYTES} bytes in base64url; "
            f"restore it, or delete it and {self._file} and sign in again"
        )

    def _new_key(self) -> bytes:
        key = secrets.token_bytes(KEY_BYTES)
        try:
            _write_for_their_user_alone(self._key_file, base64.urlsafe_b64encode(key).rstrip(b"=") + b"\n")
        except OSError as error:
            raise VaultError(f"{self._key_file} cannot be written: {error.strerror}") from None
        return key


def _write_for_their_user_alone(file: Path, content: bytes) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
