"""Secret records by key, kept between commands."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class VaultError(Exception):
    """The vault can't be read or written. The message says where it is and what to do."""


class TokenVault(Protocol):
    """Secret records by key. Several processes may use one at a time."""

    @property
    def place(self) -> str:
        """Where it is, in words."""

    async def get(self, key: str) -> bytes | None:
        """The record, None without one. Raises VaultError."""

    async def put(self, key: str, record: bytes) -> None:
        """Keep a record in place of the one before. Raises VaultError."""

    async def delete(self, key: str) -> None:
        """Forget a record, if there is one. Raises VaultError."""

    def version(self) -> int:
        """Another number when a record may be another. Quick; never raises."""

    def turn(self, key: str) -> AbstractAsyncContextManager[None]:
        """One process at a time: a refresh token that two use at once is taken for a stolen one."""
