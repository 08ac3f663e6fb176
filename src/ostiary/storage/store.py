"""A database, and the key ring that seals its rows: what a part that keeps things is given."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

import msgspec
from sqlalchemy import Table

from ostiary.storage.database import Database
from ostiary.storage.errors import SealedOtherwise
from ostiary.storage.sealing import KeyRing

if TYPE_CHECKING:
    from ostiary.storage.config import StorageSettings
    from ostiary.storage.group_commit import Work

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


class Store:
    """Where one part's records are. All of it raises StorageUnavailable."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self.database = database
        self._keys = keys

    @classmethod
    def of(cls, settings: StorageSettings) -> Store:
        """The store that is configured. Raises KeyFileUnusable."""
        return cls(Database(settings), KeyRing.from_file(settings.encryption_key.path))

    async def transaction(self, work: Work[T]) -> T:
        """Do all of `work` or nothing of it; when it returns, it is on the disk."""
        return await self.database.transaction(work)

    async def read(self, work: Work[T]) -> T:
        """What `work` finds."""
        return await self.database.read(work)

    async def close(self) -> None:
        """Let go of the database."""
        await self.database.close()

    def seal(self, record: msgspec.Struct, *, table: Table, key: str) -> bytes:
        """A record as the row with this key of this table may hold it."""
        return self._keys.seal(msgspec.json.encode(record), table=table.name, key=key.encode())

    def open(self, sealed: bytes, kind: type[S], *, table: Table, key: str) -> S:
        """The record that was sealed for this row. Raises SealedOtherwise."""
        plain = self._keys.open(sealed, table=table.name, key=key.encode())
        try:
            return msgspec.json.decode(plain, type=kind)
        except msgspec.DecodeError:
            raise SealedOtherwise(
                f"a row of {table.name} was written by another version of Ostiary"
            ) from None


def digest(secret: str) -> str:
    """What stands in the store for a code, a token, a `tsid`: SHA-256 in hexadecimal.

    Nothing leads back from it, for what is hashed has 128 random bits at least.
    """
    return hashlib.sha256(secret.encode()).hexdigest()
