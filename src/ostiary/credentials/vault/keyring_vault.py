"""A vault in the system's keyring, by the `keyring` library (`pip install 'ostiary[keyring]'`)."""

from __future__ import annotations

import asyncio
import base64
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.credentials.vault.file_vault import FileVault
from ostiary.credentials.vault.vault import VaultError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "ostiary"
RECOMMENDED = 1
"""The least priority of a keyring that really keeps secrets; stand-ins have less."""


class KeyringVault:
    """One entry of the keyring for each record. The library blocks, so it is called in threads."""

    def __init__(self, backend: KeyringBackend, directory: Path) -> None:
        self._backend = backend
        self._turns = FileVault(directory)
        self._changes = directory / "keyring.changed"

    @property
    def place(self) -> str:
        """The keyring, as the library calls it."""
        return str(self._backend.name)

    async def get(self, key: str) -> bytes | None:
        """The record, None without one."""
        kept = await asyncio.to_thread(self._call, "get_password", key)
        return None if kept is None else base64.b64decode(kept)

    async def put(self, key: str, record: bytes) -> None:
        """Keep a record in place of the one before."""
        await asyncio.to_thread(self._call, "set_password", key, base64.b64encode(record).decode())
        await asyncio.to_thread(self._tell)

    async def delete(self, key: str) -> None:
        """Forget a record."""
        if await self.get(key) is not None:
            await asyncio.to_thread(self._call, "delete_password", key)
            await asyncio.to_thread(self._tell)

    def version(self) -> int:
        """When a record was last changed by one of us: keyrings don't tell."""
        try:
            return self._changes.stat().st_mtime_ns
        except OSError:
            return 0

    def turn(self, key: str) -> AbstractAsyncContextManager[None]:
        """Keyrings have no locks: a file has."""
        return self._turns.turn(key)

    def _tell(self) -> None:
        try:
            self._changes.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._changes.touch(mode=0o600)
        except OSError as error:
            raise VaultError(f"{self._changes} cannot be written: {error.strerror}") from None

    def _call(self, method: str, *arguments: str) -> str | None:
        from keyring.errors import KeyringError  # noqa: PLC0415

        try:
            answer: str | None = getattr(self._backend, method)(SERVICE, *arguments)
        except KeyringError as error:
            raise VaultError(f"the keyring {self.place} does not answer: {error}; unlock it") from None
        return answer


def keyring_vault(directory: Path) -> KeyringVault | None:
    """The user's keyring; None when the library is missing or has no real keyring to talk to."""
    try:
        import keyring  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    backend = keyring.get_keyring()
    return KeyringVault(backend, directory) if backend.priority >= RECOMMENDED else None
